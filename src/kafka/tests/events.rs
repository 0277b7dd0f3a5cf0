//! Following a topic.

use std::time::Duration;

use rdkafka::admin::AdminOptions;
use rdkafka::{Offset, TopicPartitionList};

use super::{Bench, LONG, assert_in_order, next, numbers, read, until};
use crate::kafka::events::follow;
use crate::kafka::models::{Announced, hear};
use crate::kafka::producer::OutRecord;
use crate::kafka::{codec::descriptor, topics};
use crate::model::manifest::PartitionOffset;
use crate::settings::Secret;

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_pauses_the_stream_and_loses_nothing() {
    let mut bench = Bench::new(3).await;
    (bench.kafka.batch, bench.kafka.queue) = (7, 2);
    // Little is read ahead, so that each pause throws some of it away and some is not yet fetched.
    bench.kafka.options.insert("queued.min.messages".to_owned(), Secret::new("50"));
    let topic = bench.kafka.events_topic.clone();
    bench.send(&topic, 0..2000).await;
    let (stream, mut batches) = follow(&bench.kafka, &[], &bench.broker).unwrap();
    let mut records = Vec::new();
    let mut pauses = 0;
    while records.len() < 2000 {
        if pauses < 20 && records.len() < 1900 {
            until("the stream is paused", || stream.status().paused).await;
            pauses += 1;
        }
        let batch = next(&mut batches).await;
        assert!(batch.records.len() <= 7);
        records.extend(batch.records);
        while let Ok(more) = batches.try_recv() {
            records.extend(more.records);
        }
    }
    assert_eq!(records.len(), 2000);
    assert_in_order(&records);
    assert_eq!(numbers(&records), (0..2000).collect::<Vec<_>>());
    until("nothing waits at the broker", || stream.status().lag == Some(0)).await;
    let status = stream.status();
    assert_eq!(status.partitions.iter().filter_map(|partition| partition.next).sum::<i64>(), 2000);
    assert!(!status.paused && !status.topic_missing);
    stream.stop();
    assert!(stream.ended(LONG).await);
    assert!(batches.recv().await.is_none(), "the channel is closed behind the last batch");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_goes_on_behind_stored_offsets() {
    let bench = Bench::new(2).await;
    let topic = bench.kafka.events_topic.clone();
    bench.send(&topic, 0..100).await;
    let (stream, mut batches) = follow(&bench.kafka, &[], &bench.broker).unwrap();
    let mut first = Vec::new();
    while first.len() < 30 {
        first.extend(next(&mut batches).await.records);
    }
    drop(batches);
    assert!(stream.ended(LONG).await, "a stream that nobody reads ends");
    first.truncate(30);
    let mut stored: Vec<PartitionOffset> = Vec::new();
    for record in &first {
        stored.retain(|at| at.partition != record.partition);
        stored.push(record.next());
    }
    // A partition without an offset is read from its beginning, and another topic's offsets mean nothing here.
    stored.push(PartitionOffset { topic: "other".to_owned(), partition: 0, next: 7 });
    let (_stream, mut batches) = follow(&bench.kafka, &stored, &bench.broker).unwrap();
    let rest = read(&mut batches, 70).await;
    assert_in_order(&rest);
    let all: Vec<_> = first.into_iter().chain(rest).collect();
    assert_eq!(numbers(&all), (0..100).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_at_the_end_tells_where_that_was() {
    let mut bench = Bench::new(1).await;
    bench.kafka.start = "latest".to_owned();
    let topic = bench.kafka.events_topic.clone();
    bench.send(&topic, 0..5).await;
    let (_stream, mut batches) = follow(&bench.kafka, &[], &bench.broker).unwrap();
    let begins = next(&mut batches).await;
    assert_eq!(begins.records, []);
    assert_eq!(begins.begins, [PartitionOffset { topic: topic.clone(), partition: 0, next: 5 }]);
    bench.send(&topic, 5..8).await;
    assert_eq!(numbers(&read(&mut batches, 3).await), [5, 6, 7]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_by_time_reads_what_came_since() {
    let mut bench = Bench::new(1).await;
    let topic = bench.kafka.events_topic.clone();
    bench.send(&topic, 0..5).await;
    bench.kafka.start = "last=1h".to_owned();
    let (_stream, mut batches) = follow(&bench.kafka, &[], &bench.broker).unwrap();
    // The embedded broker cannot search by time: it finds nothing that late, so the stream begins at the end.
    let begin = if bench.real() { 0 } else { 5 };
    assert_eq!(next(&mut batches).await.begins[0].next, begin);
    bench.kafka.start = "ts=2099-01-01T00:00:00Z".to_owned();
    let (_later, mut batches) = follow(&bench.kafka, &[], &bench.broker).unwrap();
    assert_eq!(next(&mut batches).await.begins[0].next, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offset_the_broker_does_not_have_is_left_for_the_earliest() {
    let bench = Bench::new(1).await;
    let topic = bench.kafka.events_topic.clone();
    bench.send(&topic, 0..10).await;
    let stored = |next| [PartitionOffset { topic: topic.clone(), partition: 0, next }];
    let (_stream, mut batches) = follow(&bench.kafka, &stored(1000), &bench.broker).unwrap();
    let batch = next(&mut batches).await;
    assert_eq!(batch.begins, stored(0));
    let mut records = batch.records;
    while records.len() < 10 {
        records.extend(next(&mut batches).await.records);
    }
    assert_eq!(records[0].offset, 0);
    if bench.real() {
        // Retention has passed over a stored offset.
        let mut gone = TopicPartitionList::new();
        gone.add_partition_offset(&topic, 0, Offset::Offset(6)).unwrap();
        bench.admin().delete_records(&gone, &AdminOptions::new()).await.unwrap();
        let (_stream, mut batches) = follow(&bench.kafka, &stored(2), &bench.broker).unwrap();
        let mut records = Vec::new();
        while records.len() < 4 {
            let batch = next(&mut batches).await;
            assert!(!records.is_empty() || batch.begins == stored(6));
            records.extend(batch.records);
        }
        assert_eq!(numbers(&records), [6, 7, 8, 9]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_made_later_is_read_from_its_beginning() {
    let mut bench = Bench::new(1).await;
    bench.kafka.events_topic = format!("late-{}", bench.unique);
    bench.kafka.start = "latest".to_owned();
    let (stream, mut batches) = follow(&bench.kafka, &[], &bench.broker).unwrap();
    until("the topic is missed", || stream.status().topic_missing).await;
    let topic = bench.kafka.events_topic.clone();
    bench.make(&topic, 2).await;
    bench.send(&topic, 0..20).await;
    assert_eq!(numbers(&read(&mut batches, 20).await), (0..20).collect::<Vec<_>>());
    assert!(!stream.status().topic_missing);
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_topics_are_made_where_the_broker_makes_them() {
    let mut bench = Bench::new(1).await;
    bench.kafka.replies_topic = format!("made-{}", bench.unique);
    let maker = topics::ensure(&bench.kafka, &bench.broker).unwrap();
    assert!(maker.ended(LONG).await, "it ends once a broker has answered, also with a refusal");
    if bench.real() {
        let admin = bench.admin();
        // A broker learns of a topic a little after the controller has made it.
        for name in topics::names(&bench.kafka) {
            until(&name, || {
                let metadata = admin.inner().fetch_metadata(None, Duration::from_secs(10)).unwrap();
                metadata.topics().iter().any(|topic| topic.name() == name)
            })
            .await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn announcements_are_heard_from_now_on() {
    let bench = Bench::new(1).await;
    let (producer, topic) = (bench.producer(), &bench.kafka.models_topic);
    producer.send(descriptor::announcement(topic, "http://a", 1, "")).await.unwrap();
    let (stream, mut announcements) = hear(&bench.kafka, &bench.broker).unwrap();
    until("the stream has begun", || !stream.status().partitions.is_empty()).await;
    let foreign = OutRecord { topic: topic.as_str().into(), payload: Some(vec![0x0a, 9]), ..OutRecord::default() };
    producer.send(foreign).await.unwrap();
    producer.send(descriptor::announcement(topic, "http://a", 2, "")).await.unwrap();
    let heard = [announcements.recv().await.unwrap(), announcements.recv().await.unwrap()];
    assert_eq!(heard[0], Announced { version: None, url: String::new() });
    assert_eq!(heard[1], Announced { version: Some(2), url: descriptor::url("http://a", 2) });
}
