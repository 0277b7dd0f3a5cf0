//! A service at work on a cluster: events, requests and callers, all counted.

use std::time::Duration;

use serde_json::{Value, json};

use crate::asking::Asking;
use crate::harness::Ouzel;
use crate::kafka::Kafka;
use crate::tell;
use crate::trial::Trial;

/// Between two questions of a caller.
const EVERY: Duration = Duration::from_millis(10);

pub struct Stage {
    trial: Trial,
    pub ouzel: Ouzel,
    asking: Asking,
}

impl Stage {
    /// Starts the service, and callers once a version answers.
    pub async fn begin(kafka: Kafka, settings: &[(&str, &str)]) -> Self {
        Self::of(Trial::on(kafka), settings).await
    }

    /// The same of a trial that was begun.
    pub async fn of(trial: Trial, settings: &[(&str, &str)]) -> Self {
        let ouzel = trial.start(settings).expect("it starts");
        ouzel.until("a version", "/state", |state| state["live"]["version"].as_u64()).await;
        let asking = Asking::begin(&ouzel, 2, EVERY);
        Self { trial, ouzel, asking }
    }

    /// Waits until so many more events came over Kafka, and a tenth of as many requests were answered.
    pub async fn goes_on(&self, events: u32) {
        let before = self.ouzel.figures().await;
        let figures = [
            ("ouzel_events_total{source=\"kafka\"}", f64::from(events)),
            ("ouzel_kafka_requests_answered_total", f64::from(events / 10)),
        ];
        for (name, more) in figures {
            let wanted = before[name] + more;
            self.ouzel.until_figure(name, |count| count >= wanted).await;
        }
    }

    /// Waits until the service says that these parts of it are missing, ready all the same.
    pub async fn degraded(&self, parts: &[&str]) {
        let said = |body: &Value| (body["ready"] == true && body["degraded"] == json!(parts)).then_some(());
        self.ouzel.until(&format!("the word that {parts:?} are missing"), "/health/ready", said).await;
    }

    /// Compares what is there with what was sent.
    pub async fn end(self, what: &str) {
        self.degraded(&[]).await;
        let asked = self.asking.end().await;
        assert!(self.ouzel.stop().success());
        tell(&format!("{what}: {asked} answers"));
        self.trial.end(what).await;
    }
}
