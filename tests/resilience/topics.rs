//! The topic of events cut from its beginning, or deleted and made anew: said loudly, gone on from where the settings say,
//! everything that is left applied once.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, read_to_string};

use rdkafka::admin::AdminOptions;
use rdkafka::{Offset, TopicPartitionList};
use serde_json::Value;

use crate::cluster::Cluster;
use crate::expected::history;
use crate::harness::Ouzel;
use crate::kafka::{Kafka, record};
use crate::load::{BEGINNING, STREAMED_USERS, event};

/// One topic of events with what was sent to it, and a service that comes and goes.
struct Bench {
    cluster: Cluster,
    kafka: Kafka,
    folder: tempfile::TempDir,
    /// Where each event is: partition and offset.
    places: BTreeMap<u64, (i32, i64)>,
}

impl Bench {
    async fn new() -> Option<Self> {
        let cluster = Cluster::take().await?;
        let kafka = cluster.kafka().await;
        Some(Self { cluster, kafka, folder: tempfile::tempdir().unwrap(), places: BTreeMap::new() })
    }

    fn topic(&self) -> &str {
        &self.kafka.settings.kafka.events_topic
    }

    /// Starts the service with this policy; what it says goes to a file.
    async fn start(&self, policy: &str) -> Ouzel {
        let settings = [("OUZEL__KAFKA__OUT_OF_RANGE", policy), ("OUZEL__SCHEDULE__ON_START", "false")];
        let mut command = self.kafka.command(&self.folder.path().join("data"), &settings);
        command.stderr(File::create(self.log()).unwrap());
        let ouzel = Ouzel::spawn(command).unwrap();
        ouzel.ready().await;
        ouzel
    }

    fn log(&self) -> std::path::PathBuf {
        self.folder.path().join("log")
    }

    fn said(&self) -> String {
        read_to_string(self.log()).unwrap()
    }

    /// Sends these events.
    async fn send(&mut self, events: std::ops::Range<u64>) {
        let producer = self.kafka.producer();
        for n in events.clone() {
            let (user, event) = (n % STREAMED_USERS, event("streamed", n, STREAMED_USERS).to_string());
            producer.send(record(self.topic(), &user.to_string(), event, &[])).await.unwrap();
        }
        let mut topic = self.kafka.follow(self.topic());
        while events.clone().any(|n| !self.places.contains_key(&n)) {
            let record = topic.next("what was sent").await;
            let body: Value = serde_json::from_slice(record.payload.as_deref().unwrap()).unwrap();
            let n = body["timestamp"].as_u64().unwrap() - BEGINNING;
            self.places.insert(n, (record.partition, record.offset));
        }
    }

    /// Lets the broker delete all but the last `keep` records of each partition; the events that are gone.
    async fn cut(&self, keep: i64) -> BTreeSet<u64> {
        let mut ends = BTreeMap::new();
        for &(partition, offset) in self.places.values() {
            let end: &mut i64 = ends.entry(partition).or_default();
            *end = (*end).max(offset + 1);
        }
        let mut list = TopicPartitionList::new();
        for (&partition, end) in &ends {
            list.add_partition_offset(self.topic(), partition, Offset::Offset(end - keep)).unwrap();
        }
        self.cluster.admin().delete_records(&list, &AdminOptions::new()).await.unwrap();
        let gone = |&(_, (partition, offset)): &(&u64, &(i32, i64))| *offset < ends[partition] - keep;
        self.places.iter().filter(gone).map(|(&n, _)| n).collect()
    }

    /// Waits until all of these events are there, once each, and looks for others.
    async fn holds(&self, ouzel: &Ouzel, expected: &BTreeSet<u64>) {
        let all = |state: &Value| (state["events"]["events"] == expected.len()).then_some(());
        ouzel.until("what is left", "/state", all).await;
        for user in 0..STREAMED_USERS {
            let own: Vec<u64> = expected.iter().copied().filter(|n| n % STREAMED_USERS == user).collect();
            assert_eq!(history(ouzel, &format!("streamed-{user}")).await, own);
        }
    }

    /// A figure of the topic of events.
    async fn figure(&self, ouzel: &Ouzel, name: &str) -> f64 {
        ouzel.figures().await[&format!("{name}{{topic=\"{}\"}}", self.topic())]
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_deleted_before_they_were_read_are_said_counted_and_passed_over_as_the_settings_say() {
    let Some(mut bench) = Bench::new().await else { return };
    let mut expected: BTreeSet<u64> = (0..300).collect();
    bench.send(0..300).await;
    let ouzel = bench.start("stop").await;
    bench.holds(&ouzel, &expected).await;
    assert!(ouzel.stop().success());

    // While it is away records come and go.
    bench.send(300..900).await;
    let gone = bench.cut(50).await;
    let lost = gone.iter().filter(|&&n| n >= 300).count() as f64;
    assert!(lost > 300.0, "{lost}");

    // Somebody is to decide: nothing of the topic is read, all else goes on.
    let ouzel = bench.start("stop").await;
    let stopped = |body: &Value| (body["degraded"] == serde_json::json!(["events"])).then_some(());
    ouzel.until("the word on the topic", "/health/ready", stopped).await;
    assert!(bench.said().contains("records are gone before they were read"), "{}", bench.said());
    assert!(bench.said().contains("set kafka.out_of_range"), "{}", bench.said());
    bench.send(900..930).await;
    assert_eq!(ouzel.get("/recommend?user=streamed-1").await.0, 200);
    let (_, state) = ouzel.get("/state").await;
    assert_eq!((&state["kafka"]["events"]["stopped"], &state["events"]["events"]), (&true.into(), &300.into()));
    assert!(ouzel.stop().success());

    // From the earliest that there is.
    let ouzel = bench.start("earliest").await;
    expected.extend((300..930).filter(|n| !gone.contains(n)));
    bench.holds(&ouzel, &expected).await;
    assert!(bench.said().contains("going on from the earliest"), "{}", bench.said());
    assert_eq!(bench.figure(&ouzel, "ouzel_kafka_records_lost_total").await, lost);
    assert_eq!(bench.figure(&ouzel, "ouzel_kafka_offset_resets_total").await, 3.0);
    let (_, state) = ouzel.get("/state").await;
    assert_eq!(state["kafka"]["events"]["lost"], lost as u64);
    assert!(ouzel.stop().success());

    // From the end.
    bench.send(930..1230).await;
    bench.cut(20).await;
    let ouzel = bench.start("latest").await;
    let reset = |state: &Value| (state["kafka"]["events"]["resets"] == 3).then_some(());
    ouzel.until("the word on each partition", "/state", reset).await;
    bench.send(1230..1260).await;
    expected.extend(1230..1260);
    bench.holds(&ouzel, &expected).await;
    assert!(ouzel.stop().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_is_deleted_and_made_anew_is_read_from_its_beginning() {
    let Some(mut bench) = Bench::new().await else { return };
    bench.send(0..600).await;
    let ouzel = bench.start("earliest").await;
    let mut expected: BTreeSet<u64> = (0..600).collect();
    bench.holds(&ouzel, &expected).await;

    let topic = bench.topic().to_owned();
    bench.cluster.delete(&topic).await;
    let missing = |body: &Value| (body["degraded"] == serde_json::json!(["events"])).then_some(());
    ouzel.until("the word on the topic", "/health/ready", missing).await;
    assert_eq!(ouzel.get("/recommend?user=streamed-1").await.0, 200);
    bench.cluster.make(&[topic]).await;
    bench.send(600..700).await;
    expected.extend(600..700);
    bench.holds(&ouzel, &expected).await;
    ouzel
        .until("the end of the word", "/health/ready", |body| (body["degraded"] == serde_json::json!([])).then_some(()))
        .await;
    assert!(bench.said().contains("it was made again"), "{}", bench.said());
    assert!(ouzel.stop().success());

    // It is the new topic's offsets that are stored now.
    let ouzel = bench.start("earliest").await;
    bench.send(700..750).await;
    expected.extend(700..750);
    bench.holds(&ouzel, &expected).await;
    assert_eq!(bench.figure(&ouzel, "ouzel_kafka_offset_resets_total").await, 0.0);
    assert!(ouzel.stop().success());
}
