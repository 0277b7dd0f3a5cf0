//! Events by Kafka: how soon a list follows one, and how fast a topic is taken in beside a consumer that does nothing.
//! The broker is the one that `OUZEL_TEST_KAFKA` names.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{ClientConfig, Message as _, Offset, TopicPartitionList};
use serde_json::json;

use super::Bench;
use super::cases::SHOP_10K;
use super::common::median;
use super::service::Service;

/// Events that are taken in.
const TOPIC: u64 = 1_000_000;

/// Events a second beside which lists are looked at.
const RATE: u64 = 5_000;

/// Lists that are looked at.
const LISTS: u64 = 300;

struct Kafka {
    brokers: String,
    /// A topic that no one used before.
    topic: String,
}

impl Kafka {
    /// None, and a line in the table, where no broker is named.
    fn named(bench: &Bench, case: &str, goal: &str) -> anyhow::Result<Option<Self>> {
        let Ok(brokers) = std::env::var("OUZEL_TEST_KAFKA") else {
            bench.tell(case, "not measured", goal, "OUZEL_TEST_KAFKA names no broker")?;
            return Ok(None);
        };
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_millis();
        Ok(Some(Self { brokers, topic: format!("bench-events-{now}") }))
    }

    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers);
        config
    }

    fn producer(&self) -> anyhow::Result<BaseProducer> {
        let mut config = self.client();
        config.set("linger.ms", "1").set("queue.buffering.max.messages", "2000000");
        config.create().context("no producer")
    }

    fn send(&self, producer: &BaseProducer, user: &str, item: &str) -> anyhow::Result<()> {
        let event = json!({ "user": user, "item": item, "type": "purchase" }).to_string();
        producer.send(BaseRecord::to(&self.topic).key(user).payload(&event)).map_err(|(error, _)| error)?;
        producer.poll(Duration::ZERO);
        Ok(())
    }

    fn settings(&self) -> [(&str, &str); 2] {
        [("OUZEL__KAFKA__BROKERS", &self.brokers), ("OUZEL__KAFKA__EVENTS_TOPIC", &self.topic)]
    }

    /// Seconds in which a consumer that only counts has read the whole topic.
    fn read_bare(&self) -> anyhow::Result<f64> {
        let mut config = self.client();
        config.set("group.id", "bench").set("enable.auto.commit", "false");
        let consumer: BaseConsumer = config.create()?;
        let metadata = consumer.fetch_metadata(Some(&self.topic), Duration::from_secs(10))?;
        let mut all = TopicPartitionList::new();
        for partition in metadata.topics().iter().flat_map(|topic| topic.partitions()) {
            all.add_partition_offset(&self.topic, partition.id(), Offset::Beginning)?;
        }
        let begun = Instant::now();
        consumer.assign(&all)?;
        let (mut records, mut bytes) = (0, 0);
        while records < TOPIC {
            let record = consumer.poll(Duration::from_secs(10)).context("the topic ended early")??;
            records += 1;
            bytes += record.payload().map_or(0, <[u8]>::len);
        }
        ensure!(bytes > 0, "the records were empty");
        Ok(begun.elapsed().as_secs_f64())
    }
}

/// A whole topic into an empty folder, durable and visible, beside a consumer that does nothing with it.
pub fn intake(bench: &Bench) -> anyhow::Result<()> {
    let (case, goal) = ("Kafka to durable state", ">= 0.60 of a bare consumer");
    let Some(kafka) = Kafka::named(bench, case, goal)? else { return Ok(()) };
    let producer = kafka.producer()?;
    for event in 0..TOPIC {
        kafka.send(&producer, &format!("u{}", event * 7919 % 100_000), &format!("i{}", event * 104_729 % 20_000))?;
    }
    producer.flush(Duration::from_secs(120))?;
    let (mut ratios, mut told) = (Vec::new(), (0.0, 0.0));
    for _ in 0..bench.rounds {
        let bare = kafka.read_bare()?;
        let folder = bench.folder.join("intake");
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        let begun = Instant::now();
        let service = Service::start(&bench.binary, &folder, &kafka.settings())?;
        while service.get("/state")?.1["events"]["events"].as_u64() != Some(TOPIC) {
            ensure!(begun.elapsed() < Duration::from_secs(300), "the topic was not taken in within 300 s");
            std::thread::sleep(Duration::from_millis(5));
        }
        let ours = begun.elapsed().as_secs_f64();
        drop(service);
        std::fs::remove_dir_all(&folder)?;
        ratios.push(bare / ours);
        told = (TOPIC as f64 / ours, TOPIC as f64 / bare);
    }
    let told = format!("{:.0} events/s, the process's start with it; bare {:.0}/s", told.0, told.1);
    bench.tell(case, &format!("{:.2}", median(ratios)), goal, &told)
}

/// From an event's sending to a list without what was bought, others sending meanwhile.
pub fn lists(bench: &Bench) -> anyhow::Result<()> {
    let (case, goal) = ("event in Kafka to changed list, p99 at 5,000 events/s", "<= 50 ms");
    let Some(kafka) = Kafka::named(bench, case, goal)? else { return Ok(()) };
    // What comes by Kafka stays in the folder: each time it is another one.
    let shop = SHOP_10K.folder(&bench.binary, &bench.folder, 1)?;
    let folder = bench.folder.join("stream");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    copy(&shop, &folder)?;
    let service = Service::start(&bench.binary, &folder, &kafka.settings())?;
    let over = AtomicBool::new(false);
    let latencies = std::thread::scope(|scope| {
        let load = scope.spawn(|| {
            let producer = kafka.producer()?;
            let begun = Instant::now();
            let mut sent = 0_u64;
            while !over.load(Ordering::Relaxed) {
                let due = begun.elapsed().as_millis() as u64 * RATE / 1000;
                while sent < due {
                    // The users of the other half.
                    let user = format!("u{}", 10_000 + sent * 7919 % 10_000);
                    kafka.send(&producer, &user, &format!("i{}", sent * 104_729 % 10_000))?;
                    sent += 1;
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            producer.flush(Duration::from_secs(30))?;
            anyhow::Ok(())
        });
        let producer = kafka.producer()?;
        std::thread::sleep(Duration::from_secs(2));
        let latencies: anyhow::Result<Vec<f64>> =
            (0..LISTS).map(|event| one_list(&kafka, &producer, &service, event)).collect();
        over.store(true, Ordering::Relaxed);
        load.join().map_err(|_| anyhow::anyhow!("the load panicked"))??;
        latencies
    });
    let mut latencies = latencies?;
    drop(service);
    std::fs::remove_dir_all(&folder)?;
    latencies.sort_by(f64::total_cmp);
    let p99 = latencies[(latencies.len() - 1) * 99 / 100];
    bench.tell(case, &format!("{p99:.2} ms"), goal, &format!("median {:.2} ms, {LISTS} events", median(latencies)))
}

/// Milliseconds from the sending of a purchase of a user's first item to a list without it.
fn one_list(kafka: &Kafka, producer: &BaseProducer, service: &Service, event: u64) -> anyhow::Result<f64> {
    let user = format!("u{}", event * 31 % 10_000);
    let path = format!("/recommend?user={user}&n=1");
    let first = service.get(&path)?.1["items"][0]["id"].clone();
    let item = first.as_str().context("nothing was recommended")?;
    let begun = Instant::now();
    kafka.send(producer, &user, item)?;
    while service.get(&path)?.1["items"][0]["id"] == first {
        producer.poll(Duration::ZERO);
        ensure!(begun.elapsed() < Duration::from_secs(10), "the event changed nothing within 10 s");
    }
    Ok(begun.elapsed().as_secs_f64() * 1e3)
}

fn copy(from: &std::path::Path, to: &std::path::Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to)?;
        } else {
            std::fs::copy(entry.path(), &to)?;
        }
    }
    Ok(())
}
