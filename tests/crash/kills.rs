//! `kill -9` at every fail point and at random, while events and requests come in: nothing lost, nothing twice, every
//! request answered, and always a good version.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::expected::{all_answered, all_applied, log_is_whole, none_answered_again, versions_are_whole};
use crate::harness::Ouzel;
use crate::kafka::Kafka;
use crate::load::Load;
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

/// Seals and trains every second or two.
const BUSY: [(&str, &str); 3] = [
    ("OUZEL__STORAGE__SEAL_EVENTS", "500"),
    ("OUZEL__SCHEDULE__EVERY_EVENTS", "800"),
    ("OUZEL__TRAINING__BUDGET", "1s"),
];

/// A service under load that is killed again and again.
struct Killed {
    kafka: Arc<Kafka>,
    folder: tempfile::TempDir,
    load: Load,
    kills: u32,
}

impl Killed {
    fn new() -> Self {
        let kafka = Arc::new(Kafka::new());
        let load = Load::start(&kafka);
        Self { kafka, folder: tempfile::tempdir().unwrap(), load, kills: 0 }
    }

    fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    fn start(&self, data: &Path, more: &[(&str, &str)]) -> Option<Ouzel> {
        let settings: Vec<_> = BUSY.iter().chain(more).copied().collect();
        let started = Ouzel::spawn(self.kafka.command(data, &settings));
        match started {
            Ok(ouzel) => {
                self.load.at(&ouzel);
                Some(ouzel)
            }
            // Killed before it listened.
            Err(status) => {
                assert_eq!(status.signal(), Some(9), "it refuses to start");
                None
            }
        }
    }

    /// Runs it until it is killed at a fail point.
    async fn at_point(&mut self, point: &str, passes: u32) {
        let skipped = if passes > 0 { format!("{passes}*off->") } else { String::new() };
        let fault = format!("{point}={skipped}panic(kill)");
        if let Some(ouzel) = self.start(&self.data(), &[("FAILPOINTS", &fault)]) {
            let status = ouzel.died().await;
            assert_eq!(status.signal(), Some(9), "at {fault}");
        }
        versions_are_whole(&self.data()).await;
        self.kills += 1;
    }

    /// Runs it for so long.
    async fn after(&mut self, time: Duration) {
        let ouzel = self.start(&self.data(), &[]).expect("it starts");
        tokio::time::sleep(time).await;
        ouzel.kill();
        versions_are_whole(&self.data()).await;
        self.kills += 1;
    }

    /// Runs it undisturbed and holds what is there against what was sent.
    async fn check(self) {
        let data = self.data();
        let ouzel = self.start(&data, &[]).expect("it starts");
        ouzel.ready().await;
        let sent = self.load.stop().await;
        all_applied(&ouzel, sent).await;
        let replies = all_answered(&self.kafka, sent).await;
        ouzel.until("a live version", "/state", |state| state["live"]["version"].as_u64()).await;
        assert!(ouzel.stop().success());
        versions_are_whole(&data).await;
        log_is_whole(&data, sent);

        let ouzel = self.kafka.ouzel(&data);
        ouzel.ready().await;
        none_answered_again(&self.kafka, sent, replies).await;
        all_applied(&ouzel, sent).await;
        assert!(ouzel.stop().success());
        tell(&format!("{} kills: {sent:?}, {replies} replies", self.kills));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_at_any_fail_point_loses_nothing_and_repeats_nothing() {
    let mut killed = Killed::new();
    for _ in 0..rounds("OUZEL_TEST_POINTS", 1) {
        for &(point, passes) in POINTS {
            killed.at_point(point, passes).await;
        }
    }
    killed.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_at_random_lose_nothing_and_repeat_nothing() {
    let mut killed = Killed::new();
    let mut random = u64::from(std::process::id());
    tell(&format!("the kills' seed is {random}"));
    for _ in 0..rounds("OUZEL_TEST_KILLS", 5) {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        killed.after(Duration::from_millis(50 + (random >> 33) % 1500)).await;
    }
    killed.check().await;
}
