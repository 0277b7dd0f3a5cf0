//! What is written beside a version's weights: where it came from, what it was worth, what its files must be.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::candidates::ials::SparkSettings;
use super::ids::Version;
use super::recommender::RecipeSpec;
use super::training::choose::Part;

/// The format of the artifacts that this build writes.
pub const ARTIFACT_FORMAT: u32 = 1;

/// The format of a version out of which users were erased: its manifest says under which names its files are kept. This build
/// reads up to it; a later one is refused.
pub const REWRITTEN_FORMAT: u32 = 2;

/// Where the next record of one Kafka partition is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PartitionOffset {
    /// The topic's name.
    pub topic: String,
    /// The partition's number.
    pub partition: i32,
    /// One more than the last record that was applied.
    pub next: i64,
}

/// The data a version was fitted on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct DataRange {
    /// Events in the snapshot.
    pub events: u64,
    /// Users with an event.
    pub users: u64,
    /// Items with an event.
    pub items: u64,
    /// The time of the first event, milliseconds of the epoch, if any has one.
    pub events_from_ms: Option<i64>,
    /// The time of the last event, milliseconds of the epoch, if any has one.
    pub events_to_ms: Option<i64>,
    /// The last log record in the snapshot.
    pub applied_seq: u64,
    /// The Kafka offsets up to which the snapshot reaches.
    pub offsets: Vec<PartitionOffset>,
}

/// A mean over test users with half of its 95 % confidence interval.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// The mean.
    pub mean: f64,
    /// 1.96 standard errors.
    pub ci95: f64,
}

/// One candidate's figures on one part of the data.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CandidateFigures {
    /// The kind's name, or `live` for the live version's recipe.
    pub model: String,
    /// Whether it is the one that the run would make live.
    pub chosen: bool,
    /// `validation` or `holdout`.
    pub part: String,
    /// Figures by name, such as `ndcg@10`; empty when it could not be fitted.
    pub metrics: BTreeMap<String, Figure>,
    /// Test users behind the figures.
    pub users: u64,
    /// Wall time of the fit.
    pub fit_seconds: f64,
    /// The kind's settings.
    pub settings: serde_json::Value,
    /// Why there are no figures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl CandidateFigures {
    /// Whether they were taken on the rows that judge the chosen one.
    #[must_use]
    pub fn on_holdout(&self) -> bool {
        self.part == Part::Holdout.name()
    }
}

/// What the gate said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateVerdict {
    /// Whether the candidate may go live.
    pub passed: bool,
    /// One sentence for each comparison or check, the failed ones first.
    pub reasons: Vec<String>,
}

/// One file of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Its SHA-256, in hexadecimal.
    pub sha256: String,
    /// Its length.
    pub bytes: u64,
    /// The name under which it is kept, where it took the place of the one it is named for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_as: Option<String>,
}

impl FileEntry {
    /// The name under which the file that is listed as `name` is kept.
    #[must_use]
    pub fn place<'a>(&'a self, name: &'a str) -> &'a str {
        self.kept_as.as_deref().unwrap_or(name)
    }
}

/// A file of factors that were fitted elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FactorsFile {
    /// Where it was read from, as it was named.
    pub from: String,
    /// `parquet` or `safetensors`.
    pub format: String,
    /// The SHA-256 of the file, or of a folder's files behind each other in the order of their names, in hexadecimal.
    pub sha256: String,
    /// Their length.
    pub bytes: u64,
    /// Items in it.
    pub items: u64,
    /// Those of them that the catalogue did not know, which were left out.
    pub unknown: u64,
}

/// What a version was made of that was fitted elsewhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Imported {
    /// What answers.
    pub factors: FactorsFile,
    /// What the gate judged in its place, where it was something else: fitted by the same training, on less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judged: Option<FactorsFile>,
    /// The time of the last event that what the gate judged was fitted on, milliseconds of the epoch; none where nobody said.
    pub trained_until_ms: Option<i64>,
    /// How the training was set.
    pub settings: SparkSettings,
}

/// The manifest of one version, written last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`ARTIFACT_FORMAT`] when it was written, [`REWRITTEN_FORMAT`] since users were erased out of it.
    pub format: u32,
    /// The version's number.
    pub version: Version,
    /// Kind and settings.
    pub recipe: RecipeSpec,
    /// When it was written, milliseconds of the epoch.
    pub created_ms: i64,
    /// The run that made it; none for an imported version.
    pub run: Option<String>,
    /// Where it comes from, for an imported version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imported: Option<Imported>,
    /// The version that was live when the run began.
    pub parent: Option<Version>,
    /// The data.
    pub data: DataRange,
    /// The protocol that judged it.
    pub protocol: String,
    /// Every candidate's figures.
    pub candidates: Vec<CandidateFigures>,
    /// The gate's verdict.
    pub gate: GateVerdict,
    /// Files by name.
    pub files: BTreeMap<String, FileEntry>,
}

#[cfg(test)]
impl Manifest {
    /// That of a version that a test makes by hand: passed, from no run, trained on nothing that it tells of.
    pub(crate) fn by_hand(version: u64, recipe: RecipeSpec, created_ms: i64) -> Self {
        Self {
            format: ARTIFACT_FORMAT,
            version: Version(version),
            recipe,
            created_ms,
            run: None,
            imported: None,
            parent: None,
            data: DataRange::default(),
            protocol: "temporal".to_owned(),
            candidates: Vec::new(),
            gate: GateVerdict { passed: true, reasons: Vec::new() },
            files: BTreeMap::new(),
        }
    }
}
