//! The streams against a broker: the embedded one, or the real one that `OUZEL_TEST_KAFKA` names.

mod away;
mod dead_letters;
mod events;
mod outlet;
mod producer;
mod requests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use tokio::sync::mpsc::Receiver;
use tokio::time::timeout;

use super::broker::BrokerState;
use super::embedded::EmbeddedBroker;
use super::producer::{OutRecord, Producer};
use super::record::{Record, RecordBatch};
use crate::model::clock::Clock;
use crate::settings::{Kafka, Secret};

/// Far longer than anything here takes: a bound for a broken build, not a measure.
const LONG: Duration = Duration::from_secs(60);

/// The settings' defaults, for these brokers.
pub(super) fn settings(brokers: &str) -> Kafka {
    let mut tables: toml::Table = include_str!("../../../config/default.toml").parse().unwrap();
    let mut kafka: Kafka = tables.remove("kafka").unwrap().try_into().unwrap();
    kafka.brokers = brokers.to_owned();
    kafka
}

/// A broker with topics of this test alone.
struct Bench {
    kafka: Kafka,
    broker: BrokerState,
    embedded: Option<EmbeddedBroker>,
    unique: String,
}

impl Bench {
    /// The real broker where there is one, else the embedded one; topics with `partitions` each.
    async fn new(partitions: i32) -> Self {
        let bench = match std::env::var("OUZEL_TEST_KAFKA") {
            Ok(brokers) if !brokers.is_empty() => Self::with(&brokers, None),
            _ => Self::embedded(),
        };
        bench.make(&bench.kafka.events_topic, partitions).await;
        bench.make(&bench.kafka.requests_topic, partitions).await;
        bench.make(&bench.kafka.models_topic, 1).await;
        bench
    }

    fn embedded() -> Self {
        let embedded = EmbeddedBroker::start(&[]).unwrap();
        let brokers = embedded.brokers().to_owned();
        Self::with(&brokers, Some(embedded))
    }

    fn with(brokers: &str, embedded: Option<EmbeddedBroker>) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        // Only the first test of a process starts the log.
        let log = tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_default_env());
        drop(log.with_test_writer().try_init());
        let unique = format!("{}-{}", Clock::System.now_ms(), COUNT.fetch_add(1, Ordering::Relaxed));
        let mut kafka = settings(brokers);
        for name in
            [&mut kafka.events_topic, &mut kafka.requests_topic, &mut kafka.models_topic, &mut kafka.requests_group]
        {
            *name = format!("{name}-{unique}");
        }
        // A rebalance takes about as long as the session. The embedded broker lets nobody in whose session is shorter
        // than its first wait of 3 s; a real broker allows no less than 6 s.
        let session = if embedded.is_some() { "4000" } else { "6000" };
        for (key, value) in [
            ("session.timeout.ms", session),
            ("heartbeat.interval.ms", "200"),
            // What was asked of a broker that went away is given up after this long, and a stopping client waits for it.
            ("socket.timeout.ms", "10000"),
            ("statistics.interval.ms", "100"),
            ("topic.metadata.refresh.interval.ms", "500"),
        ] {
            kafka.options.insert(key.to_owned(), Secret::new(value));
        }
        Self { kafka, broker: BrokerState::new(Clock::System), embedded, unique }
    }

    fn real(&self) -> bool {
        self.embedded.is_none()
    }

    fn fake(&self) -> &EmbeddedBroker {
        self.embedded.as_ref().unwrap()
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        rdkafka::ClientConfig::new().set("bootstrap.servers", &self.kafka.brokers).create().unwrap()
    }

    async fn make(&self, topic: &str, partitions: i32) {
        match &self.embedded {
            Some(embedded) => embedded.create_topic(topic, partitions).unwrap(),
            None => {
                let new = [NewTopic::new(topic, partitions, TopicReplication::Fixed(1))];
                let made = self.admin().create_topics(&new, &AdminOptions::new()).await.unwrap();
                assert!(made[0].is_ok(), "{made:?}");
            }
        }
    }

    fn producer(&self) -> Producer {
        Producer::new(&self.kafka, &self.broker).unwrap()
    }

    /// Sends records `from..to` to a topic, keyed by number so that they spread, with the number as value.
    async fn send(&self, topic: &str, numbers: std::ops::Range<u32>) {
        let producer = self.producer();
        let sent = numbers.map(|number| {
            let text = number.to_string().into_bytes();
            producer.send(OutRecord {
                topic: Arc::from(topic),
                key: Some(text.clone()),
                payload: Some(text),
                headers: Vec::new(),
            })
        });
        for sent in futures_util::future::join_all(sent).await {
            sent.unwrap();
        }
    }
}

/// The number that [`Bench::send`] put into a record.
fn number(record: &Record) -> u32 {
    str::from_utf8(record.payload.as_ref().unwrap()).unwrap().parse().unwrap()
}

/// The next batch.
async fn next(batches: &mut Receiver<RecordBatch>) -> RecordBatch {
    timeout(LONG, batches.recv()).await.expect("a batch in time").expect("the stream goes on")
}

/// Batches until so many records are there.
async fn read(batches: &mut Receiver<RecordBatch>, records: usize) -> Vec<Record> {
    let mut read = Vec::new();
    while read.len() < records {
        read.extend(next(batches).await.records);
    }
    read
}

/// Waits until a condition holds.
async fn until(what: &str, holds: impl Fn() -> bool) {
    let mut look = tokio::time::interval(Duration::from_millis(10));
    let held = timeout(LONG, async {
        while !holds() {
            look.tick().await;
        }
    });
    assert!(held.await.is_ok(), "{what}");
}

/// Numbers of records, sorted.
fn numbers(records: &[Record]) -> Vec<u32> {
    let mut numbers: Vec<u32> = records.iter().map(number).collect();
    numbers.sort_unstable();
    numbers
}

/// Asserts that each partition's records follow each other without a gap.
fn assert_in_order(records: &[Record]) {
    let mut next = std::collections::BTreeMap::new();
    for record in records {
        let expected = next.entry(record.partition).or_insert(record.offset);
        assert_eq!(record.offset, *expected, "partition {}", record.partition);
        *expected += 1;
    }
}
