//! Producers and callers that go on while the service is killed, and what was acknowledged to them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::harness::Ouzel;
use crate::kafka::{Kafka, record};

/// Between two sends.
const PACE: Duration = Duration::from_millis(20);

/// Users whose events come over Kafka.
pub const STREAMED_USERS: u64 = 40;
/// Users whose events come over HTTP.
pub const POSTED_USERS: u64 = 10;

/// The time of event number 0, in seconds of the epoch; the others follow by the second, so that a time names its event.
pub const BEGINNING: u64 = 1_750_000_000;

/// Events in each send.
const AT_ONCE: u64 = 10;

/// How much was sent and acknowledged; event and request `n` are the same in each run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// Events that Kafka has.
    pub streamed: u64,
    /// Requests that Kafka has.
    pub requests: u64,
    /// Events that the service acknowledged over HTTP.
    pub posted: u64,
}

/// The senders at work.
pub struct Load {
    stop: Arc<AtomicBool>,
    url: watch::Sender<String>,
    streaming: JoinHandle<(u64, u64)>,
    posting: JoinHandle<u64>,
}

impl Load {
    /// Begins to send: events and requests over Kafka, events over HTTP once [`Self::at`] says where.
    pub fn start(kafka: &Arc<Kafka>) -> Self {
        // The senders' HTTP client is made before the first service is started.
        ouzel::cli::choose_tls();
        let stop = Arc::new(AtomicBool::new(false));
        let (url, known) = watch::channel(String::new());
        let streaming = tokio::spawn(stream(kafka.clone(), stop.clone()));
        let posting = tokio::spawn(post(known, stop.clone()));
        Self { stop, url, streaming, posting }
    }

    /// The service is here now.
    pub fn at(&self, ouzel: &Ouzel) {
        self.url.send_replace(ouzel.url.clone());
    }

    /// Ends it once everything in flight is acknowledged, for which the service must run.
    pub async fn stop(self) -> Sent {
        self.stop.store(true, Ordering::Relaxed);
        let (streamed, requests) = self.streaming.await.unwrap();
        Sent { streamed, requests, posted: self.posting.await.unwrap() }
    }
}

/// Event number `n` of those that come this way.
pub fn event(way: &str, n: u64, users: u64) -> Value {
    json!({ "user": format!("{way}-{}", n % users), "item": n % 97, "timestamp": BEGINNING + n })
}

async fn stream(kafka: Arc<Kafka>, stop: Arc<AtomicBool>) -> (u64, u64) {
    let (producer, names) = (kafka.producer(), &kafka.settings.kafka);
    let (mut sent, mut requests) = (0, 0);
    let mut pace = tokio::time::interval(PACE);
    while !stop.load(Ordering::Relaxed) {
        pace.tick().await;
        let deliveries = (sent..sent + AT_ONCE).map(|n| {
            let key = (n % STREAMED_USERS).to_string();
            let event = event("streamed", n, STREAMED_USERS).to_string();
            producer.send(record(&names.events_topic, &key, event, &[]))
        });
        for delivery in join_all(deliveries).await {
            delivery.unwrap();
        }
        sent += AT_ONCE;
        let id = requests.to_string();
        producer.send(request(&kafka, &id)).await.unwrap();
        requests += 1;
    }
    (sent, requests)
}

/// A request for a list, to be known by its reply's `correlation-id`.
pub fn request(kafka: &Kafka, id: &str) -> ouzel::kafka::producer::OutRecord {
    let body = json!({ "user": "streamed-1", "n": 3 }).to_string();
    record(&kafka.settings.kafka.requests_topic, id, body, &[("correlation-id", id)])
}

/// Each batch is sent until it is acknowledged, as one would whose service is away: its events have ids.
async fn post(mut url: watch::Receiver<String>, stop: Arc<AtomicBool>) -> u64 {
    let http = reqwest::Client::builder().timeout(Duration::from_secs(20)).build().unwrap();
    let mut sent = 0;
    let mut pace = tokio::time::interval(PACE);
    url.changed().await.unwrap();
    while !stop.load(Ordering::Relaxed) {
        pace.tick().await;
        let batch: Vec<Value> = (sent..sent + AT_ONCE)
            .map(|n| {
                let mut event = event("posted", n, POSTED_USERS);
                event["id"] = json!(format!("posted-{n}"));
                event
            })
            .collect();
        loop {
            let place = format!("{}/v1/events", *url.borrow_and_update());
            match http.post(place).json(&batch).send().await {
                Ok(answer) if answer.status() == 200 => break,
                // Too much waits, or the disk is full.
                Ok(answer) => assert!([503, 507].contains(&answer.status().as_u16()), "{}", answer.status()),
                // Killed, or not there yet.
                Err(_) => {}
            }
            tokio::time::timeout(PACE, url.changed()).await.ok();
        }
        sent += AT_ONCE;
    }
    sent
}
