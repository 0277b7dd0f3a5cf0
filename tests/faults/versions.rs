//! The topic that tells what happens to versions.

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use serde_json::{Value, json};

use crate::alerts::chance;
use crate::harness::{Ouzel, shop};
use crate::kafka::{Follower, Kafka};

/// The topic's name beside the test's others.
fn topic(kafka: &Kafka) -> String {
    kafka.settings.kafka.models_topic.replace("models", "versions")
}

/// The next record, as far as it does not depend on chance; with its figures and its id.
async fn next(told: &mut Follower, what: &str) -> (Value, Value, String) {
    let record = told.next(what).await;
    assert_eq!(record.key.as_deref(), Some(b"recommender".as_slice()));
    assert_eq!(record.header("content-type"), Some(b"application/json".as_slice()));
    let mut body: Value = serde_json::from_slice(record.payload.as_deref().unwrap()).unwrap();
    let fields = body.as_object_mut().unwrap();
    let (figures, id) = (fields.remove("figures").unwrap(), fields.remove("id").unwrap());
    assert!(fields.remove("time_ms").unwrap().as_i64().unwrap() > 1_700_000_000_000);
    (body, figures, id.as_str().unwrap().to_owned())
}

#[tokio::test]
async fn what_happens_to_versions_is_told_in_order_and_with_who_did_it() {
    let kafka = Kafka::new();
    let topic = topic(&kafka);
    let folder = tempfile::tempdir().unwrap();
    let settings = [("OUZEL__KAFKA__VERSIONS_TOPIC", topic.as_str()), ("OUZEL__AUTH__KEYS", "admin:open-sesame")];
    let key = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static("Bearer open-sesame"))]);
    ouzel::cli::choose_tls();
    let http = reqwest::Client::builder().default_headers(key).build().unwrap();
    let ouzel = Ouzel::spawn_for(kafka.command(&folder.path().join("data"), &settings), http).unwrap();
    ouzel.ready().await;
    assert_eq!(ouzel.post("/v1/events", &json!(shop(0, 3000))).await.0, 200);
    ouzel.until("the first version", "/state", |state| state["live"]["version"].as_u64()).await;
    assert_eq!(ouzel.run().await["version"], 2);
    assert_eq!(ouzel.post("/v1/rollback", &json!({})).await.0, 200);
    assert_eq!(ouzel.post("/v1/versions/2/promote", &json!({})).await.0, 200);
    // What changes nothing is not told.
    assert_eq!(ouzel.post("/v1/versions/9/promote", &json!({})).await.0, 404);

    let runs = ouzel.get("/v1/runs").await.1["runs"].clone();
    let mut told = kafka.follow(&topic);
    let mut ids = Vec::new();
    for (what, version, previous, by) in [
        ("published", 1, json!(null), json!({ "run": runs[1]["id"], "trigger": "start" })),
        ("published", 2, json!(1), json!({ "run": runs[0]["id"], "trigger": "manual" })),
        ("rolled_back", 1, json!(2), json!(null)),
        ("promoted", 2, json!(1), json!(null)),
    ] {
        let (mut body, figures, id) = next(&mut told, what).await;
        let shown = ouzel.get(&format!("/v1/versions/{version}")).await.1;
        if by.is_null() {
            let caller = body["by"]["caller"].as_str().unwrap();
            assert!(caller.len() == 8 && caller.bytes().all(|digit| digit.is_ascii_hexdigit()), "{body}");
            assert!(!body["by"]["request_id"].as_str().unwrap().is_empty(), "{body}");
            body["by"] = json!(null);
        }
        let expected = json!({
            "what": what, "version": version, "previous": previous, "kind": shown["kind"],
            "events": shown["data"]["events"], "by": by, "gate": shown["gate"],
        });
        assert_eq!(body, expected);
        let judged = figures.as_array().unwrap();
        assert!(judged.iter().any(|figures| figures["chosen"] == true && figures["part"] == "holdout"), "{figures}");
        assert!(judged.iter().all(|figures| figures["part"] == "holdout"), "{figures}");
        ids.push(id);
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4);
    // Both topics: four live versions on that of models, four records here.
    ouzel.until_figure("ouzel_version_records_total{outcome=\"delivered\"}", |figure| figure == 8.0).await;
    assert_eq!(ouzel.figures().await["ouzel_version_records_total{outcome=\"lost\"}"], 0.0);
}

#[tokio::test]
async fn a_refusal_is_told_with_the_gates_reasons_and_figures() {
    let kafka = Kafka::new();
    let topic = topic(&kafka);
    let folder = tempfile::tempdir().unwrap();
    let settings = [
        ("OUZEL__KAFKA__VERSIONS_TOPIC", topic.as_str()),
        ("OUZEL__TRAINING__CANDIDATES", "item-knn"),
        ("OUZEL__TRAINING__TRIALS", "1"),
        ("OUZEL__SCHEDULE__ON_START", "false"),
    ];
    let ouzel = kafka.ouzel_with(&folder.path().join("data"), &settings);
    ouzel.ready().await;
    assert_eq!(ouzel.post("/v1/events", &json!(chance())).await.0, 200);
    let run = ouzel.run().await;
    assert_eq!(run["status"], "refused", "{run}");
    let (body, figures, _) = next(&mut kafka.follow(&topic), "the refusal").await;
    let expected = json!({
        "what": "refused", "version": null, "previous": null, "kind": "item-knn", "events": 3000,
        "by": { "run": run["id"], "trigger": "manual" }, "gate": run["gate"], "error": run["error"],
    });
    assert_eq!(body, expected);
    assert!(body["error"].as_str().unwrap().contains("worse by"), "{body}");
    let models: Vec<&str> =
        figures.as_array().unwrap().iter().map(|figures| figures["model"].as_str().unwrap()).collect();
    assert!(models.contains(&"item-knn") && models.contains(&"popular"), "{models:?}");
}
