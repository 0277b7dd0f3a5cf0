//! What `/metrics` tells of what was done.

use serde_json::{Value, json};

use crate::harness::{Ouzel, shop};

#[tokio::test]
async fn what_was_taken_in_trained_and_swapped_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let settings = [("OUZEL__TRAINING__CANDIDATES", "popular,ease"), ("OUZEL__SERVING__PREQUENTIAL", "1")];
    let ouzel = Ouzel::start(&folder.path().join("data"), &settings);
    ouzel.ready().await;
    let before = ouzel.figures().await;
    let none = [
        "ouzel_events_total{source=\"http\"}",
        "ouzel_runs_total{status=\"failed\"}",
        "ouzel_gate_verdicts_total{verdict=\"refused\"}",
        "ouzel_actor_refusals_total{actor=\"ingestor\"}",
        "ouzel_swap_duration_seconds_count{step=\"swap\"}",
    ];
    for name in none {
        assert_eq!(before.get(name), Some(&0.0), "{name} is there from the start");
    }
    assert!(!before.keys().any(|name| name.starts_with("kafka") || name.contains("data_age")));

    let mut events = shop(0, 3000);
    events.push(json!({ "user": 1 }));
    events.push(events[0].clone());
    assert_eq!(ouzel.post("/v1/events", &json!(events)).await.0, 200);
    assert_eq!(ouzel.post("/v1/events", &json!({ "user": 1 })).await.0, 400);
    ouzel.until_figure("ouzel_runs_total{status=\"succeeded\"}", |count| count == 1.0).await;
    assert_eq!(ouzel.post("/v1/events", &json!(shop(3000, 300))).await.0, 200);
    let figures = ouzel.figures().await;
    let told = |name: &str| *figures.get(name).unwrap_or_else(|| panic!("no {name} in {figures:#?}"));
    assert_eq!(told("ouzel_events_total{source=\"http\"}"), 3300.0);
    assert_eq!(told("ouzel_event_duplicates_total{source=\"http\"}"), 1.0);
    assert_eq!(told("ouzel_events_rejected_total{source=\"http\",reason=\"missing_field\"}"), 2.0);
    assert_eq!(told("ouzel_event_visible_seconds_count"), 3300.0);
    assert_eq!(told("ouzel_runs_total{status=\"succeeded\"}"), 1.0);
    assert_eq!(told("ouzel_run_duration_seconds_count"), 1.0);
    assert!(told("ouzel_run_duration_seconds_sum") > 0.0);
    assert_eq!(told("ouzel_gate_verdicts_total{verdict=\"passed\"}"), 1.0);
    for step in ["load", "bind", "swap"] {
        assert_eq!(told(&format!("ouzel_swap_duration_seconds_count{{step=\"{step}\"}}")), 1.0);
    }
    for part in ["histories", "catalogue", "model"] {
        assert!(told(&format!("ouzel_memory_bytes{{part=\"{part}\"}}")) > 1000.0);
    }
    let (_, state) = ouzel.get("/state").await;
    let age = state["live"]["data_age_seconds"].as_f64().unwrap();
    assert!(age > 0.0 && (told("ouzel_model_data_age_seconds") - age).abs() < 60.0);
    assert!(told("ouzel_model_data_age_at_swap_seconds") <= age);
    assert!(told("ouzel_version_lookups_total{version=\"1\"}") > 0.0);
    for figure in ["hr@10", "ndcg@10"] {
        let live = told(&format!("ouzel_prequential{{figure=\"{figure}\"}}"));
        assert_eq!(told(&format!("ouzel_version_prequential{{version=\"1\",figure=\"{figure}\"}}")), live);
    }
}

#[tokio::test]
async fn what_is_turned_away_is_counted_at_the_actor_that_turns_it_away() {
    let folder = tempfile::tempdir().unwrap();
    let settings = [("OUZEL__INGEST__QUEUE", "1"), ("FAILPOINTS", "ingestor.before_append=sleep(300)")];
    let ouzel = Ouzel::start(&folder.path().join("data"), &settings);
    ouzel.ready().await;
    let (ouzel, event) = (&ouzel, json!({ "user": 1, "item": "a" }));
    let sent = (0..8).map(|_| ouzel.post("/v1/events", &event));
    let answers: Vec<(u16, Value)> = futures_util::future::join_all(sent).await;
    let refused = answers.iter().filter(|(status, _)| *status == 503).count();
    assert!(refused > 0, "{answers:?}");
    let told = ouzel.figures().await["ouzel_actor_refusals_total{actor=\"ingestor\"}"];
    assert_eq!(told, refused as f64);
}

#[tokio::test]
async fn a_run_that_broke_and_a_restart_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let faults = "job.train=1*panic(on purpose)->off;trainer.start=1*off->1*panic(on purpose)->off";
    let settings = [("FAILPOINTS", faults), ("OUZEL__TRAINING__CANDIDATES", "popular")];
    let ouzel = Ouzel::start(&folder.path().join("data"), &settings);
    ouzel.ready().await;
    assert_eq!(ouzel.post("/v1/events", &json!(shop(0, 500))).await.0, 200);
    let failed = |runs: &Value| (runs["runs"][0]["status"] == "failed").then_some(());
    ouzel.until("the failed run", "/v1/runs", failed).await;
    // The trainer breaks over this call; the next one starts a run by itself, since there is no version.
    assert_eq!(ouzel.post("/v1/runs", &json!({})).await.0, 503);
    ouzel.until_figure("ouzel_actor_restarts_total{actor=\"trainer\"}", |count| count == 1.0).await;
    ouzel.until_figure("ouzel_runs_total{status=\"succeeded\"}", |count| count == 1.0).await;
    let figures = ouzel.figures().await;
    assert_eq!(figures["ouzel_runs_total{status=\"failed\"}"], 1.0);
    assert_eq!(figures["ouzel_run_duration_seconds_count"], 2.0);
    // Nothing was fitted in the one that broke.
    assert_eq!(figures["ouzel_gate_verdicts_total{verdict=\"passed\"}"], 1.0);
}
