//! A broker that is away at the start or later: the embedded one, which can be taken down.

use std::sync::Arc;

use super::{Bench, LONG, assert_in_order, next, numbers, read, until};
use crate::kafka::events::follow;
use crate::kafka::producer::{OutRecord, ProduceError, Producer};
use crate::kafka::requests::serve;
use crate::settings::Secret;

#[tokio::test(flavor = "multi_thread")]
async fn streams_begin_once_the_broker_is_there() {
    let bench = Bench::embedded();
    let (events, requests) = (bench.kafka.events_topic.clone(), bench.kafka.requests_topic.clone());
    bench.make(&events, 2).await;
    bench.make(&requests, 1).await;
    bench.send(&events, 0..10).await;
    bench.send(&requests, 0..5).await;
    bench.fake().set_down(true).unwrap();
    let (_events, mut events) = follow(&bench.kafka, &[], &bench.broker).unwrap();
    let (_requests, mut requests) = serve(&bench.kafka, &bench.broker).unwrap();
    until("the broker is away", || bench.broker.status().last_error.is_some()).await;
    let status = bench.broker.status();
    assert!(!status.connected && status.away_since_ms.is_some(), "{status:?}");
    assert!(events.try_recv().is_err());
    bench.fake().set_down(false).unwrap();
    assert_eq!(numbers(&read(&mut events, 10).await), (0..10).collect::<Vec<_>>());
    assert_eq!(numbers(&read(&mut requests, 5).await), (0..5).collect::<Vec<_>>());
    until("the broker is there", || bench.broker.status().connected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_goes_and_comes_back_costs_no_record() {
    let bench = Bench::embedded();
    let topic = bench.kafka.events_topic.clone();
    bench.make(&topic, 2).await;
    bench.send(&topic, 0..50).await;
    let (_stream, mut batches) = follow(&bench.kafka, &[], &bench.broker).unwrap();
    let mut records = read(&mut batches, 50).await;
    until("the broker is there", || bench.broker.status().connected).await;
    bench.fake().set_down(true).unwrap();
    until("the broker is away", || !bench.broker.status().connected).await;
    bench.fake().set_down(false).unwrap();
    bench.send(&topic, 50..80).await;
    records.extend(read(&mut batches, 30).await);
    assert_in_order(&records);
    assert_eq!(numbers(&records), (0..80).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_no_broker_takes_comes_back_to_be_tried_again() {
    let mut bench = Bench::embedded();
    let topic = bench.kafka.events_topic.clone();
    bench.make(&topic, 1).await;
    bench.fake().set_down(true).unwrap();
    bench.kafka.options.insert("message.timeout.ms".to_owned(), Secret::new("300"));
    let producer = Producer::new(&bench.kafka, &bench.broker).unwrap();
    let record = OutRecord { topic: Arc::from(topic.as_str()), payload: Some(b"1".to_vec()), ..OutRecord::default() };
    let sent = producer.send(record.clone()).await;
    assert!(matches!(&sent, Err(error @ ProduceError::Away(_)) if error.again()), "{sent:?}");
    bench.fake().set_down(false).unwrap();
    let mut tries = producer.send(record.clone()).await;
    while tries.is_err() {
        tries = producer.send(record.clone()).await;
    }
    let (_stream, mut batches) = follow(&bench.kafka, &[], &bench.broker).unwrap();
    assert_eq!(numbers(&next(&mut batches).await.records)[0], 1);
    assert!(producer.flush(LONG).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_stops_in_time_with_the_broker_away() {
    let bench = Bench::embedded();
    bench.make(&bench.kafka.events_topic, 1).await;
    bench.make(&bench.kafka.requests_topic, 1).await;
    let (events, mut event_batches) = follow(&bench.kafka, &[], &bench.broker).unwrap();
    let (requests, mut request_batches) = serve(&bench.kafka, &bench.broker).unwrap();
    bench.send(&bench.kafka.events_topic, 0..1).await;
    bench.send(&bench.kafka.requests_topic, 0..1).await;
    let (_, asked) = (next(&mut event_batches).await, next(&mut request_batches).await);
    bench.fake().set_down(true).unwrap();
    until("the broker is away", || !bench.broker.status().connected).await;
    requests.done_all(&asked);
    events.stop();
    requests.stop();
    assert!(events.ended(LONG).await && requests.ended(LONG).await);
}
