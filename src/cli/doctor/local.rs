//! Checks from this machine, without a running service.

use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;

use super::{Finding, Verdict};
use crate::app::offline;
use crate::cli::remote::wait_for;
use crate::http::tls::Identity;
use crate::kafka::check::missing_topics;
use crate::model::ids::Version;
use crate::settings::{Settings, artifacts_place};
use crate::store::log::{LogError, verify};
use crate::store::s3::S3Url;

/// How long a broker or store may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(3);

/// How long Kafka may take to answer.
const ANSWER: Duration = Duration::from_secs(10);

/// A time that no clock which is set shows any more: 2025-01-01, in milliseconds of the epoch.
const OLD_MS: i64 = 1_735_689_600_000;

/// Everything that can be told from here. The settings were read, so they are good.
pub(super) fn findings(settings: &Settings, now_ms: i64) -> Vec<Finding> {
    let mut findings = vec![
        Finding::new("settings", Verdict::Good, "read and checked; `ouzel config` shows them"),
        clock(now_ms),
        folder("storage.data_dir", &settings.storage.data_dir),
    ];
    findings.extend(tls(settings));
    let artifacts = artifacts_place(settings);
    match artifacts.to_str() {
        Some(place) if place.starts_with("s3://") => findings.push(match endpoint(&settings.storage.s3_endpoint) {
            None => Finding::new("storage.artifacts", Verdict::Good, format!("{place} at AWS; not asked")),
            Some(address) => reach("storage.s3_endpoint", &address, "start the S3 server, or correct the address"),
        }),
        _ => findings.push(folder("storage.artifacts", &artifacts)),
    }
    findings.extend(log(settings));
    if !S3Url::is_one(&settings.storage.artifacts) && artifacts.is_dir() {
        findings.extend(versions(settings));
    }
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

/// Every file of every version, read with its checksum.
fn versions(settings: &Settings) -> Vec<Finding> {
    const PART: &str = "versions";
    let look = || {
        let store = offline::open_versions(settings)?;
        wait_for(async { Ok((store.numbers().await?.len(), super::damaged_versions(&store).await?)) })
    };
    match look() {
        Err(error) => vec![Finding::new(PART, Verdict::Bad, format!("{error:#}"))],
        Ok((count, damaged)) if damaged.is_empty() => {
            vec![Finding::new(PART, Verdict::Good, format!("{count}, all whole"))]
        }
        Ok((_, damaged)) => {
            let told = |(version, reason): (Version, String)| {
                let text = format!("version {version}: {reason}; `ouzel doctor --repair` sets it aside");
                Finding::new(PART, Verdict::Bad, text)
            };
            damaged.into_iter().map(told).collect()
        }
    }
}

fn clock(now_ms: i64) -> Finding {
    if now_ms >= OLD_MS {
        return Finding::new("clock", Verdict::Good, "is set");
    }
    Finding::new("clock", Verdict::Bad, "shows a time long past: set it, events would be refused as of the future")
}

/// Whether files can be made in `path`, or in the nearest folder above it that exists.
fn folder(part: &str, path: &Path) -> Finding {
    let shown = path.display();
    if path.exists() && !path.is_dir() {
        return Finding::new(part, Verdict::Bad, format!("{shown} is a file: name a folder"));
    }
    let here = Path::new(".");
    let existing = path.ancestors().find(|folder| folder.is_dir()).unwrap_or(here);
    let trial = existing.join(format!(".ouzel-doctor-{}", std::process::id()));
    let tried = std::fs::write(&trial, [0; 4096]).and_then(|()| std::fs::remove_file(&trial));
    match tried {
        Ok(()) if path.is_dir() => Finding::new(part, Verdict::Good, format!("{shown} can be written")),
        Ok(()) => Finding::new(part, Verdict::Good, format!("{shown} is not there yet and can be made")),
        Err(error) => {
            let text = format!(
                "{} cannot be written ({error}): give this user the right, or name another",
                existing.display()
            );
            Finding::new(part, Verdict::Bad, text)
        }
    }
}

/// Host and port of a URL; none where there is no URL.
fn endpoint(url: &str) -> Option<String> {
    let url = reqwest::Url::parse(url).ok()?;
    Some(format!("{}:{}", url.host_str()?, url.port_or_known_default()?))
}

fn reach(part: &str, address: &str, remedy: &str) -> Finding {
    let connect = || -> std::io::Result<()> {
        let mut last = std::io::Error::from(std::io::ErrorKind::AddrNotAvailable);
        for address in address.to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, CONNECT) {
                Ok(_) => return Ok(()),
                Err(error) => last = error,
            }
        }
        Err(last)
    };
    match connect() {
        Ok(()) => Finding::new(part, Verdict::Good, format!("{address} accepts connections")),
        Err(error) => Finding::new(part, Verdict::Bad, format!("{address} does not answer ({error}): {remedy}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_ports_are_tried() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("file");
        std::fs::write(&file, "x").unwrap();
        assert_eq!(folder("p", home.path()).verdict, Verdict::Good);
        assert_eq!(folder("p", &home.path().join("new/deeper")).verdict, Verdict::Good);
        assert_eq!(folder("p", &file).verdict, Verdict::Bad);
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 1, "nothing is left behind");

        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        assert_eq!(reach("kafka", &address, "").verdict, Verdict::Good);
        drop(listener);
        assert_eq!(reach("kafka", &address, "start it").verdict, Verdict::Bad);
        assert_eq!(clock(0).verdict, Verdict::Bad);
    }
}
