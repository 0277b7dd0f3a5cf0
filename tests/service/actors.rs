//! A panic in any actor: answers go on, the actor is rebuilt, nothing acknowledged is lost.

use serde_json::json;

use crate::harness::{Ouzel, actor_of, command, shop};

/// Starts with one panic at a fail point to come.
fn with_panic(folder: &tempfile::TempDir, point: &str) -> Ouzel {
    let fault = format!("{point}=1*panic(on purpose)->off");
    let settings = [("FAILPOINTS", fault.as_str()), ("OUZEL__TRAINING__CANDIDATES", "popular,ease")];
    Ouzel::start(&folder.path().join("data"), &settings)
}

async fn rebuilt(ouzel: &Ouzel, actor: &str) {
    let once = |state: &serde_json::Value| (actor_of(state, actor)? == (1, "running".to_owned())).then_some(());
    ouzel.until(&format!("the rebuilt {actor}"), "/state", once).await;
    let (_, state) = ouzel.get("/state").await;
    let error = state["actors"].as_array().unwrap().iter().find(|a| a["name"] == actor).unwrap()["last_error"].clone();
    assert!(error.as_str().unwrap().contains("on purpose"), "{error}");
    assert_eq!(ouzel.get("/recommend?user=1").await.0, 200);
}

/// Events are sent until they are taken, as a sender would after a 503.
async fn send(ouzel: &Ouzel, from: u64, count: u64) {
    let body = json!(shop(from, count));
    let mut status = 0;
    for _ in 0..200 {
        status = ouzel.post("/v1/events", &body).await.0;
        if status == 200 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    panic!("events were not taken, last with {status}");
}

#[tokio::test]
async fn an_ingestor_that_panics_between_disk_and_memory_loses_and_repeats_nothing() {
    for point in ["ingestor.handle", "ingestor.before_append", "ingestor.after_append", "ingestor.between_records"] {
        let folder = tempfile::tempdir().unwrap();
        let ouzel = with_panic(&folder, point);
        ouzel.ready().await;
        send(&ouzel, 0, 300).await;
        rebuilt(&ouzel, "ingestor").await;
        send(&ouzel, 300, 100).await;
        let (_, state) = ouzel.get("/state").await;
        assert_eq!(state["events"]["events"], 400, "after a panic at {point}: {}", state["events"]);
    }
}

#[tokio::test]
async fn a_trainer_that_panics_is_rebuilt_and_trains() {
    let folder = tempfile::tempdir().unwrap();
    let ouzel = with_panic(&folder, "trainer.start");
    ouzel.ready().await;
    send(&ouzel, 0, 2000).await;
    rebuilt(&ouzel, "trainer").await;
    assert_eq!(ouzel.run().await["status"], "succeeded");
}

#[tokio::test]
async fn training_that_panics_is_a_failed_run_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let ouzel = with_panic(&folder, "job.train");
    ouzel.ready().await;
    send(&ouzel, 0, 2000).await;
    let failed = |runs: &serde_json::Value| (runs["runs"][0]["status"] == "failed").then_some(());
    ouzel.until("the failed run", "/v1/runs", failed).await;
    assert_eq!(ouzel.actor("trainer").await, (0, "running".to_owned()));
    assert_eq!(ouzel.run().await["status"], "succeeded");
}

#[tokio::test]
async fn a_registry_and_a_serving_actor_that_panic_leave_the_live_version_answering() {
    for (point, actor) in
        [("registry.handle", "registry"), ("registry.after_write", "registry"), ("serving.activate", "serving")]
    {
        let folder = tempfile::tempdir().unwrap();
        let ouzel = with_panic(&folder, point);
        ouzel.ready().await;
        send(&ouzel, 0, 2000).await;
        rebuilt(&ouzel, actor).await;
        let run = ouzel.run().await;
        assert_eq!(run["status"], "succeeded", "after a panic at {point}: {run}");
        let (_, list) = ouzel.get("/recommend?user=1").await;
        assert_eq!(list["model"]["version"], run["version"]);
    }
}

#[tokio::test]
async fn an_actor_that_keeps_crashing_ends_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let settings = [
        ("FAILPOINTS", "ingestor.handle=panic(always)"),
        ("OUZEL__OVERSEER__MAX_RESTARTS", "3"),
        ("OUZEL__OVERSEER__BACKOFF_MAX", "20ms"),
    ];
    let log = folder.path().join("log");
    let mut command = command(&folder.path().join("data"), &settings);
    command.stderr(std::fs::File::create(&log).unwrap());
    assert_eq!(Ouzel::spawn(command).unwrap().ended().code(), Some(1));
    let said = std::fs::read_to_string(log).unwrap();
    let last = said.lines().last().unwrap();
    assert!(last.starts_with("ouzel: ingestor ended 4 times within ten minutes, last by: panic: always"), "{last}");
}
