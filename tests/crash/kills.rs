//! `kill -9` at every fail point and at random, while events and requests come in: nothing lost, nothing twice, every
//! request answered, and always a good version.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use serde_json::Value;

use crate::expected::versions_are_whole;
use crate::trial::Trial;
use crate::{rounds, tell};

/// Each place at which the process is killed, with how often it is passed before. fjall writes and syncs in one call, so that
/// there is none between the two; what a kill there can leave is what `log.after_commit` leaves, or a torn record.
const POINTS: &[(&str, u32)] = &[
    // An event's way to the disk, with its offsets, and into memory.
    ("ingestor.before_append", 7),
    ("log.before_commit", 5),
    ("log.after_commit", 5),
    ("ingestor.after_append", 7),
    ("ingestor.between_records", 33),
    // The tail into a segment.
    ("segment.before_sync", 0),
    ("segment.after_sync", 0),
    ("segment.before_list", 1),
    ("folder.before_rename", 0),
    ("segment.after_list", 0),
    ("log.opening", 0),
    ("segment.after_drop", 1),
    // A run, a version, the alias, the swap.
    ("trainer.start", 0),
    ("job.train", 0),
    ("artifacts.before_rename", 0),
    ("artifacts.before_rename", 1),
    ("artifacts.before_rename", 2),
    ("artifacts.before_rename", 3),
    ("artifacts.before_rename", 4),
    ("versions.after_file", 0),
    ("versions.before_manifest", 0),
    ("versions.after_manifest", 0),
    ("registry.after_write", 0),
    ("registry.before_alias", 0),
    ("registry.after_alias", 0),
    ("serving.activate", 0),
    ("serving.activate", 1),
    ("serving.activated", 1),
    // A request's way: answered, reported, committed.
    ("responder.reply", 3),
    ("responder.before_offsets", 1),
    ("requests.before_commit", 0),
    ("requests.after_commit", 0),
];

/// Runs it until it is killed at a fail point.
async fn kill_at(trial: &Trial, point: &str, passes: u32) {
    let skipped = if passes > 0 { format!("{passes}*off->") } else { String::new() };
    let fault = format!("{point}={skipped}panic(kill)");
    if let Some(ouzel) = trial.start(&[("FAILPOINTS", &fault)]) {
        let status = ouzel.died().await;
        assert_eq!(status.signal(), Some(9), "at {fault} it ended with {status}");
    }
    versions_are_whole(&trial.data()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_at_any_fail_point_loses_nothing_and_repeats_nothing() {
    let (trial, rounds) = (Trial::begin(), rounds("OUZEL_TEST_POINTS", 1));
    for _ in 0..rounds {
        for &(point, passes) in POINTS {
            kill_at(&trial, point, passes).await;
        }
    }
    trial.end(&format!("{rounds} kills at each of {} places", POINTS.len())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_at_random_lose_nothing_and_repeat_nothing() {
    let (trial, kills) = (Trial::begin(), rounds("OUZEL_TEST_KILLS", 5));
    let mut random = u64::from(std::process::id());
    tell(&format!("the kills' seed is {random}"));
    for kill in 0..kills {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let ouzel = trial.start(&[]).expect("it starts");
        if kill % 4 == 3 {
            // A killed process keeps its part of the requests until its session is over: most kills come before that.
            let held = |state: &Value| state["kafka"]["requests"]["partitions"].as_array()?.first().map(|_| ());
            ouzel.until("its part of the requests", "/state", held).await;
        }
        // Not a wait for anything: a moment drawn by lot.
        tokio::time::sleep(Duration::from_millis(50 + (random >> 33) % 1500)).await;
        ouzel.kill();
        versions_are_whole(&trial.data()).await;
    }
    trial.end(&format!("{kills} kills at random")).await;
}
