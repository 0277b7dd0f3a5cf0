//! Where data goes: the folder, its disk, and the artifact store.

use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;

use super::{Finding, Verdict, clock};
use crate::app::offline;
use crate::cli::remote::{date_ms, wait_for};
use crate::cli::trust::Trust;
use crate::model::ids::Version;
use crate::settings::{Role, Settings, artifacts_place};
use crate::store::log::free_bytes;
use crate::store::s3::S3Url;

/// How long a broker or store may take to accept a connection, and to answer.
const CONNECT: Duration = Duration::from_secs(3);

const ARTIFACTS: &str = "storage.artifacts";

/// The data folder and its disk, the artifact store, and every file of every version in it, read with its checksum.
pub(super) fn findings(settings: &Settings, now_ms: i64) -> Vec<Finding> {
    let data_dir = &settings.storage.data_dir;
    let mut findings = vec![folder("storage.data_dir", data_dir), disk(data_dir, settings.storage.min_free)];
    if S3Url::is_one(&settings.storage.artifacts) {
        findings.extend(s3(settings, now_ms));
        return findings;
    }
    let artifacts = artifacts_place(settings);
    findings.push(folder(ARTIFACTS, &artifacts));
    if artifacts.is_dir() {
        findings.extend(versions(settings));
    }
    findings
}

/// Whether a bucket answers, takes files where this process writes some, and what is in it.
fn s3(settings: &Settings, now_ms: i64) -> Vec<Finding> {
    let url = &settings.storage.s3_endpoint;
    let mut findings = Vec::new();
    if let Some(address) = endpoint(url) {
        findings.push(reach("storage.s3_endpoint", &address, "start the S3 server, or correct the address"));
        if findings.iter().any(|finding| finding.verdict == Verdict::Bad) {
            return findings;
        }
        findings.extend(theirs_ms(url).map(|theirs_ms| clock::beside("the S3 server", theirs_ms, now_ms)));
    }
    let writes = settings.server.role != Role::Serve;
    findings.push(match trial(settings, writes) {
        Ok(place) => {
            let can = if writes { "read and written" } else { "read" };
            Finding::new(ARTIFACTS, Verdict::Good, format!("{place} can be {can}"))
        }
        Err(error) => {
            let text = format!("{error:#}; the bucket must be there, and the key must let this process in");
            Finding::new(ARTIFACTS, Verdict::Bad, text)
        }
    });
    if findings.iter().all(|finding| finding.verdict != Verdict::Bad) {
        findings.extend(versions(settings));
    }
    findings
}

/// Writes an object and deletes it again, or looks for one; gives the store's place.
fn trial(settings: &Settings, writes: bool) -> anyhow::Result<String> {
    let store = offline::open_versions(settings)?;
    let artifacts = store.artifacts();
    let name = trial_name();
    wait_for(async {
        if writes {
            artifacts.put(&name, Bytes::from_static(b"ouzel doctor")).await?;
            artifacts.delete(&name).await?;
        } else {
            artifacts.exists(&name).await?;
        }
        Ok(artifacts.place())
    })
}

/// Every file of every version.
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

/// Whether files can be made in `path`, or in the nearest folder above it that exists.
fn folder(part: &str, path: &Path) -> Finding {
    let shown = path.display();
    if path.exists() && !path.is_dir() {
        return Finding::new(part, Verdict::Bad, format!("{shown} is a file: name a folder"));
    }
    let existing = existing(path);
    let trial = existing.join(trial_name());
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

/// Whether the disk has the room without which nothing is taken in.
fn disk(data_dir: &Path, min_free: u64) -> Finding {
    const PART: &str = "disk";
    let free = match free_bytes(existing(data_dir)) {
        Ok(free) => free,
        Err(error) => return Finding::new(PART, Verdict::Bad, format!("its room cannot be told: {error}")),
    };
    let has = format!("{} MB are free", free / 1_000_000);
    let wanted = min_free / 1_000_000;
    if free < min_free {
        let text = format!("{has}, below the {wanted} MB of storage.min_free nothing is taken in: free some");
        return Finding::new(PART, Verdict::Bad, text);
    }
    if free < min_free.saturating_mul(2) {
        let text = format!("{has}; at {wanted} MB (storage.min_free) nothing is taken in any more: free some");
        return Finding::new(PART, Verdict::Doubtful, text);
    }
    Finding::new(PART, Verdict::Good, has)
}

/// The nearest folder at or above `path` that exists.
fn existing(path: &Path) -> &Path {
    path.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("."))
}

fn trial_name() -> String {
    format!(".ouzel-doctor-{}", std::process::id())
}

/// Host and port of a URL; none where there is no URL.
fn endpoint(url: &str) -> Option<String> {
    let url = reqwest::Url::parse(url).ok()?;
    Some(format!("{}:{}", url.host_str()?, url.port_or_known_default()?))
}

/// What the clock of the server at `url` shows, where it says.
fn theirs_ms(url: &str) -> Option<i64> {
    let ask = async {
        let client = Trust::System.client()?.connect_timeout(CONNECT).timeout(CONNECT).build()?;
        Ok(date_ms(client.get(url).send().await?.headers()))
    };
    wait_for(ask).unwrap_or_else(|error| {
        tracing::debug!(%error, "the server's clock was not asked");
        None
    })
}

/// Whether an address accepts a connection.
pub(super) fn reach(part: &str, address: &str, remedy: &str) -> Finding {
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
    use crate::settings::Secret;

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
    }

    #[test]
    fn a_disk_is_judged_by_what_is_to_stay_free() {
        let home = tempfile::tempdir().unwrap();
        let deeper = home.path().join("not/there");
        let free = free_bytes(home.path()).unwrap();
        assert_eq!(disk(&deeper, 0).verdict, Verdict::Good);
        assert_eq!(disk(&deeper, free / 10 * 7).verdict, Verdict::Doubtful);
        let full = disk(&deeper, 1 << 62);
        assert!(full.verdict == Verdict::Bad && full.text.contains("storage.min_free"), "{}", full.text);
    }

    /// Settings for the bucket of `OUZEL_TEST_S3`, where it names a server.
    fn bucket() -> Option<Settings> {
        let test = |name: &str| std::env::var(format!("OUZEL_TEST_S3{name}"));
        let mut settings = crate::settings::load(None, &Default::default()).unwrap().settings;
        settings.storage.s3_endpoint = test("").ok()?;
        settings.storage.s3_access_key = Secret::new(test("_KEY").unwrap());
        settings.storage.s3_secret_key = Secret::new(test("_SECRET").unwrap());
        settings.storage.artifacts = format!("s3://{}/doctor-{}", test("_BUCKET").unwrap(), std::process::id());
        Some(settings)
    }

    #[test]
    fn a_bucket_is_written_to_and_a_wrong_key_or_bucket_is_named() {
        let Some(mut settings) = bucket() else { return };
        let now_ms = crate::model::clock::Clock::System.now_ms();
        let found = s3(&settings, now_ms);
        assert!(found.iter().all(|finding| finding.verdict == Verdict::Good), "{found:?}");
        let clock = |found: &[Finding]| found.iter().find(|finding| finding.part == "clock").unwrap().verdict;
        assert_eq!(clock(&found), Verdict::Good);
        assert!(found.iter().any(|finding| finding.text.ends_with("can be read and written")), "{found:?}");
        assert_eq!(clock(&s3(&settings, now_ms - 3_600_000)), Verdict::Bad);

        settings.storage.artifacts = "s3://no-such-bucket-here/x".to_owned();
        let found = s3(&settings, now_ms);
        assert!(found.iter().any(|finding| finding.part == ARTIFACTS && finding.verdict == Verdict::Bad), "{found:?}");
    }
}
