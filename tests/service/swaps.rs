//! A swap nobody feels.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::{Value, json};

use crate::harness::{Ouzel, shop};

/// Asks without pause until told to stop; answers how many answers came, all whole and from one version.
async fn ask(url: String, client: u64, stop: Arc<AtomicBool>, asked: Arc<AtomicU64>) {
    let http = reqwest::Client::new();
    let mut number = client;
    while !stop.load(Ordering::Relaxed) {
        number = (number + 7) % 400;
        let response = http.get(format!("{url}/recommend?user={number}&n=10")).send().await.unwrap();
        assert_eq!(response.status(), 200);
        let list: Value = response.json().await.unwrap();
        let version = list["model"]["version"].as_u64().unwrap();
        let id = list["recommendation_id"].as_str().unwrap();
        assert!(id.starts_with(&format!("{version}-")), "{list}");
        assert_eq!(list["items"].as_array().unwrap().len(), 10, "{list}");
        asked.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_over_five_runs_promotions_and_rollbacks() {
    let folder = tempfile::tempdir().unwrap();
    let ouzel = Ouzel::start(&folder.path().join("data"), &[("OUZEL__TRAINING__CANDIDATES", "popular,ease")]);
    ouzel.ready().await;
    ouzel.post("/v1/events", &json!(shop(0, 4000))).await;
    ouzel.until("the first version", "/state", |state| state["live"]["version"].as_u64()).await;

    let (stop, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let clients: Vec<_> =
        (0..4).map(|n| tokio::spawn(ask(ouzel.url.clone(), n, stop.clone(), asked.clone()))).collect();
    for round in 0..5_u64 {
        ouzel.post("/v1/events", &json!(shop(4000 + round * 500, 500))).await;
        let run = ouzel.run().await;
        assert_eq!(run["status"], "succeeded", "{run}");
        assert_eq!(run["version"], round + 2);
        let (status, back) = ouzel.post("/v1/rollback", &json!({})).await;
        assert_eq!((status, &back["version"]), (200, &json!(round + 1)), "{back}");
        assert_eq!(ouzel.get("/recommend?user=1").await.1["model"]["version"], round + 1);
        let (status, _) = ouzel.post(&format!("/v1/versions/{}/promote", round + 2), &json!({})).await;
        assert_eq!(status, 200);
        assert_eq!(ouzel.get("/recommend?user=1").await.1["model"]["version"], round + 2);
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    assert!(asked.load(Ordering::Relaxed) > 100, "the clients hardly asked: {asked:?}");
}
