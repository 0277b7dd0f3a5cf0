//! The shop's life over Kafka: events and requests out, replies counted.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use super::shop::Shop;
use crate::kafka::producer::{OutRecord, Producer};
use crate::kafka::record::Record;
use crate::model::clock::Clock;
use crate::model::event::Event;
use crate::settings::Kafka;

/// After so long without a reply a request has failed. A request group that is just being joined needs several seconds.
const PATIENCE: Duration = Duration::from_secs(30);
/// Records on their way at once; over it the shop waits for the broker.
const ON_THE_WAY: usize = 1000;

/// What was sent and what came back.
#[derive(Debug, Default)]
pub(super) struct Tally {
    events: AtomicU64,
    answered: AtomicU64,
    failed: AtomicU64,
    asked: Mutex<HashMap<Vec<u8>, Instant>>,
}

impl Tally {
    /// Events that the broker has.
    pub(super) fn events(&self) -> u64 {
        self.events.load(Ordering::Relaxed)
    }

    /// Requests of the shop that were answered with a list.
    pub(super) fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// Requests that were not taken, or not answered in time, or answered with something else than a list.
    pub(super) fn failed(&self) -> u64 {
        self.forget_late(Instant::now());
        self.failed.load(Ordering::Relaxed)
    }

    /// Requests that wait for their reply.
    pub(super) fn waiting(&self) -> usize {
        self.asked.lock().len()
    }

    /// Takes a record of the reply topic in; one that answers somebody else's request counts for nothing.
    pub(super) fn reply(&self, record: &Record) {
        let Some(id) = record.header("correlation-id") else { return };
        if self.asked.lock().remove(id).is_none() {
            return;
        }
        let body = record.payload.as_deref().and_then(|bytes| serde_json::from_slice::<Value>(bytes).ok());
        let list = body.as_ref().is_some_and(|body| body.get("items").is_some_and(Value::is_array));
        let counter = if list { &self.answered } else { &self.failed };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn ask(&self, id: &[u8]) {
        self.asked.lock().insert(id.to_vec(), Instant::now());
    }

    fn not_taken(&self, id: &[u8]) {
        if self.asked.lock().remove(id).is_some() {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn forget_late(&self, now: Instant) {
        let mut asked = self.asked.lock();
        let before = asked.len();
        asked.retain(|_, since| now.duration_since(*since) < PATIENCE);
        self.failed.fetch_add((before - asked.len()) as u64, Ordering::Relaxed);
    }
}

/// The two streams of the shop.
pub(super) struct Streams {
    events: JoinHandle<()>,
    requests: JoinHandle<()>,
}

impl Streams {
    /// Begins with `rate` events a second, and a request for each fourth.
    pub(super) fn start(shop: Shop, rate: f64, kafka: &Kafka, producer: &Producer, tally: &Arc<Tally>) -> Self {
        let shop = Arc::new(Mutex::new(shop));
        let events =
            produce_events(shop.clone(), rate, Arc::from(&*kafka.events_topic), producer.clone(), tally.clone());
        let topic = Arc::from(&*kafka.requests_topic);
        let requests = produce_requests(shop, rate / 4.0, topic, producer.clone(), tally.clone());
        Self { events: tokio::spawn(events), requests: tokio::spawn(requests) }
    }

    /// Sends nothing more.
    pub(super) async fn stop(self) {
        for task in [self.events, self.requests] {
            task.abort();
            if let Err(error) = task.await
                && error.is_panic()
            {
                tracing::error!(%error, "a stream of the shop had panicked");
            }
        }
    }
}

async fn produce_events(shop: Arc<Mutex<Shop>>, rate: f64, topic: Arc<str>, producer: Producer, tally: Arc<Tally>) {
    let mut ticks = ticks(rate);
    let mut on_the_way = FuturesUnordered::new();
    loop {
        tokio::select! {
            _ = ticks.tick(), if on_the_way.len() < ON_THE_WAY => {
                let event = shop.lock().next_event(Clock::System.now_ms());
                on_the_way.push(producer.send(record(&topic, event.user.as_str(), &event_body(&event), None)));
            }
            Some(sent) = on_the_way.next() => match sent {
                Ok(()) => { tally.events.fetch_add(1, Ordering::Relaxed); }
                Err(error) => tracing::warn!(%error, "an event of the shop was not taken"),
            },
        }
    }
}

async fn produce_requests(shop: Arc<Mutex<Shop>>, rate: f64, topic: Arc<str>, producer: Producer, tally: Arc<Tally>) {
    let (producer, mut ticks) = (&producer, ticks(rate));
    let mut on_the_way = FuturesUnordered::new();
    let run = rand::random::<u32>();
    let mut number = 0_u64;
    loop {
        tokio::select! {
            _ = ticks.tick(), if on_the_way.len() < ON_THE_WAY => {
                let request = shop.lock().next_request();
                number += 1;
                let id = format!("demo-{run:08x}-{number}").into_bytes();
                let key = request.user.as_ref().map_or("", |user| user.as_str());
                let asked = record(&topic, key, &request.body(), Some(&id));
                tally.ask(&id);
                on_the_way.push(async move { producer.send(asked).await.map_err(|error| (error, id)) });
            }
            Some(sent) = on_the_way.next() => if let Err((error, id)) = sent {
                tally.not_taken(&id);
                tracing::warn!(%error, "a request of the shop was not taken");
            },
        }
    }
}

fn ticks(rate: f64) -> tokio::time::Interval {
    let mut ticks = interval(Duration::from_secs_f64((1.0 / rate).clamp(1e-4, 86_400.0)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

fn record(topic: &Arc<str>, key: &str, body: &Value, correlation_id: Option<&[u8]>) -> OutRecord {
    let mut headers = vec![("content-type".to_owned(), b"application/json".to_vec())];
    headers.extend(correlation_id.map(|id| ("correlation-id".to_owned(), id.to_vec())));
    OutRecord {
        topic: topic.clone(),
        key: (!key.is_empty()).then(|| key.as_bytes().to_vec()),
        payload: Some(body.to_string().into_bytes()),
        headers,
    }
}

/// An event as the topic of events takes it.
pub(super) fn event_body(event: &Event) -> Value {
    json!({
        "user": event.user,
        "item": event.item,
        "type": &*event.kind,
        "timestamp": event.timestamp_ms,
        "id": event.id.as_deref(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::wire::event::event_from_json;

    const NOW: i64 = 1_790_000_000_000;

    fn reply(id: &str, payload: &str) -> Record {
        Record {
            topic: Arc::from("recommendations"),
            partition: 0,
            offset: 0,
            timestamp_ms: None,
            key: None,
            payload: Some(payload.as_bytes().to_vec()),
            headers: vec![("correlation-id".to_owned(), id.as_bytes().to_vec())],
        }
    }

    #[test]
    fn an_event_is_read_as_it_was_made() {
        let mut shop = Shop::new(1).unwrap();
        for _ in 0..100 {
            let event = shop.next_event(NOW);
            assert_eq!(event_from_json(&event_body(&event), NOW), Ok(event));
        }
    }

    #[test]
    fn each_request_is_answered_once_or_has_failed() {
        let tally = Tally::default();
        for id in ["a", "b", "c"] {
            tally.ask(id.as_bytes());
        }
        tally.reply(&reply("a", r#"{"items":[]}"#));
        tally.reply(&reply("a", r#"{"items":[]}"#));
        tally.reply(&reply("somebody", r#"{"items":[]}"#));
        tally.reply(&reply("b", r#"{"error":"no"}"#));
        assert_eq!((tally.answered(), tally.failed(), tally.waiting()), (1, 1, 1));
        tally.forget_late(Instant::now() + PATIENCE);
        assert_eq!((tally.answered(), tally.failed(), tally.waiting()), (1, 2, 0));
    }
}
