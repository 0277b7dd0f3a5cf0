//! What happens to versions, as it is told to whoever keeps track of them from outside.

use serde::Serialize;

use super::ids::Version;
use super::manifest::{CandidateFigures, GateVerdict, Manifest};
use super::run::{RunRecord, Trigger};

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A new version passed the gate and is live.
    Published,
    /// A run's candidate may not become a version.
    Refused,
    /// An earlier version was made live.
    Promoted,
    /// The version before was made live again.
    RolledBack,
}

/// Who did it: a run, with why it began, or whoever called for it. Empty for what neither did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct By {
    /// The run's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// Why the run began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger: Option<Trigger>,
    /// What called for the run, where the trigger alone does not say, such as how far a figure fell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The caller as audit lines name it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
    /// The id of the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

impl By {
    /// A run.
    #[must_use]
    pub fn run(run: &RunRecord) -> Self {
        Self { run: Some(run.id.clone()), trigger: Some(run.trigger), reason: run.reason.clone(), ..Self::default() }
    }

    /// A call of the interface.
    #[must_use]
    pub fn call(caller: String, request_id: String) -> Self {
        Self { caller: Some(caller), request_id: Some(request_id), ..Self::default() }
    }
}

/// One thing that happened to a version.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VersionNews {
    /// What happened.
    pub what: What,
    /// The version that is live now; none where a candidate was refused.
    pub version: Option<Version>,
    /// The version that answered before, and after a refusal goes on answering; none before the first.
    pub previous: Option<Version>,
    /// The kind of model; empty where a run chose none.
    pub kind: String,
    /// Events that it was fitted on.
    pub events: u64,
    /// Who did it.
    pub by: By,
    /// What the gate said of it.
    pub gate: Option<GateVerdict>,
    /// The figures that the gate went by: those of the holdout.
    pub figures: Vec<CandidateFigures>,
    /// Why it was refused, in one sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl VersionNews {
    /// That a version went live.
    #[must_use]
    pub fn live(what: What, manifest: &Manifest, previous: Option<Version>, by: By) -> Self {
        Self {
            what,
            version: Some(manifest.version),
            previous,
            kind: manifest.recipe.kind.clone(),
            events: manifest.data.events,
            by,
            gate: Some(manifest.gate.clone()),
            figures: of_holdout(&manifest.candidates),
            error: None,
        }
    }

    /// That a run's candidate was refused, while `live` answers on. `events` are those it was judged on.
    #[must_use]
    pub fn refused(run: &RunRecord, live: Option<Version>, events: u64) -> Self {
        let chosen = run.candidates.iter().find(|candidate| candidate.chosen);
        Self {
            what: What::Refused,
            version: None,
            previous: live,
            kind: chosen.map(|chosen| chosen.model.clone()).unwrap_or_default(),
            events,
            by: By::run(run),
            gate: run.gate.clone(),
            figures: of_holdout(&run.candidates),
            error: run.error.clone(),
        }
    }
}

fn of_holdout(candidates: &[CandidateFigures]) -> Vec<CandidateFigures> {
    candidates.iter().filter(|candidate| candidate.on_holdout()).cloned().collect()
}
