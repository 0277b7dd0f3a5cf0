//! Checks from this machine, without a running service.

use std::time::Duration;

use super::places::{self, reach};
use super::{Finding, Verdict, clock};
use crate::http::tls::Identity;
use crate::kafka::check::missing_topics;
use crate::settings::Settings;
use crate::store::log::{LogError, verify};

/// How long Kafka may take to answer.
const ANSWER: Duration = Duration::from_secs(10);

/// Everything that can be told from here. The settings were read, so they are good.
pub(super) fn findings(settings: &Settings, now_ms: i64) -> Vec<Finding> {
    let mut findings = vec![
        Finding::new("settings", Verdict::Good, "read and checked; `ouzel config` shows them"),
        clock::own(now_ms, &settings.storage.data_dir),
    ];
    findings.extend(tls(settings));
    findings.extend(places::findings(settings, now_ms));
    findings.extend(log(settings));
    if settings.kafka.brokers.is_empty() {
        findings.push(Finding::new("kafka.brokers", Verdict::Good, "no Kafka: events come by REST and import"));
    }
    for broker in settings.kafka.brokers.split(',').map(str::trim).filter(|broker| !broker.is_empty()) {
        let has_port = !broker.ends_with(']') && broker.contains(':');
        let address = if has_port { broker.to_owned() } else { format!("{broker}:9092") };
        findings.push(reach("kafka.brokers", &address, "start the broker, or correct the address"));
    }
    let reached = |finding: &Finding| finding.part == "kafka.brokers" && finding.verdict == Verdict::Good;
    if !settings.kafka.brokers.is_empty() && findings.iter().any(reached) {
        findings.push(ask_kafka(settings));
    }
    findings
}

/// Whether Kafka lets this user in, and has the topics.
fn ask_kafka(settings: &Settings) -> Finding {
    const PART: &str = "kafka";
    match missing_topics(&settings.kafka, ANSWER) {
        Ok(missing) if missing.is_empty() => Finding::new(PART, Verdict::Good, "lets this user in and has all topics"),
        Ok(missing) => {
            let text = format!(
                "lets this user in and lacks topics: {}; a start makes them where the broker allows it",
                missing.join(", ")
            );
            Finding::new(PART, Verdict::Doubtful, text)
        }
        Err(error) => Finding::new(PART, Verdict::Bad, format!("does not answer this user: {error}")),
    }
}

/// The certificate of TLS and its key, where they are set.
fn tls(settings: &Settings) -> Option<Finding> {
    const PART: &str = "server.tls_certificate";
    match Identity::read(&settings.server).transpose()? {
        Ok(_) => Some(Finding::new(PART, Verdict::Good, "read, and server.tls_key is the key to it")),
        Err(error) => Some(Finding::new(PART, Verdict::Bad, error.to_string())),
    }
}

/// Every record of the event log, read with its sums.
fn log(settings: &Settings) -> Vec<Finding> {
    const PART: &str = "event log";
    let report = match verify(&settings.storage.data_dir) {
        Ok(report) => report,
        Err(LogError::Locked { .. }) => {
            let text = "a service has it open: `ouzel doctor --live` asks it";
            return vec![Finding::new(PART, Verdict::Doubtful, text)];
        }
        Err(error) => return vec![Finding::new(PART, Verdict::Bad, error.to_string())],
    };
    let told = |finding: &crate::store::log::VerifyFinding| {
        let text = format!("{}: {}", finding.file.display(), finding.problem);
        match finding.harmless {
            true => Finding::new(PART, Verdict::Doubtful, text),
            false => Finding::new(PART, Verdict::Bad, format!("{text}; `ouzel doctor --repair` sets it aside")),
        }
    };
    let mut findings: Vec<Finding> = report.findings.iter().map(told).collect();
    if findings.is_empty() {
        let text = format!("{} events in {} segments and the tail, all whole", report.events, report.segments);
        findings.push(Finding::new(PART, Verdict::Good, text));
    }
    findings
}
