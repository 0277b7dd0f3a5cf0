//! Each actor panics again and again under load: answers go on, what was sent is there once, the restarts are counted right.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::asking::Asking;
use crate::harness::{Ouzel, PATIENCE};
use crate::trial::Trial;
use crate::{rounds, tell};

/// Restarts without end, at once.
const PATIENT: [(&str, &str); 3] = [
    ("OUZEL__OVERSEER__MAX_RESTARTS", "0"),
    ("OUZEL__OVERSEER__BACKOFF_MIN", "1ms"),
    ("OUZEL__OVERSEER__BACKOFF_MAX", "2ms"),
];

/// Each actor, where it panics, how often of a hundred times, and the call that takes it there where the load does not.
const ACTORS: &[(&str, &str, u32, Option<&str>)] = &[
    ("ingestor", "ingestor.handle", 20, None),
    ("reader", "reader.take_in", 20, None),
    ("responder", "responder.reply", 20, None),
    ("trainer", "trainer.start", 100, Some("/v1/runs")),
    ("registry", "registry.handle", 50, Some("/v1/rollback")),
    ("serving", "serving.activate", 50, Some("/v1/rollback")),
];

/// Waits until the actor was restarted as often as it panics, calling what makes it panic.
async fn restarted(ouzel: &Ouzel, actor: &str, times: u64, call: Option<&str>) {
    let (mut restarts, mut seen) = (0, Instant::now());
    while restarts < times {
        if let Some(path) = call {
            let (status, answer) = ouzel.post(path, &json!({})).await;
            assert!([200, 202, 503].contains(&status), "{status} {answer}");
        }
        let (now, _) = ouzel.actor(actor).await;
        if now > restarts {
            (restarts, seen) = (now, Instant::now());
        }
        assert!(seen.elapsed() < PATIENCE, "the {actor} was restarted {restarts} times of {times}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    ouzel
        .until("the last restart", "/state", |state| {
            let actor = crate::harness::actor_of(state, actor)?;
            (actor == (times, "running".to_owned())).then_some(())
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn actors_that_panic_under_load_cost_no_answer_and_no_event() {
    let times = u64::from(rounds("OUZEL_TEST_PANICS", 20));
    for &(actor, point, percent, call) in ACTORS {
        let trial = Trial::begin();
        let ouzel = trial.start(&[]).expect("it starts");
        ouzel.until("two versions", "/state", |state| (state["live"]["version"].as_u64()? >= 2).then_some(())).await;
        assert!(ouzel.stop().success());

        let fault = format!("{point}={percent}%{times}*panic(on purpose)->off");
        let settings: Vec<_> = PATIENT.iter().copied().chain([("FAILPOINTS", fault.as_str())]).collect();
        let ouzel = trial.start(&settings).expect("it starts");
        ouzel.ready().await;
        let asking = Asking::begin(&ouzel, 2, Duration::ZERO);
        restarted(&ouzel, actor, times, call).await;
        let asked = asking.end().await;
        assert!(asked > times, "{asked} answers beside {times} panics");
        assert!(ouzel.stop().success());
        tell(&format!("the {actor} panicked {times} times beside {asked} answers"));
        trial.end(actor).await;
    }
}
