//! `kill -9` at each step of taking an erased user out of the files: the folder opens whole, the live version answers on, the
//! rewriting is taken up again, and in the end nothing is left.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use ouzel::store::log::verify;
use serde_json::{Value, json};

use crate::expected::versions_are_whole;
use crate::harness::{Ouzel, command};
use crate::traces_of::{SMALL_SHOP, events, files_with};
use crate::{rounds, tell};

/// Each place at which the process is killed, with how often it is passed before.
const POINTS: &[(&str, u32)] = &[
    ("eraser.pass", 0),
    ("erase.begin", 0),
    // The tail is sealed without them.
    ("segment.before_list", 0),
    ("segment.after_list", 0),
    ("segment.after_drop", 0),
    // A segment is replaced.
    ("segment.after_sync", 1),
    ("erase.after_segment", 0),
    ("folder.before_rename", 1),
    ("erase.after_list", 0),
    // fjall is made to let go.
    ("scrub.begin", 0),
    ("scrub.filled", 0),
    ("scrub.written_out", 0),
    ("scrub.done", 0),
    // The versions, one after the other.
    ("forget.after_file", 0),
    ("forget.after_file", 1),
    ("forget.before_manifest", 0),
    ("forget.after_manifest", 0),
    ("forget.after_manifest", 1),
    ("artifacts.before_rename", 3),
    ("forget.before_sweep", 0),
    // All is done, and the log does not know it yet.
    ("erase.before_note", 0),
];

/// Passes begin half a second after an erasure.
const SOON: (&str, &str) = ("OUZEL__STORAGE__ERASE_WITHIN", "1s");

/// Passes begin when somebody waits for one.
const LATE: (&str, &str) = ("OUZEL__STORAGE__ERASE_WITHIN", "24h");

fn start(data: &Path, more: &[(&str, &str)]) -> Ouzel {
    spawn(data, more).expect("it starts")
}

fn spawn(data: &Path, more: &[(&str, &str)]) -> Result<Ouzel, ExitStatus> {
    let all: Vec<_> = SMALL_SHOP.into_iter().chain(more.iter().copied()).collect();
    Ouzel::spawn(command(data, &all))
}

/// A shop with `user` in a segment, in the tail and in two versions.
async fn fill(ouzel: &Ouzel, round: u64, user: &str) {
    ouzel.ready().await;
    let from = round * 300;
    for (from, to) in [(from, from + 160), (from + 160, from + 200)] {
        assert_eq!(ouzel.post("/v1/events", &events(from, to, user)).await.0, 200);
        let run = ouzel.run().await;
        assert_eq!(run["status"], "succeeded", "{run}");
    }
}

/// Answers by the live version until nothing waits.
async fn answers_until_done(ouzel: &Ouzel, live: &Value) {
    ouzel.until("the live version", "/state", |state| state["live"]["version"].as_u64()).await;
    loop {
        let (status, list) = ouzel.get("/recommend?user=user-3&n=5&include_seen=true").await;
        assert_eq!((status, &list["model"]["version"]), (200, live), "{list}");
        assert_eq!(list["items"].as_array().unwrap().len(), 5, "{list}");
        if ouzel.get("/state").await.1["erasures"]["waiting"] == 0 {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_at_any_step_of_an_erasure_leaves_a_whole_folder_and_in_the_end_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let rounds = u64::from(rounds("OUZEL_TEST_ERASURES", 1));
    let mut round = 0;
    for &(point, passes) in POINTS.iter().cycle().take(POINTS.len() * usize::try_from(rounds).unwrap()) {
        let user = format!("somebody-{round}-to-be-forgotten");
        let ouzel = start(&data, &[LATE]);
        fill(&ouzel, round, &user).await;
        let live = ouzel.get("/state").await.1["live"]["version"].take();
        assert_eq!(ouzel.delete(&format!("/v1/users/{user}")).await.0, 200);
        assert!(ouzel.stop().success());
        assert!(files_with(&data, &user).len() >= 3);

        let skipped = if passes > 0 { format!("{passes}*off->") } else { String::new() };
        let fault = format!("{point}={skipped}panic(kill)");
        // It may die before it listens.
        let status = match spawn(&data, &[SOON, ("FAILPOINTS", &fault)]) {
            Ok(ouzel) => ouzel.died().await,
            Err(status) => status,
        };
        assert_eq!(status.signal(), Some(9), "at {fault} it ended with {status}");
        versions_are_whole(&data).await;

        let ouzel = start(&data, &[SOON]);
        ouzel.ready().await;
        answers_until_done(&ouzel, &live).await;
        assert_eq!(files_with(&data, &user), Vec::<PathBuf>::new(), "after a kill at {fault}");
        assert_eq!(ouzel.get(&format!("/v1/users/{user}")).await.1["events"], json!([]));
        assert!(ouzel.stop().success());
        let report = verify(&data).unwrap();
        assert_eq!(report.findings, [], "after a kill at {fault}");
        versions_are_whole(&data).await;
        round += 1;
    }
    tell(&format!("{round} erasures killed at {} places, and not a byte left", POINTS.len()));
}
