//! Settings: layered, read once at the start, checked as a whole.
//!
//! `config/default.toml` is part of the binary and holds every key with its default and what it means; the structs here
//! mirror it, a section each. [`load()`] lays a file, the environment and the original system's variables over it.

mod environment;
mod forms;
mod legacy;
mod load;
mod rules;
mod secret;
mod secrets;
mod shape;
mod span;
mod start;
#[cfg(test)]
mod tests;
mod validate;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use load::{DEFAULTS, Environment, Loaded, artifacts_place, load, process_environment};
pub use rules::{CANDIDATE_KINDS, GATE_METRICS, MAX_INTERVAL_SECONDS};
pub use secret::Secret;
pub use span::Span;
pub use start::{StartAt, StartError};
pub use validate::{Problem, SettingsError};

/// All settings, checked.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where and how the service listens.
    pub server: Server,
    /// Who may call it.
    pub auth: Auth,
    /// Topics, groups and the client's options.
    pub kafka: Kafka,
    /// Where things are kept.
    pub storage: Storage,
    /// How events are taken in.
    pub ingest: Ingest,
    /// What a run trains, and with how much of the machine.
    pub training: Training,
    /// What a candidate must show.
    pub gate: Gate,
    /// How many versions are kept.
    pub registry: Registry,
    /// How lists are made.
    pub serving: Serving,
    /// When runs start by themselves.
    pub schedule: Schedule,
    /// How crashed actors are rebuilt.
    pub overseer: Overseer,
    /// Logs.
    pub telemetry: Telemetry,
}

/// What part of the work a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Everything.
    All,
    /// Training, registry and answering.
    Train,
    /// Answering only.
    Serve,
}

/// Section `server`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    pub address: IpAddr,
    pub port: u16,
    pub role: Role,
    /// Where a `serve` process sends calls on runs and versions; empty for none.
    pub primary_url: String,
    /// Authorities by which `primary_url` is checked; empty: those that the system trusts.
    pub primary_ca: PathBuf,
    /// The base URL that announcements name; empty: the bound address.
    pub public_url: String,
    /// The certificate of TLS and what leads to its authority; empty for plain HTTP.
    pub tls_certificate: PathBuf,
    /// The certificate's key.
    pub tls_key: PathBuf,
    /// HTTP worker threads; 0: one per core.
    pub workers: usize,
    /// Requests worked on at once; over it 503.
    pub max_in_flight: usize,
    /// How long a request may wait for its turn; where more come than that, some get 503. 0: as long as it takes.
    pub max_wait: Span,
    /// Bytes of bodies held at once; over it 503.
    pub body_budget: usize,
    /// Bytes of a JSON body.
    pub body_limit: usize,
    /// Bytes of an NDJSON body, which is read as it comes.
    pub ndjson_limit: usize,
    /// How long a stop may take.
    pub shutdown_grace: Span,
}

impl Server {
    /// Whether it answers by TLS.
    #[must_use]
    pub fn tls(&self) -> bool {
        !self.tls_certificate.as_os_str().is_empty()
    }
}

/// Section `auth`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// Each `scope:key` or `scope+scope:key`; scopes are `read`, `ingest`, `admin`.
    pub keys: Vec<Secret>,
    /// A file of such lines, let in beside `keys`; read again when it changes; empty for none.
    pub keys_file: PathBuf,
    /// Lets anybody in on a public address.
    pub allow_anonymous: bool,
    /// Requests a second that one key may send; 0: as many as it likes.
    pub rate: u32,
    /// Requests that one key may send at once, after a pause; 0: as many as in a second.
    pub burst: u32,
}

impl Auth {
    /// Whether keys are set, here or in a file.
    #[must_use]
    pub fn has_keys(&self) -> bool {
        !self.keys.is_empty() || !self.keys_file.as_os_str().is_empty()
    }
}

/// How a topic's values are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum WireFormat {
    /// By the `content-type` header, else by the first byte.
    Auto,
    /// JSON.
    Json,
    /// Protobuf.
    Protobuf,
}

/// Where events are read on from when the next one is not at the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OutOfRange {
    /// From the oldest record that is there.
    Earliest,
    /// From the end: what is there is passed over.
    Latest,
    /// Not at all, until somebody decides and starts the process anew.
    Stop,
}

/// Section `kafka`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Kafka {
    /// `host:port,…`; empty means no Kafka.
    pub brokers: String,
    pub events_topic: String,
    pub requests_topic: String,
    pub replies_topic: String,
    pub models_topic: String,
    /// What happens to versions, refusals too, is told here; empty: nowhere.
    pub versions_topic: String,
    /// Put behind a topic's name for its dead letters.
    pub dead_letter_suffix: String,
    /// The consumer group of the requests.
    pub requests_group: String,
    /// The consumer group of the announcements.
    pub models_group: String,
    pub events_format: WireFormat,
    pub requests_format: WireFormat,
    /// Where a first start begins: `earliest`, `latest`, `ts=…` or `last=7d`.
    pub start: String,
    /// What is done when the broker has no such offset as the next one of `events_topic`.
    pub out_of_range: OutOfRange,
    /// Records handed on at once.
    pub batch: usize,
    /// Batches that may wait before a stream is paused.
    pub queue: usize,
    /// Options of librdkafka, passed through.
    pub options: BTreeMap<String, Secret>,
}

/// Section `storage`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Storage {
    pub data_dir: PathBuf,
    /// A folder or `s3://bucket/prefix`; empty: `artifacts` below `data_dir`.
    pub artifacts: String,
    /// Files or `s3://…` objects that are imported again when they change, at a run's snapshot.
    pub import_watch: Vec<String>,
    /// Format of the watched files: `events` or `transactions`.
    pub import_format: String,
    /// Events in the tail that make a segment.
    pub seal_events: u64,
    /// Bytes that are left free on the disk of `data_dir`.
    pub min_free: u64,
    /// Longest time before an erasure has rewritten all files.
    pub erase_within: Span,
    /// Endpoint of the S3 server; empty: AWS.
    pub s3_endpoint: String,
    pub s3_region: String,
    pub s3_access_key: Secret,
    pub s3_secret_key: Secret,
    /// A file that holds the secret key; empty for none.
    pub s3_secret_key_file: PathBuf,
}

/// Section `ingest`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Ingest {
    /// Batches that may wait for the log; over it REST gets 503 and Kafka is paused.
    pub queue: usize,
    /// Events written at once, at most.
    pub batch: usize,
    /// How long an event's id is remembered.
    pub dedup_window: Span,
    /// Weight of each event type; a negative one is a dislike.
    pub weights: BTreeMap<String, f32>,
    /// Weight of a type that `weights` does not name.
    pub default_weight: f32,
}

/// How a run's candidates are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// `temporal` where there are times and at least 200 test users, else `leave-last-out`.
    Auto,
    /// Each user's last item is held out.
    LeaveLastOut,
    /// What came after a point in time is held out.
    Temporal,
}

/// Section `training`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// Kinds that a run trains and chooses from.
    pub candidates: Vec<String>,
    pub threads: usize,
    pub seed: u64,
    pub protocol: Protocol,
    /// How long settings are searched for; without effect where `trials` is set.
    pub budget: Span,
    /// How many fits the search may take; 0: as many as fit in `budget`.
    pub trials: usize,
    /// The most users that candidates are judged by; 0: all.
    pub test_users: usize,
    /// The half-life of what a user did, for the kinds that read histories; 0: it is searched for.
    pub half_life: Span,
    /// The largest catalogue `ease` is trained on.
    pub ease_max_items: usize,
    /// Regularisations of `ease` that are tried.
    pub ease_lambdas: Vec<f32>,
    pub neural_epochs: usize,
    pub neural_batch: usize,
    pub neural_learning_rate: f32,
    /// Share of the pairs held out at random while the network trains, 0 to 0.5.
    pub neural_held_out: f32,
}

/// Section `gate`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// The metric compared: `ndcg@10`, `recall@20`, `hr@10`.
    pub metric: String,
    /// How much worse than a rival a candidate may be, as a share of the rival's figure, 0 to 1.
    pub margin: f64,
    /// Users whose lists the reloaded artifact must give like the model in memory.
    pub probes: usize,
}

/// Section `registry`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Registry {
    /// Versions kept; the live one and the one before are always kept.
    pub keep: usize,
    /// Longest time between looks of a `serve` process for the live version.
    pub follow: Span,
}

/// Section `serving`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Serving {
    /// Event types after which an item counts as seen.
    pub seen_types: Vec<String>,
    /// Keeps a user's list while nothing it depends on has changed.
    pub reuse: bool,
    /// How often what depends on time is computed anew.
    pub generation: Span,
    /// After this time an event counts half in `trending`.
    pub trending_half_life: Span,
    /// The events of a history that are looked at, the latest.
    pub history: usize,
    /// The share of the ingestor's time in which arriving events are looked up in the live version's lists.
    pub prequential: f64,
    /// The name of a test that deals users to variants; empty for none.
    pub experiment: String,
    /// Its variants, each `name:percent:answers`.
    pub variants: Vec<String>,
    /// The percent of all users that are held out of it, and given lists of no model.
    pub holdout: f64,
    /// The latest lists of ten of which is remembered where their items came from.
    pub remembered_lists: usize,
}

/// Section `schedule`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Five fields of cron, in UTC; empty for none.
    pub cron: String,
    /// Time between runs, at most ten years; `0s` for none.
    pub interval: Span,
    /// Starts a run after as many new events; 0 for never.
    pub every_events: u64,
    /// How far the live version's figure on arriving events may fall, as a share, before a run starts; 0 for any.
    pub drift: f64,
    /// Lookups over which that is judged.
    pub drift_lookups: usize,
    /// Starts a run at the start when there is data but no version.
    pub on_start: bool,
}

/// Section `overseer`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Overseer {
    /// Restarts of one actor in ten minutes that end the process; 0 for never.
    pub max_restarts: u32,
    /// Time between heartbeats.
    pub heartbeat: Span,
    /// Silence after which an actor counts as hung.
    pub hung_after: Span,
    pub backoff_min: Span,
    pub backoff_max: Span,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines, an object a line.
    Json,
}

/// Section `telemetry`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Telemetry {
    /// A filter such as `info` or `ouzel=debug,info`.
    pub log: String,
    pub log_format: LogFormat,
    /// The collector that traces are sent to by OTLP over HTTP; empty for none.
    pub otlp_endpoint: String,
    /// The share of requests without a trace of their own that are traced, 0 to 1.
    pub trace_share: f64,
}
