//! Sending.

use std::sync::Arc;

use super::{Bench, LONG, read, until};
use crate::kafka::events::follow;
use crate::kafka::producer::{OutRecord, ProduceError};
use crate::kafka::record::Record;
use crate::settings::Secret;

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_is_the_record_byte_for_byte() {
    let mut bench = Bench::new(1).await;
    let (producer, topic) = (bench.producer(), bench.kafka.events_topic.clone());
    let dead = format!("{topic}.dlq");
    bench.make(&dead, 1).await;
    let own = |name: &str, value: &[u8]| (name.to_owned(), value.to_vec());
    let sent = [
        (
            Some(vec![0, 159, 146, 150]),
            Some(vec![0xff; 300_000]),
            vec![own("a", b"1"), own("a", &[0xff, 0]), own("", b"")],
        ),
        (None, Some(Vec::new()), vec![]),
        (Some(Vec::new()), None, vec![own("content-type", b"application/json")]),
    ];
    for (key, payload, headers) in sent.clone() {
        producer.send(OutRecord { topic: Arc::from(topic.as_str()), key, payload, headers }).await.unwrap();
    }
    let (_stream, mut batches) = follow(&bench.kafka, &[], &bench.broker).unwrap();
    let records = read(&mut batches, 3).await;
    for record in &records {
        producer.dead_letter(record, "bad_json: no JSON").await.unwrap();
    }
    bench.kafka.events_topic.clone_from(&dead);
    let (_stream, mut batches) = follow(&bench.kafka, &[], &bench.broker).unwrap();
    let letters = read(&mut batches, 3).await;
    for ((letter, record), (key, payload, headers)) in letters.iter().zip(&records).zip(sent) {
        assert_eq!((&letter.key, &letter.payload), (&key, &payload));
        assert_eq!(letter.headers[..headers.len()], headers);
        let said = |name: &str| str::from_utf8(letter.header(name).unwrap()).unwrap().to_owned();
        let place = format!("{}/{}/{}", said("dlq.topic"), said("dlq.partition"), said("dlq.offset"));
        assert_eq!(place, record.place());
        assert_eq!(said("dlq.timestamp"), record.timestamp_ms.unwrap().to_string());
        assert_eq!(said("dlq.reason"), "bad_json: no JSON");
        assert_eq!(letter.headers.len(), headers.len() + 5);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_waits_for_room_and_loses_nothing() {
    let mut bench = Bench::new(1).await;
    bench.kafka.options.insert("queue.buffering.max.messages".to_owned(), Secret::new("10"));
    let topic = bench.kafka.events_topic.clone();
    bench.send(&topic, 0..500).await;
    let (_stream, mut batches) = follow(&bench.kafka, &[], &bench.broker).unwrap();
    let records: Vec<Record> = read(&mut batches, 500).await;
    assert_eq!(super::numbers(&records), (0..500).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_can_never_be_sent_is_refused_at_once() {
    let bench = Bench::new(1).await;
    let producer = bench.producer();
    let payload = Some(vec![0; 17 << 20]);
    let sent = producer.send(OutRecord { topic: Arc::from("events"), payload, ..OutRecord::default() }).await;
    assert!(matches!(&sent, Err(error @ ProduceError::Refused(_)) if !error.again()), "{sent:?}");
    let sent = producer.send(OutRecord { topic: Arc::from("a\0b"), ..OutRecord::default() }).await;
    assert!(matches!(sent, Err(ProduceError::Refused(_))), "{sent:?}");
    assert!(producer.flush(LONG).await);
    // The client's own notices count too until its thread has read them.
    until("nothing is in flight", || producer.in_flight() == 0).await;
}
