//! The loop from an event to a list, and over a restart.

use serde_json::{Value, json};

use crate::harness::{Ouzel, command, shop};

fn ids(list: &Value) -> Vec<String> {
    list["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn events_become_a_version_and_lists_and_outlive_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    // A debug build would search for as long as it may.
    let ouzel = Ouzel::start(&data, &[("OUZEL__TRAINING__BUDGET", "5s")]);
    ouzel.ready().await;

    let (status, empty) = ouzel.get("/recommend?user=1").await;
    assert_eq!((status, &empty["model"], ids(&empty).len()), (200, &Value::Null, 0));

    let (status, taken) = ouzel.post("/v1/events", &json!(shop(0, 5000))).await;
    assert_eq!((status, &taken["accepted"]), (200, &json!(5000)), "{taken}");
    let (_, again) = ouzel.post("/v1/events", &json!(shop(0, 5000))).await;
    assert_eq!((&again["accepted"], &again["duplicates"]), (&json!(0), &json!(5000)));

    // Data and no version: the first run starts by itself.
    ouzel.until("the first version", "/state", |state| state["live"]["version"].as_u64()).await;
    let (_, list) = ouzel.get("/recommend?user=21&n=5").await;
    assert_eq!(list["model"]["version"], 1, "{list}");
    assert!(list["items"].as_array().unwrap().iter().all(|item| item["source"] == "personal"), "{list}");
    // User 21 is of the second group, which takes items 25 to 49.
    let group = ids(&list).iter().filter(|id| (25..50).contains(&id.parse::<u32>().unwrap())).count();
    assert!(group >= 4, "{list}");

    // An event, a hidden item: both count from the next request on.
    let (first, second) = (ids(&list)[0].clone(), ids(&list)[1].clone());
    ouzel.post("/v1/events", &json!({ "user": 21, "item": first })).await;
    assert_eq!(ouzel.put(&format!("/v1/items/{second}"), &json!({ "hidden": true })).await.0, 200);
    let (_, next) = ouzel.get("/recommend?user=21&n=100").await;
    assert!(!ids(&next).contains(&first) && !ids(&next).contains(&second), "{next}");

    let (status, scores) = ouzel.post("/v1/score", &json!({ "user": 21, "products": [30, 1, "none"] })).await;
    assert_eq!(status, 200);
    assert_eq!(scores["model"], "ouzel 1");
    assert_eq!(scores["products"][0]["product"], "30");
    assert!(scores["products"][0]["prediction"].as_f64() > scores["products"][1]["prediction"].as_f64());
    assert_eq!(scores["products"][2]["prediction"], Value::Null);

    let (_, user) = ouzel.get("/v1/users/21").await;
    assert!(ouzel.stop().success());
    let ouzel = Ouzel::start(&data, &[]);
    ouzel.ready().await;
    assert_eq!(ouzel.get("/v1/users/21").await.1, user);
    ouzel.until("the version of before", "/state", |state| state["live"]["version"].as_u64()).await;
    let (_, after) = ouzel.get("/recommend?user=21&n=100").await;
    assert_eq!(ids(&after), ids(&next));

    // An erased user is a stranger, also after the next restart.
    let (_, erased) = ouzel.delete("/v1/users/21").await;
    assert_eq!(erased["events"], json!(user["events"].as_array().unwrap().len()));
    ouzel.kill();
    let ouzel = Ouzel::start(&data, &[]);
    ouzel.ready().await;
    assert_eq!(ouzel.get("/v1/users/21").await.1["events"], json!([]));
}

#[tokio::test]
async fn bad_input_names_its_field_and_good_neighbours_are_taken() {
    let folder = tempfile::tempdir().unwrap();
    let ouzel = Ouzel::start(&folder.path().join("data"), &[]);
    ouzel.ready().await;
    for (path, field) in [("/recommend?user=1&n=0", "n"), ("/recommend?user=", "user"), ("/recommend?usr=1", "usr")] {
        let (status, problem) = ouzel.get(path).await;
        assert_eq!((status, problem["field"].as_str()), (400, Some(field)), "{path}: {problem}");
    }
    let events = json!([
        { "user": 1, "item": "a" },
        { "user": 1, "item": "b", "timestamp": "1980-01-01T00:00:00Z" },
        { "user": 1, "item": "c", "timestamp": "2100-01-01T00:00:00Z" },
        { "user": 1, "item": "x".repeat(257) },
    ]);
    let (status, taken) = ouzel.post("/v1/events", &events).await;
    assert_eq!((status, &taken["accepted"]), (200, &json!(1)));
    let rejected: Vec<_> = taken["rejected"].as_array().unwrap().iter().map(|r| r["index"].as_u64().unwrap()).collect();
    assert_eq!(rejected, [1, 2, 3]);
    assert_eq!(ouzel.get("/v1/versions/7").await.0, 404);
    assert_eq!(ouzel.post("/v1/rollback", &json!({})).await.0, 409);
}

#[tokio::test]
async fn a_folder_in_use_and_bad_settings_stop_the_start_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let ouzel = Ouzel::start(&data, &[]);
    let second = command(&data, &[]).output().unwrap();
    let said = String::from_utf8_lossy(&second.stderr);
    assert_eq!(second.status.code(), Some(1), "{said}");
    assert!(said.contains("data") && said.contains("--url"), "{said}");
    drop(ouzel);

    let wrong = [("OUZEL__SERVER__PRT", "1"), ("OUZEL__GATE__MARGIN", "7"), ("OUZEL__TRAINING__SEED", "many")];
    let refused = command(&data, &wrong).output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    for key in ["server.prt", "gate.margin", "training.seed"] {
        assert!(said.contains(key), "{key} is not named in: {said}");
    }
}

#[tokio::test]
async fn the_live_version_is_judged_by_the_events_that_come() {
    let folder = tempfile::tempdir().unwrap();
    let settings = [("OUZEL__TRAINING__CANDIDATES", "popular,ease"), ("OUZEL__SERVING__PREQUENTIAL", "1")];
    let ouzel = Ouzel::start(&folder.path().join("data"), &settings);
    ouzel.ready().await;
    ouzel.post("/v1/events", &json!(shop(0, 4000))).await;
    let version = ouzel.until("the first version", "/state", |state| state["live"]["version"].as_u64()).await;
    assert_eq!(ouzel.get("/state").await.1["prequential"], Value::Null);

    ouzel.post("/v1/events", &json!(shop(4000, 500))).await;
    let state = ouzel.get("/state").await.1;
    let judged = &state["prequential"];
    assert_eq!(judged["version"], version, "{state}");
    // Few of the events are not somebody's first of an item.
    assert!(judged["looked_up"].as_u64().is_some_and(|count| (50..=500).contains(&count)), "{judged}");
    assert!(judged["ndcg@10"]["mean"].as_f64().is_some_and(|mean| mean > 0.05 && mean < 1.0), "{judged}");
    let versions = ouzel.get("/v1/versions").await.1;
    assert_eq!(&versions["versions"][0]["prequential"], judged);

    let run = ouzel.run().await;
    let beside = run["candidates"].as_array().unwrap().iter().find(|row| row["part"] == "prequential").unwrap();
    assert_eq!((&beside["model"], &beside["users"]), (&json!("live"), &judged["window"]));
    let mean = |row: &Value| row["ndcg@10"]["mean"].as_f64().unwrap();
    assert!((mean(&beside["metrics"]) - mean(judged)).abs() < 1e-9, "{beside}");
}
