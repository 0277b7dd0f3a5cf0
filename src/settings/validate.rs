//! What one value alone cannot say: keys that contradict each other, and how problems are told.

use std::fmt;

use super::{Role, Settings};
use crate::model::serving::experiment::Variant;

/// One thing wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key, such as `server.port`.
    pub key: String,
    /// Where its value came from: a file's path, a variable's name or `default`.
    pub source: String,
    /// What is wrong and what to write instead.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.key, self.source, self.message)
    }
}

/// Everything wrong with the settings, at once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the settings are not usable:{}", .0.iter().map(|p| format!("\n  {p}")).collect::<String>())]
pub struct SettingsError(pub Vec<Problem>);

/// A contradiction: the key to be changed, the other keys it rests on, and what is wrong.
pub(super) struct Contradiction {
    /// The key that the problem is reported for.
    pub(super) key: &'static str,
    /// The keys that it contradicts.
    pub(super) others: &'static [&'static str],
    /// What is wrong and what to write instead.
    pub(super) message: String,
}

/// Finds every pair of keys that cannot both be meant.
pub(super) fn contradictions(settings: &Settings) -> Vec<Contradiction> {
    let mut found = Vec::new();
    let mut say = |wrong: bool, key, others, message: String| {
        if wrong {
            found.push(Contradiction { key, others, message });
        }
    };
    let Settings { server, auth, kafka, storage, ingest, serving, overseer, .. } = settings;
    say(
        !server.address.is_loopback() && !auth.has_keys() && !auth.allow_anonymous,
        "server.address",
        &["auth.keys", "auth.keys_file", "auth.allow_anonymous"],
        format!(
            "{} can be reached by others: set auth.keys or auth.keys_file, or auth.allow_anonymous = true to let anybody in",
            server.address
        ),
    );
    say(
        server.tls() && server.tls_key.as_os_str().is_empty(),
        "server.tls_certificate",
        &["server.tls_key"],
        "needs server.tls_key beside it".to_owned(),
    );
    say(
        !server.tls() && !server.tls_key.as_os_str().is_empty(),
        "server.tls_key",
        &["server.tls_certificate"],
        "needs server.tls_certificate beside it".to_owned(),
    );
    say(
        !server.primary_ca.as_os_str().is_empty() && !server.primary_url.starts_with("https://"),
        "server.primary_ca",
        &["server.primary_url"],
        "has no use where server.primary_url does not begin with https://".to_owned(),
    );
    say(
        server.role != Role::All && kafka.brokers.is_empty(),
        "server.role",
        &["kafka.brokers"],
        "roles train and serve share their events over Kafka: set kafka.brokers, or use role all".to_owned(),
    );
    say(
        server.role != Role::All && !storage.import_watch.is_empty(),
        "storage.import_watch",
        &["server.role"],
        "files would reach this process alone: send them to a running one by ouzel import --url, or use role all"
            .to_owned(),
    );
    say(
        server.body_limit > server.body_budget,
        "server.body_limit",
        &["server.body_budget"],
        format!("one body may not be larger than all together: server.body_budget is {}", server.body_budget),
    );
    let topics = [
        ("kafka.requests_topic", &kafka.requests_topic),
        ("kafka.replies_topic", &kafka.replies_topic),
        ("kafka.models_topic", &kafka.models_topic),
        ("kafka.versions_topic", &kafka.versions_topic),
        ("kafka.events_topic", &kafka.events_topic),
    ];
    for (place, &(key, topic)) in topics.iter().enumerate() {
        let twin = topics.iter().skip(place + 1).find(|(_, other)| *other == topic && !topic.is_empty());
        if let Some((other, _)) = twin {
            let all = &["kafka.events_topic", "kafka.replies_topic", "kafka.models_topic", "kafka.versions_topic"];
            say(true, key, all, format!("is the same topic as {other}: each needs one of its own"));
        }
    }
    say(
        kafka.batch > ingest.batch,
        "kafka.batch",
        &["ingest.batch"],
        format!("a batch from Kafka is written as one, so it may not be above ingest.batch ({})", ingest.batch),
    );
    say(
        !storage.s3_access_key.is_empty() && storage.s3_secret_key.is_empty(),
        "storage.s3_access_key",
        &["storage.s3_secret_key", "storage.s3_secret_key_file"],
        "needs storage.s3_secret_key or storage.s3_secret_key_file beside it".to_owned(),
    );
    say(
        storage.s3_access_key.is_empty() && !storage.s3_secret_key.is_empty(),
        "storage.s3_secret_key",
        &["storage.s3_access_key", "storage.s3_secret_key_file"],
        "needs storage.s3_access_key beside it".to_owned(),
    );
    let remote = |path: &str| path.starts_with("s3://") && !cfg!(feature = "s3");
    let lacks = || "this build reads no s3:// paths: build it with the feature s3".to_owned();
    say(remote(&storage.artifacts), "storage.artifacts", &[], lacks());
    say(storage.import_watch.iter().any(|path| remote(path)), "storage.import_watch", &[], lacks());
    say(
        overseer.heartbeat >= overseer.hung_after,
        "overseer.hung_after",
        &["overseer.heartbeat"],
        format!("must be longer than overseer.heartbeat ({})", overseer.heartbeat),
    );
    say(
        overseer.backoff_min > overseer.backoff_max,
        "overseer.backoff_min",
        &["overseer.backoff_max"],
        format!("must not be longer than overseer.backoff_max ({})", overseer.backoff_max),
    );
    let variants: Vec<Variant> = serving.variants.iter().filter_map(|text| Variant::read(text).ok()).collect();
    let total: u64 = variants.iter().map(|variant| variant.share).sum();
    let twice = variants
        .iter()
        .enumerate()
        .any(|(place, variant)| variants.iter().take(place).any(|other| other.name == variant.name));
    say(total > 10_000, "serving.variants", &[], "the percentages add up to more than 100".to_owned());
    say(twice, "serving.variants", &[], "two variants have the same name".to_owned());
    say(
        serving.experiment.is_empty() && !variants.is_empty(),
        "serving.variants",
        &["serving.experiment"],
        "needs the test's name in serving.experiment, by which users are dealt".to_owned(),
    );
    say(
        !serving.experiment.is_empty() && serving.variants.is_empty(),
        "serving.experiment",
        &["serving.variants"],
        "needs serving.variants, such as [\"old:50:previous\", \"new:50:live\"]".to_owned(),
    );
    found
}

/// What is allowed but seldom meant.
pub(super) fn doubts(settings: &Settings) -> Vec<String> {
    let mut found = Vec::new();
    let Settings { server, storage, .. } = settings;
    if server.role != Role::All && !storage.artifacts.starts_with("s3://") {
        found.push(
            "server.role: versions pass between processes by storage.artifacts; a folder does only where all of them see it"
                .to_owned(),
        );
    }
    if server.role == Role::Serve && server.primary_url.is_empty() {
        found.push("server.primary_url: is empty, so calls on runs and versions are answered with 503 here".to_owned());
    }
    found
}
