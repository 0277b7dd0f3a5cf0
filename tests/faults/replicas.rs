//! Three processes on one Kafka and one store of versions: S3 where `OUZEL_TEST_S3` names a server, else a shared folder.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Ouzel, PATIENCE, in_bucket, shop};
use crate::kafka::{Kafka, record};

/// The most that a replica may take from the announcement of a version to its first answer by it.
const SWAP: Duration = Duration::from_secs(1);

/// Where versions go, as settings.
fn artifacts(shared: &Path, kafka: &Kafka) -> Vec<(&'static str, String)> {
    let folder = || vec![("OUZEL__STORAGE__ARTIFACTS", shared.display().to_string())];
    in_bucket(&kafka.settings.kafka.events_topic).map_or_else(folder, Vec::from)
}

struct Shop {
    kafka: Kafka,
    folder: tempfile::TempDir,
    settings: Vec<(&'static str, String)>,
}

impl Shop {
    fn new() -> Self {
        let (kafka, folder) = (Kafka::new(), tempfile::tempdir().unwrap());
        let settings = artifacts(&folder.path().join("versions"), &kafka);
        Self { kafka, folder, settings }
    }

    fn start(&self, name: &str, role: &str, more: &[(&str, &str)]) -> Ouzel {
        let ours = self.settings.iter().map(|(name, value)| (*name, value.as_str()));
        let all: Vec<_> = ours.chain([("OUZEL__SERVER__ROLE", role)]).chain(more.iter().copied()).collect();
        self.kafka.ouzel_with(&self.folder.path().join(name), &all)
    }

    fn serve(&self, name: &str, trainer: &Ouzel) -> Ouzel {
        self.start(name, "serve", &[("OUZEL__SERVER__PRIMARY_URL", &trainer.url)])
    }
}

async fn answers_by(ouzel: &Ouzel, version: u64) {
    let found = |list: &Value| (list["model"]["version"] == version).then_some(());
    ouzel.until(&format!("version {version}"), "/recommend?user=1", found).await;
}

fn history(body: &Value) -> usize {
    body["events"].as_array().map_or(0, Vec::len)
}

#[tokio::test]
async fn one_trains_and_all_answer() {
    let shop_of = Shop::new();
    let trainer = shop_of.start("train", "train", &[]);
    trainer.ready().await;
    let (one, two) = (shop_of.serve("one", &trainer), shop_of.serve("two", &trainer));
    one.ready().await;
    two.ready().await;

    // What one replica is told all know, and it says what became of it as one process would.
    let (status, taken) = one.post("/v1/events", &json!(shop(0, 3000))).await;
    assert_eq!((status, &taken["accepted"]), (200, &json!(3000)), "{taken}");
    let (_, again) = two.post("/v1/events", &json!(shop(2990, 20))).await;
    assert_eq!((&again["accepted"], &again["duplicates"]), (&json!(10), &json!(10)), "{again}");
    for ouzel in [&trainer, &one, &two] {
        let all = |state: &Value| (state["events"]["events"] == 3010).then_some(());
        ouzel.until("all events", "/state", all).await;
    }
    for ouzel in [&trainer, &one, &two] {
        answers_by(ouzel, 1).await;
    }

    // A run asked of a replica is the trainer's; what it makes live answers everywhere within a second of its announcement.
    let mut announced = shop_of.kafka.follow(&shop_of.kafka.settings.kafka.models_topic);
    announced.next("the first announcement").await;
    two.post("/v1/events", &json!(shop(3010, 500))).await;
    let (status, started) = one.post("/v1/runs", &json!({})).await;
    assert_eq!(status, 202, "{started}");
    announced.next("the second announcement").await;
    let begun = Instant::now();
    for ouzel in [&one, &two, &trainer] {
        answers_by(ouzel, 2).await;
    }
    assert!(begun.elapsed() < SWAP, "the swap took {:?}", begun.elapsed());
    let (status, back) = two.post("/v1/rollback", &json!({})).await;
    assert_eq!((status, &back["version"]), (200, &json!(1)), "{back}");
    announced.next("the third announcement").await;
    let begun = Instant::now();
    for ouzel in [&one, &two, &trainer] {
        answers_by(ouzel, 1).await;
    }
    assert!(begun.elapsed() < SWAP, "the rollback took {:?}", begun.elapsed());

    // Item data and erasures reach all.
    assert_eq!(one.put("/v1/items/30", &json!({ "hidden": true })).await.0, 200);
    let had = history(&two.get("/v1/users/21").await.1);
    let (_, erased) = two.delete("/v1/users/21").await;
    assert_eq!(erased["events"], json!(had));
    for ouzel in [&trainer, &one, &two] {
        ouzel.until("the hidden item", "/v1/items/30", |item| (item["hidden"] == true).then_some(())).await;
        ouzel.until("the erasure", "/v1/users/21", |user| (history(user) == 0).then_some(())).await;
    }

    // A late joiner reads the alias first, then all events.
    let late = shop_of.serve("late", &trainer);
    late.ready().await;
    assert_eq!(late.get("/recommend?user=1").await.1["model"]["version"], 1);
    let known = one.get("/v1/users/1").await.1;
    late.until("the history", "/v1/users/1", |user| (*user == known).then_some(())).await;
    late.until("the erasure", "/v1/users/21", |user| (history(user) == 0).then_some(())).await;

    // Without the trainer the others answer and take events in; what is its alone is a clear 503.
    trainer.kill();
    let (status, problem) = one.post("/v1/runs", &json!({})).await;
    assert_eq!((status, problem["status"].as_u64()), (503, Some(503)), "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("role train"), "{problem}");
    assert_eq!(one.post("/v1/events", &json!({ "user": "new", "item": 3 })).await.0, 200);
    two.until("the event", "/v1/users/new", |user| (history(user) == 1).then_some(())).await;
    assert_eq!(two.get("/recommend?user=new").await.0, 200);
    assert_eq!(two.get("/v1/versions").await.0, 200);
}

#[tokio::test]
async fn requests_spread_over_the_processes() {
    let shop_of = Shop::new();
    let trainer = shop_of.start("train", "train", &[]);
    trainer.ready().await;
    let others = [shop_of.serve("one", &trainer), shop_of.serve("two", &trainer)];
    for ouzel in &others {
        ouzel.ready().await;
    }
    trainer.post("/v1/events", &json!(shop(0, 3000))).await;
    for ouzel in others.iter().chain([&trainer]) {
        answers_by(ouzel, 1).await;
    }
    // Each of the real broker's partitions is read by one process, however many there are of both.
    let begun = Instant::now();
    let partitions = loop {
        let mut held = Vec::new();
        for ouzel in others.iter().chain([&trainer]) {
            let state = ouzel.get("/state").await.1;
            let partitions = state["kafka"]["requests"]["partitions"].as_array().cloned().unwrap_or_default();
            held.push(partitions.iter().map(|p| p["partition"].as_i64().unwrap()).collect::<BTreeSet<_>>());
        }
        let all: BTreeSet<_> = held.iter().flatten().copied().collect();
        let apart = held.iter().map(BTreeSet::len).sum::<usize>() == all.len();
        let spread = held.iter().filter(|partitions| !partitions.is_empty()).count() == all.len().min(3);
        if !all.is_empty() && apart && spread {
            break all;
        }
        assert!(begun.elapsed() < PATIENCE, "the partitions are not spread: {held:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let (names, producer) = (&shop_of.kafka.settings.kafka, shop_of.kafka.producer());
    for n in 0..60 {
        let ask = json!({ "user": n, "n": 3 }).to_string();
        producer.send(record(&names.requests_topic, &n.to_string(), ask, &[])).await.unwrap();
    }
    let mut replies = shop_of.kafka.follow(&names.replies_topic);
    let mut places = BTreeSet::new();
    while places.len() < 60 {
        places.insert(replies.next("a reply").await.header("correlation-id").unwrap().to_vec());
    }
    let mut counts = Vec::new();
    for ouzel in others.iter().chain([&trainer]) {
        counts.push(ouzel.get("/state").await.1["usage"].as_u64().unwrap());
    }
    assert!(counts.iter().filter(|&&count| count > 0).count() >= partitions.len().min(3), "{counts:?}");
}

#[tokio::test]
async fn a_process_without_a_way_to_the_trainer_says_so() {
    let shop_of = Shop::new();
    let alone = shop_of.start("alone", "serve", &[]);
    // No version yet: it answers, and is ready.
    alone.ready().await;
    assert_eq!(alone.get("/recommend?user=1").await.0, 200);
    for path in ["/v1/runs", "/v1/rollback", "/v1/versions/1/promote"] {
        let (status, problem) = alone.post(path, &json!({})).await;
        assert_eq!(status, 503, "{path}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains("server.primary_url"), "{problem}");
    }
    assert_eq!(alone.get("/v1/schedule").await.0, 503);
}
