//! Replicas that join and leave the group of requests, cleanly and not, while requests come in.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::asking::Asking;
use crate::cluster::Cluster;
use crate::harness::{Ouzel, shop};
use crate::kafka::Kafka;
use crate::load::request;
use crate::{rounds, tell};

/// Between two requests.
const PACE: Duration = Duration::from_millis(20);

struct Shop {
    kafka: Arc<Kafka>,
    folder: tempfile::TempDir,
}

impl Shop {
    fn start(&self, name: &str, role: &str, primary: &str) -> Ouzel {
        let versions = self.folder.path().join("versions");
        let settings = [
            ("OUZEL__SERVER__ROLE", role),
            ("OUZEL__SERVER__PRIMARY_URL", primary),
            ("OUZEL__STORAGE__ARTIFACTS", versions.to_str().unwrap()),
            ("OUZEL__TRAINING__BUDGET", "1s"),
        ];
        self.kafka.ouzel_with(&self.folder.path().join(name), &settings)
    }
}

/// Sends requests until it is told to stop; how many.
async fn send(kafka: Arc<Kafka>, stop: Arc<AtomicBool>) -> u64 {
    let producer = kafka.producer();
    let mut sent = 0;
    while !stop.load(Ordering::Relaxed) {
        producer.send(request(&kafka, &sent.to_string())).await.unwrap();
        sent += 1;
        tokio::time::sleep(PACE).await;
    }
    sent
}

/// Waits until one of the three partitions of requests is this process's.
async fn has_its_part(ouzel: &Ouzel) {
    let held = |state: &Value| {
        let partitions = state["kafka"]["requests"]["partitions"].as_array()?;
        (!partitions.is_empty()).then_some(())
    };
    ouzel.until("its part of the requests", "/state", held).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_that_come_and_go_leave_no_request_unanswered() {
    let Some(cluster) = Cluster::take().await else { return };
    let shop_of = Shop { kafka: Arc::new(cluster.kafka().await), folder: tempfile::tempdir().unwrap() };
    let trainer = shop_of.start("train", "train", "");
    trainer.ready().await;
    let taken = trainer.post("/v1/events", &json!(shop(0, 1000))).await.1;
    assert_eq!(taken["accepted"], 1000, "{taken}");
    trainer.until("a version", "/state", |state| state["live"]["version"].as_u64()).await;
    let asking = Asking::begin(&trainer, 1, PACE);

    let stop = Arc::new(AtomicBool::new(false));
    let sending = tokio::spawn(send(shop_of.kafka.clone(), stop.clone()));
    has_its_part(&trainer).await;
    let rounds = rounds("OUZEL_TEST_REBALANCES", 1);
    for _ in 0..rounds {
        let (one, two) = (shop_of.start("one", "serve", &trainer.url), shop_of.start("two", "serve", &trainer.url));
        has_its_part(&one).await;
        has_its_part(&two).await;
        // One gives its part back, the other leaves it to the end of its session.
        assert!(one.stop().success());
        two.kill();
        let three = shop_of.start("one", "serve", &trainer.url);
        has_its_part(&three).await;
        assert!(three.stop().success());
    }
    stop.store(true, Ordering::Relaxed);
    let sent = sending.await.unwrap();

    let mut topic = shop_of.kafka.follow(&shop_of.kafka.settings.kafka.replies_topic);
    let mut missing: BTreeSet<String> = (0..sent).map(|n| n.to_string()).collect();
    let mut replies = 0;
    while !missing.is_empty() {
        let reply = topic.next("a reply to every request").await;
        replies += 1;
        missing.remove(std::str::from_utf8(reply.header("correlation-id").unwrap()).unwrap());
    }
    let none = |state: &Value| (state["kafka"]["requests"]["lag"] == 0).then_some(());
    trainer.until("an end of the lag", "/state", none).await;
    let asked = asking.end().await;
    assert!(trainer.stop().success());
    tell(&format!(
        "{rounds} rounds of replicas that came and went: {sent} requests, {replies} replies, {asked} answers"
    ));
}
