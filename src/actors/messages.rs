//! What crosses between actors and their handles. Commands are verbs, facts are in the past tense.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::ids::Version;
use crate::model::interactions::Interactions;
use crate::model::manifest::{DataRange, Manifest};
use crate::model::recommender::Fitted;
use crate::model::run::{RunRecord, RunStatus};
use crate::model::training::probes::Probes;

pub use crate::store::log::batch::{EventBatch, ImportMark, ItemChange, Position};

/// Everything applied at one moment, to train on.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The rows.
    pub rows: Arc<Interactions>,
    /// Where they reach to.
    pub data: DataRange,
}

/// A refitted model that passed the gate, to become the next version.
pub struct Registration {
    /// Its manifest but for number, format and files, which the store sets.
    pub draft: Manifest,
    /// The model.
    pub fitted: Fitted,
    /// What the artifact, read back, must answer.
    pub probes: Probes,
}

/// What became of a batch. All of it is durable and visible to the next request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Applied {
    /// Events that were new.
    pub accepted: u64,
    /// Events that were known already.
    pub duplicates: u64,
    /// Events that were refused, by their place in the batch.
    pub rejected: Vec<Rejected>,
    /// The places of events whose id or line was known.
    #[serde(skip)]
    pub known: Vec<usize>,
    /// Events that the batch's erasures took out.
    #[serde(skip)]
    pub erased: u64,
}

/// One event that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Rejected {
    /// Its place in the batch, from 0.
    pub index: usize,
    /// The reason's short name.
    pub code: String,
    /// The reason, with the field.
    pub error: String,
}

/// How much of a user was erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Erased {
    /// Events taken out; 0 for an unknown user.
    pub events: u64,
}

/// A run that was started or joined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RunStarted {
    /// The run's id.
    pub id: String,
    /// `queued` or `running`.
    pub status: RunStatus,
}

/// The run history, newest first, and how many there are in all.
#[derive(Debug, Clone, Default)]
pub struct RunList {
    /// The runs, newest first.
    pub runs: Vec<RunRecord>,
}

/// When runs start by themselves; what `PUT /v1/schedule` sets, over the settings.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ScheduleState {
    /// Five fields of cron, in UTC; empty for none.
    pub cron: String,
    /// Seconds between the starts of runs; 0 for none.
    pub interval_seconds: u64,
    /// New events that start a run; 0 for never.
    pub every_events: u64,
    /// How far, as a share of what it was, the live version's figure on arriving events may fall before a run starts; 0 for
    /// any.
    #[schema(minimum = 0, maximum = 1)]
    pub drift: f64,
    /// Starts none while true.
    pub paused: bool,
    /// When the next run starts by time, milliseconds of the epoch. What is given here is not kept.
    pub next_ms: Option<i64>,
}

/// The versions, newest first, with the aliases.
#[derive(Debug, Clone, Default)]
pub struct VersionList {
    /// The manifests, newest first.
    pub versions: Vec<Arc<Manifest>>,
    /// The version that answers.
    pub live: Option<Version>,
    /// The version that a rollback brings back.
    pub previous: Option<Version>,
}

/// One actor as `/state` shows it.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct ActorStatus {
    /// Its name.
    pub name: &'static str,
    /// `running`, `restarting`, `hung` or `stopped`.
    pub status: &'static str,
    /// How often it was rebuilt.
    pub restarts: u64,
    /// How many calls it turned away because too many waited.
    pub refused: u64,
    /// Why it was rebuilt last.
    pub last_error: Option<String>,
}
