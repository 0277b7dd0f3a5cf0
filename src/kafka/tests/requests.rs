//! The request group.

use std::collections::BTreeSet;

use super::{Bench, LONG, assert_in_order, next, number, numbers, read, until};
use crate::kafka::requests::serve;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_answered_is_read_again_and_what_is_answered_is_not() {
    let mut bench = Bench::new(1).await;
    bench.kafka.batch = 4;
    let topic = bench.kafka.requests_topic.clone();
    bench.send(&topic, 0..10).await;
    let (stream, mut batches) = serve(&bench.kafka, &bench.broker).unwrap();
    let mut records = Vec::new();
    let mut epoch = 0;
    while records.len() < 10 {
        let batch = next(&mut batches).await;
        epoch = batch.epoch;
        records.extend(batch.records);
    }
    // All but offset 6 are answered, the later ones first.
    let answered: Vec<_> =
        records.iter().rev().filter(|record| record.offset != 6).map(|record| record.next()).collect();
    stream.done(&answered, epoch);
    drop(batches);
    assert!(stream.ended(LONG).await, "a stream that nobody reads leaves without waiting for answers");

    let (stream, mut batches) = serve(&bench.kafka, &bench.broker).unwrap();
    let again = read(&mut batches, 4).await;
    assert_eq!(again.iter().map(|record| record.offset).collect::<Vec<_>>(), [6, 7, 8, 9]);
    stream.stop();
    // It waits for these answers, and commits them.
    let answered: Vec<_> = again.iter().map(|record| record.next()).collect();
    stream.done(&answered, epoch + 1);
    assert!(stream.ended(LONG).await);

    bench.send(&topic, 10..11).await;
    let (_stream, mut batches) = serve(&bench.kafka, &bench.broker).unwrap();
    assert_eq!(numbers(&read(&mut batches, 1).await), [10]);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_commit_while_the_stream_runs() {
    let bench = Bench::new(2).await;
    let topic = bench.kafka.requests_topic.clone();
    bench.send(&topic, 0..50).await;
    let (stream, mut batches) = serve(&bench.kafka, &bench.broker).unwrap();
    let mut read = 0;
    while read < 50 {
        let batch = next(&mut batches).await;
        assert!(batch.records.iter().all(|record| stream.holds(record, batch.epoch)));
        read += batch.records.len();
        stream.done_all(&batch);
    }
    let committed = || {
        use rdkafka::consumer::{BaseConsumer, Consumer};
        let config = [("bootstrap.servers", &bench.kafka.brokers), ("group.id", &bench.kafka.requests_group)];
        let config: rdkafka::ClientConfig =
            config.into_iter().map(|(key, value)| (key.to_owned(), value.clone())).collect();
        let consumer: BaseConsumer = config.create().unwrap();
        let mut list = rdkafka::TopicPartitionList::new();
        list.add_partition_range(&topic, 0, 1);
        let list = consumer.committed_offsets(list, LONG).unwrap();
        list.elements().iter().filter_map(|at| at.offset().to_raw()).filter(|&at| at > 0).sum::<i64>()
    };
    until("all is committed", || committed() == 50).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_of_requests_loses_nothing() {
    let mut bench = Bench::new(2).await;
    (bench.kafka.batch, bench.kafka.queue) = (5, 1);
    let topic = bench.kafka.requests_topic.clone();
    bench.send(&topic, 0..400).await;
    let (stream, mut batches) = serve(&bench.kafka, &bench.broker).unwrap();
    let mut records = Vec::new();
    while records.len() < 400 {
        if records.len() < 100 {
            until("the stream is paused", || stream.status().paused).await;
        }
        let batch = next(&mut batches).await;
        stream.done_all(&batch);
        records.extend(batch.records);
    }
    assert_in_order(&records);
    assert_eq!(numbers(&records), (0..400).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_share_and_no_request_is_passed_over() {
    let bench = Bench::new(4).await;
    let topic = bench.kafka.requests_topic.clone();
    bench.send(&topic, 0..100).await;
    let (first, mut first_batches) = serve(&bench.kafka, &bench.broker).unwrap();
    // The first has all partitions and answers its first batch once the second is there.
    let held = next(&mut first_batches).await;
    let (second, mut second_batches) = serve(&bench.kafka, &bench.broker).unwrap();
    let answer_first = async {
        let mut seen: BTreeSet<u32> = held.records.iter().map(number).collect();
        first.done_all(&held);
        while let Some(batch) = first_batches.recv().await {
            seen.extend(batch.records.iter().map(number));
            first.done_all(&batch);
        }
        seen
    };
    let answer_second = async {
        let mut seen = BTreeSet::new();
        while let Some(batch) = second_batches.recv().await {
            seen.extend(batch.records.iter().map(number));
            second.done_all(&batch);
        }
        seen
    };
    let drive = async {
        let shared = || [&first, &second].map(|stream| stream.status().partitions.len());
        until("each has two partitions", || shared() == [2, 2]).await;
        bench.send(&topic, 100..200).await;
        until("all is read", || first.status().lag == Some(0) && second.status().lag == Some(0)).await;
        // One leaves, the other takes all over.
        first.stop();
        until("the second has all partitions", || second.status().partitions.len() == 4).await;
        bench.send(&topic, 200..300).await;
        let read = || second.status().partitions.iter().filter_map(|partition| partition.high).sum::<i64>();
        until("all is read", || second.status().lag == Some(0) && read() == 300).await;
        second.stop();
        assert!(first.ended(LONG).await && second.ended(LONG).await);
    };
    let (seen_first, seen_second, ()) = tokio::join!(answer_first, answer_second, drive);
    assert!(!seen_second.is_empty() && !seen_first.is_empty());
    let seen: BTreeSet<u32> = seen_first.union(&seen_second).copied().collect();
    assert_eq!(seen, (0..300).collect::<BTreeSet<_>>());

    // Everything was committed: a newcomer finds nothing.
    bench.send(&topic, 300..301).await;
    let (_stream, mut batches) = serve(&bench.kafka, &bench.broker).unwrap();
    assert_eq!(numbers(&next(&mut batches).await.records), [300]);
}
