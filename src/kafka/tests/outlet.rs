//! Sending behind the caller.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::runtime::Handle;

use super::{Bench, LONG, number, read, until};
use crate::kafka::events::follow;
use crate::kafka::outlet::{Outlet, Sent};
use crate::kafka::producer::OutRecord;
use crate::settings::Secret;

type Counted = Arc<Mutex<Vec<Sent>>>;

fn outlet(bench: &Bench) -> (Outlet, Counted) {
    let counted = Counted::default();
    let seen = counted.clone();
    let outlet = Outlet::start(bench.producer(), &Handle::current(), Arc::new(move |sent| seen.lock().push(sent)));
    (outlet, counted)
}

fn numbered(topic: &str, number: u32) -> OutRecord {
    let (topic, key) = (Arc::from(topic), Some(b"one".to_vec()));
    OutRecord { topic, key, payload: Some(number.to_string().into_bytes()), headers: Vec::new() }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_handed_over_is_delivered_in_order_around_what_is_refused() {
    let bench = Bench::new(2).await;
    let topic = bench.kafka.events_topic.clone();
    let (outlet, counted) = outlet(&bench);
    for n in 0..20 {
        outlet.give(numbered(&topic, n));
    }
    outlet.give(OutRecord { payload: Some(vec![0; 17 << 20]), ..numbered(&topic, 0) });
    outlet.give(numbered(&topic, 20));
    assert_eq!(outlet.settled(LONG).await, 0);
    let (_stream, mut batches) = follow(&bench.kafka, &[], &bench.broker).unwrap();
    let records = read(&mut batches, 21).await;
    assert_eq!(records.iter().map(number).collect::<Vec<_>>(), (0..21).collect::<Vec<_>>());
    let mut expected = vec![Sent::Delivered; 22];
    expected[20] = Sent::Lost;
    assert_eq!(*counted.lock(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_broker_takes_waits_for_one_and_what_is_too_much_is_counted() {
    let mut bench = Bench::embedded();
    let topic = bench.kafka.events_topic.clone();
    bench.make(&topic, 1).await;
    bench.kafka.options.insert("message.timeout.ms".to_owned(), Secret::new("300"));
    bench.fake().set_down(true).unwrap();
    let (outlet, counted) = outlet(&bench);
    outlet.give(numbered(&topic, 0));
    until("the first is tried again", || counted.lock().contains(&Sent::Again)).await;
    // One is under way and a thousand wait.
    for n in 1..=1003 {
        outlet.give(numbered(&topic, n));
    }
    assert_eq!(counted.lock().iter().filter(|&&sent| sent == Sent::Lost).count(), 3);
    assert_eq!(outlet.settled(std::time::Duration::ZERO).await, 1001);
    bench.fake().set_down(false).unwrap();
    let (_stream, mut batches) = follow(&bench.kafka, &[], &bench.broker).unwrap();
    let mut numbers: Vec<u32> = Vec::new();
    while numbers.last() != Some(&1000) {
        numbers.extend(super::next(&mut batches).await.records.iter().map(number));
    }
    assert_eq!(outlet.settled(LONG).await, 0);
    // One that was written though its delivery was not heard of in time comes twice.
    numbers.dedup();
    assert_eq!(numbers, (0..=1000).collect::<Vec<_>>());
}
