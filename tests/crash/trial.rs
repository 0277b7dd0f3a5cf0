//! A service under load, whatever is done to it, and the comparison of what is there at the end with what was sent.

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::expected::{
    all_answered, all_applied, log_is_whole, none_answered_again, nothing_waits, versions_are_whole,
};
use crate::harness::Ouzel;
use crate::kafka::Kafka;
use crate::load::Load;
use crate::tell;

/// Seals and trains every second or two.
const BUSY: [(&str, &str); 3] = [
    ("OUZEL__STORAGE__SEAL_EVENTS", "500"),
    ("OUZEL__SCHEDULE__EVERY_EVENTS", "800"),
    ("OUZEL__TRAINING__BUDGET", "1s"),
];

/// Topics and a folder with senders at work; services come and go on them.
pub struct Trial {
    kafka: Arc<Kafka>,
    folder: tempfile::TempDir,
    load: Load,
}

impl Trial {
    pub fn begin() -> Self {
        Self::on(Kafka::new())
    }

    /// The same on brokers of the test's own choice.
    pub fn on(kafka: Kafka) -> Self {
        Self::within(kafka, tempfile::tempdir().unwrap())
    }

    /// The same in a folder of the test's own choice.
    pub fn within(kafka: Kafka, folder: tempfile::TempDir) -> Self {
        let kafka = Arc::new(kafka);
        let load = Load::start(&kafka);
        Self { kafka, folder, load }
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Starts the service; none where a fail point killed it before it listened.
    pub fn start(&self, more: &[(&str, &str)]) -> Option<Ouzel> {
        let settings: Vec<_> = BUSY.iter().chain(more).copied().collect();
        match Ouzel::spawn(self.kafka.command(&self.data(), &settings)) {
            Ok(ouzel) => {
                self.load.at(&ouzel);
                Some(ouzel)
            }
            Err(status) => {
                assert_eq!(status.signal(), Some(9), "it refuses to start: {status}");
                None
            }
        }
    }

    /// Runs the service undisturbed and holds what is there against what was sent.
    pub async fn end(self, what: &str) {
        let ouzel = self.start(&[]).expect("it starts");
        ouzel.ready().await;
        let sent = self.load.stop().await;
        all_applied(&ouzel, sent).await;
        let answered = all_answered(&self.kafka, sent).await;
        nothing_waits(&ouzel).await;
        ouzel.until("a live version", "/state", |state| state["live"]["version"].as_u64()).await;
        assert!(ouzel.stop().success());
        let data = self.folder.path().join("data");
        versions_are_whole(&data).await;
        log_is_whole(&data, sent);

        let ouzel = self.kafka.ouzel(&data);
        ouzel.ready().await;
        none_answered_again(&self.kafka, sent, answered).await;
        all_applied(&ouzel, sent).await;
        assert!(ouzel.stop().success());
        tell(&format!("{what}: {sent:?}, {answered:?}"));
    }
}
