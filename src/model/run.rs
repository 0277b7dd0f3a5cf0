//! A run's record: what the page, the API and the history show of it.

use serde::{Deserialize, Serialize};

use super::ids::Version;
use super::manifest::{CandidateFigures, GateVerdict};

/// The steps of a run, in order.
pub const STEPS: [&str; 8] = ["snapshot", "prepare", "train", "evaluate", "gate", "refit", "publish", "activate"];

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum RunStatus {
    /// Waits for the one before it.
    Queued,
    /// At work.
    Running,
    /// Its version went live.
    Succeeded,
    /// The gate said no.
    Refused,
    /// Something broke; the live version is as it was.
    Failed,
    /// Somebody stopped it.
    Cancelled,
}

impl RunStatus {
    /// Whether nothing more will happen to it.
    #[must_use]
    pub const fn is_over(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }
}

/// Why a run began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Trigger {
    /// Somebody asked.
    Manual,
    /// The cron line or the interval.
    Schedule,
    /// Enough new events.
    Events,
    /// Data but no version at the start.
    Start,
    /// The prequential figure left its band.
    Drift,
}

/// One step of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    /// One of [`STEPS`].
    pub name: String,
    /// When it began, milliseconds of the epoch.
    pub started_ms: i64,
    /// When it ended.
    pub finished_ms: Option<i64>,
    /// How far it is, from 0 to 1.
    pub progress: f32,
    /// What it said.
    pub log: Vec<String>,
}

/// One run, whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// Its id, which sorts by time.
    pub id: String,
    /// Where it stands.
    pub status: RunStatus,
    /// Why it began.
    pub trigger: Trigger,
    /// What called for it, where the trigger alone does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it was asked for, milliseconds of the epoch.
    pub queued_ms: i64,
    /// When its first step began.
    pub started_ms: Option<i64>,
    /// When it was over.
    pub finished_ms: Option<i64>,
    /// The version it published.
    pub version: Option<Version>,
    /// The steps so far.
    pub steps: Vec<StepRecord>,
    /// Every candidate's figures.
    pub candidates: Vec<CandidateFigures>,
    /// The gate's verdict.
    pub gate: Option<GateVerdict>,
    /// Why it failed, was refused or cancelled.
    pub error: Option<String>,
}
