//! A broker with topics of a test's own, and clients of it.
#![allow(dead_code, reason = "each test target uses its own part of it")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use ouzel::kafka::broker::BrokerState;
use ouzel::kafka::embedded::EmbeddedBroker;
use ouzel::kafka::events;
use ouzel::kafka::producer::{OutRecord, Producer};
use ouzel::kafka::record::{Record, RecordBatch};
use ouzel::model::clock::Clock;
use ouzel::settings::{Settings, load};
use tokio::sync::mpsc;

use crate::harness::{Ouzel, command};

static TESTS: AtomicU32 = AtomicU32::new(0);

/// A broker and the names of one test's topics.
pub struct Kafka {
    pub embedded: Option<EmbeddedBroker>,
    pub settings: Settings,
    environment: BTreeMap<String, String>,
}

impl Kafka {
    /// Topics nobody else uses, on the real broker where there is one.
    pub fn new() -> Self {
        let real = std::env::var("OUZEL_TEST_KAFKA").ok();
        assert!(real.is_some() || std::env::var("CI").is_err(), "CI runs with a real Kafka: set OUZEL_TEST_KAFKA");
        Self::on(real)
    }

    /// An embedded broker of the test's own, which it may take down.
    pub fn embedded() -> Self {
        Self::on(None)
    }

    /// Topics nobody else uses, on these brokers, else on an embedded one.
    pub fn on(real: Option<String>) -> Self {
        let run = format!("{}-{}", std::process::id(), TESTS.fetch_add(1, Ordering::Relaxed));
        let topic = |name: &str| format!("{name}-{run}");
        let topics = ["events", "mdata", "recommendations", "models", "versions", "events.dlq", "mdata.dlq"];
        let names: Vec<String> = topics
            .map(|name| name.strip_suffix(".dlq").map_or_else(|| topic(name), |name| topic(name) + ".dlq"))
            .into();
        let embedded = real.is_none().then(|| {
            let topics: Vec<(&str, i32)> = names.iter().map(|name| (name.as_str(), 3)).collect();
            EmbeddedBroker::start(&topics).unwrap()
        });
        let brokers = embedded.as_ref().map_or_else(|| real.unwrap_or_default(), |broker| broker.brokers().to_owned());
        let environment: BTreeMap<String, String> = [
            ("OUZEL__KAFKA__BROKERS", brokers),
            ("OUZEL__KAFKA__EVENTS_TOPIC", topic("events")),
            ("OUZEL__KAFKA__REQUESTS_TOPIC", topic("mdata")),
            ("OUZEL__KAFKA__REPLIES_TOPIC", topic("recommendations")),
            ("OUZEL__KAFKA__MODELS_TOPIC", topic("models")),
            ("OUZEL__KAFKA__REQUESTS_GROUP", topic("ouzel")),
            // A killed process leaves its partitions only when its session is over.
            ("OUZEL__KAFKA__OPTIONS__SESSION_TIMEOUT_MS", "6000".to_owned()),
            ("OUZEL__TRAINING__CANDIDATES", "popular,ease".to_owned()),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
        let settings = load(None, &environment).unwrap().settings;
        Self { embedded, settings, environment }
    }

    /// The same, with one more setting of every service.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The same, but services reach the brokers at these addresses.
    pub fn through(self, brokers: &str) -> Self {
        self.with("OUZEL__KAFKA__BROKERS", brokers)
    }

    /// Starts the service on these topics.
    pub fn ouzel(&self, data: &Path) -> Ouzel {
        self.ouzel_with(data, &[])
    }

    /// Starts the service on these topics with more settings.
    pub fn ouzel_with(&self, data: &Path, more: &[(&str, &str)]) -> Ouzel {
        Ouzel::spawn(self.command(data, more)).expect("it starts")
    }

    /// The service on these topics, not started.
    pub fn command(&self, data: &Path, more: &[(&str, &str)]) -> Command {
        let ours = self.environment.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let settings: Vec<(&str, &str)> = ours.chain(more.iter().copied()).collect();
        command(data, &settings)
    }

    pub fn producer(&self) -> Producer {
        Producer::new(&self.settings.kafka, &BrokerState::new(Clock::System)).unwrap()
    }

    /// Everything in a topic, from its beginning.
    pub fn follow(&self, topic: &str) -> Follower {
        let mut kafka = self.settings.kafka.clone();
        kafka.events_topic = topic.to_owned();
        let (stream, batches) = events::follow(&kafka, &[], &BrokerState::new(Clock::System)).unwrap();
        Follower { batches, _stream: stream, waiting: Vec::new() }
    }
}

/// A reader of one topic.
pub struct Follower {
    batches: mpsc::Receiver<RecordBatch>,
    _stream: ouzel::kafka::StreamHandle,
    waiting: Vec<Record>,
}

impl Follower {
    /// The next record, within the patience of tests.
    pub async fn next(&mut self, what: &str) -> Record {
        while self.waiting.is_empty() {
            let batch = tokio::time::timeout(crate::harness::PATIENCE, self.batches.recv()).await;
            let batch = batch.unwrap_or_else(|_| panic!("{what} did not come")).expect("the stream goes on");
            self.waiting = batch.records;
            self.waiting.reverse();
        }
        self.waiting.pop().unwrap()
    }
}

/// A record to be sent.
pub fn record(topic: &str, key: &str, value: impl Into<Vec<u8>>, headers: &[(&str, &str)]) -> OutRecord {
    OutRecord {
        topic: Arc::from(topic),
        key: Some(key.as_bytes().to_vec()),
        payload: Some(value.into()),
        headers: headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect(),
    }
}
