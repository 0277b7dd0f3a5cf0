//! One run's work, from the frozen rows to a model ready to be written.
//!
//! prepare (split) -> train (each candidate on a validation part of train; the best is chosen) -> evaluate (figures on the
//! holdout, of which only the chosen one's count) -> gate -> refit on all rows. Every fit that is judged begins from nothing;
//! only the refit may begin from the live model, which has seen the holdout.

use std::sync::Arc;

use super::choose::{self, LEAST_USERS, Part, Recipes, Scored};
use super::gate;
use super::job::{FitError, Job};
use super::pool;
use super::probes::{self, Probes};
use super::prune::prune;
use super::search::Search;
use crate::model::candidates;
use crate::model::dataset::Dataset;
use crate::model::evaluation::metrics::Metric;
use crate::model::evaluation::ranking::TestSet;
use crate::model::evaluation::split::{Protocol, Split};
use crate::model::interactions::Interactions;
use crate::model::manifest::{CandidateFigures, GateVerdict};
use crate::model::recommender::{Fitted, RecipeSpec};

/// What a run trains and how it judges. The seed and the threads are the job's.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Which kinds are trained, and how their settings are searched for.
    pub search: Search,
    /// How train and holdout are divided.
    pub protocol: Protocol,
    /// What is compared, in the choice and at the gate.
    pub metric: Metric,
    /// How much worse than a rival the chosen candidate may be, as a share of the rival's figure, 0 to 1.
    pub margin: f64,
    /// The most users that candidates are judged by; 0: all.
    pub test_users: usize,
    /// Users whose lists become probes.
    pub probes: usize,
}

impl Plan {
    /// The plan of a run that follows on a version with these figures: the search begins where it ended then.
    #[must_use]
    pub fn remembering(&self, found: &[CandidateFigures]) -> Self {
        Self { search: self.search.remembering(found), ..self.clone() }
    }
}

/// What came of a run's work.
pub struct Outcome {
    /// The protocol that judged, never [`Protocol::Auto`].
    pub protocol: Protocol,
    /// The best of each kind on the validation part, then each on the holdout, best first, then the live version's recipe.
    pub candidates: Vec<CandidateFigures>,
    /// Kind and settings of the chosen one.
    pub chosen: RecipeSpec,
    /// What the gate said.
    pub verdict: GateVerdict,
    /// The chosen one refitted on all rows; none where the gate refused it.
    pub fitted: Option<Fitted>,
    /// What the artifact, read back, must answer.
    pub probes: Probes,
}

/// Trains, chooses, judges and refits. `live` is the live version's recipe, `parent` its model, from which a refit of the
/// same kind may begin. Works in a pool of its own of `job.threads` threads. With fewer than ten users to choose or to
/// judge by, `popular` is taken by rule, so that a first event already gives a version.
///
/// # Errors
/// [`FitError::Unsuited`] when there is no row or no candidate can be fitted; [`FitError::Cancelled`]; and what the refit
/// of the chosen one says.
pub fn train(
    rows: impl Into<Arc<Interactions>>,
    plan: &Plan,
    live: Option<&RecipeSpec>,
    parent: Option<&Fitted>,
    job: &Job,
) -> Result<Outcome, FitError> {
    train_with(&candidates::recipe, rows, plan, live, parent, job)
}

/// [`train`] with recipes looked up in `recipes`.
///
/// # Errors
/// As [`train`].
pub fn train_with(
    recipes: Recipes<'_>,
    rows: impl Into<Arc<Interactions>>,
    plan: &Plan,
    live: Option<&RecipeSpec>,
    parent: Option<&Fitted>,
    job: &Job,
) -> Result<Outcome, FitError> {
    let rows = rows.into();
    pool::within(job.threads, || Run { recipes, plan, live, job }.run(&rows, parent))?
}

pub(super) struct Run<'a> {
    pub(super) recipes: Recipes<'a>,
    pub(super) plan: &'a Plan,
    pub(super) live: Option<&'a RecipeSpec>,
    pub(super) job: &'a Job,
}

/// The candidates on the holdout and what follows from them.
struct Judged {
    candidates: Vec<CandidateFigures>,
    chosen: RecipeSpec,
    verdict: GateVerdict,
}

impl Run<'_> {
    fn run(&self, rows: &Arc<Interactions>, parent: Option<&Fitted>) -> Result<Outcome, FitError> {
        self.step("prepare")?;
        if rows.is_empty() {
            return Err(FitError::Unsuited("there is no event to train on".into()));
        }
        let split = self.plan.protocol.split(rows.clone());
        let protocol = split.protocol;
        self.job.log(format!(
            "{} events, {protocol}: {} in train, {} users to test on, {:.1} % of the held-out pairs dropped",
            rows.len(),
            split.train.len(),
            split.test.len(),
            100.0 * split.dropped.pairs
        ));
        let Judged { candidates, chosen, verdict } = self.judge(rows, split)?;
        for reason in &verdict.reasons {
            self.job.log(reason.as_str());
        }
        let (mut fitted, mut probes) = (None, Probes::default());
        if verdict.passed {
            let refitted = self.refit(rows, &chosen, parent)?;
            probes = refitted.1;
            fitted = Some(refitted.0);
        }
        Ok(Outcome { protocol, candidates, chosen, verdict, fitted, probes })
    }

    /// The steps train, evaluate and gate.
    fn judge(&self, rows: &Arc<Interactions>, split: Split) -> Result<Judged, FitError> {
        self.step("train")?;
        let validation = split.validation();
        let fewest = split.test.len().min(validation.test.len());
        if fewest < LEAST_USERS {
            return self.by_rule(fewest);
        }
        // Dividing again costs a second per ten million rows, keeping train through the search 4 bytes for each.
        let again = split.protocol;
        drop(split);
        let (set, protocol) = (TestSet::new(&validation).of_at_most(self.plan.test_users), validation.protocol);
        drop(validation);
        let mut kinds = self.plan.search.run(&set, protocol, self.plan.metric, self.recipes, self.job)?;
        prune(&mut kinds, &set, self.plan.metric, self.recipes, self.job)?;
        drop(set);

        self.step("evaluate")?;
        let holdout = TestSet::new(&again.split(rows.clone())).of_at_most(self.plan.test_users);
        let (mut scored, live) = self.evaluate(&kinds, &holdout)?;
        drop(holdout);
        // The first in the order of the validation part; the next only where the first cannot be fitted on all of train.
        let usable = |(at, kind): &(usize, &Scored)| {
            kind.score(self.plan.metric).is_some() && scored.get(*at).is_some_and(|on| on.figures.error.is_none())
        };
        let Some(at) = kinds.iter().enumerate().find(usable).map(|(at, _)| at) else {
            return Err(FitError::Unsuited(format!("no candidate could be fitted: {}", errors(&kinds, &scored))));
        };
        if let Some(chosen) = scored.get_mut(at) {
            chosen.figures.chosen = true;
        }
        let Some(chosen) = scored.get(at).cloned() else {
            return Err(FitError::Unsuited("there is no candidate to train".into()));
        };

        self.step("gate")?;
        let rivals: Vec<Scored> = scored
            .iter()
            .filter(|other| gate::RIVALS.contains(&other.spec.kind.as_str()))
            .chain(&live)
            .cloned()
            .collect();
        let verdict = gate::judge(&chosen, &rivals, self.plan.metric, self.plan.margin);
        self.job.progress(1.0);

        let mut candidates: Vec<CandidateFigures> = kinds.into_iter().map(|kind| kind.figures).collect();
        if let Some(row) = candidates.get_mut(at) {
            row.chosen = true;
        }
        // Rivals that no one asked to train are in the table for their figures.
        candidates.extend(scored.into_iter().chain(live).map(|scored| scored.figures));
        Ok(Judged { candidates, chosen: chosen.spec, verdict })
    }

    /// Figures on the holdout of each kind's best, in the order given, then of rivals that are not among them; and of the
    /// live version's recipe.
    pub(super) fn evaluate(
        &self,
        kinds: &[Scored],
        holdout: &TestSet,
    ) -> Result<(Vec<Scored>, Option<Scored>), FitError> {
        let mut specs: Vec<RecipeSpec> = kinds.iter().map(|kind| kind.spec.clone()).collect();
        for rival in gate::RIVALS {
            if !specs.iter().any(|spec| spec.kind == rival) {
                specs.push(choose::of_kind(&[], rival));
            }
        }
        let all = specs.len() + usize::from(self.live.is_some());
        let assess = |at: usize, spec: &RecipeSpec| {
            choose::assess(spec, holdout, Part::Holdout, self.recipes, &choose::part_of(self.job, at, all))
        };
        let scored =
            specs.iter().enumerate().map(|(at, spec)| assess(at, spec)).collect::<Result<Vec<Scored>, FitError>>()?;
        let Some(live) = self.live else { return Ok((scored, None)) };
        let mut live = match scored.iter().find(|scored| scored.spec == *live) {
            Some(same) => same.clone(),
            None => assess(specs.len(), live)?,
        };
        live.figures.model = gate::LIVE.to_owned();
        self.job.progress(1.0);
        Ok((scored, Some(live)))
    }

    /// The choice where there are too few users to choose or to judge by.
    fn by_rule(&self, users: usize) -> Result<Judged, FitError> {
        let reason = format!(
            "only {users} users to choose or judge by, at least {LEAST_USERS} are needed: popular is taken by rule, without comparison"
        );
        self.job.progress(1.0);
        for step in ["evaluate", "gate"] {
            self.step(step)?;
            self.job.progress(1.0);
        }
        let mut chosen = choose::popular(&self.plan.search.specs);
        let recipe = (self.recipes)(&chosen).map_err(|unknown| FitError::Unsuited(unknown.to_string()))?;
        chosen.settings = recipe.settings();
        Ok(Judged { candidates: Vec::new(), chosen, verdict: GateVerdict { passed: true, reasons: vec![reason] } })
    }

    fn refit(
        &self,
        rows: &Arc<Interactions>,
        chosen: &RecipeSpec,
        parent: Option<&Fitted>,
    ) -> Result<(Fitted, Probes), FitError> {
        self.step("refit")?;
        let data = Dataset::new(rows.clone());
        let recipe = (self.recipes)(chosen).map_err(|unknown| FitError::Unsuited(unknown.to_string()))?;
        let parent = parent.filter(|parent| parent.recommender.kind() == recipe.kind());
        let fitted = candidates::fit(recipe.as_ref(), &data, parent, self.job)?;
        let probes = probes::take(&fitted, &data, self.plan.probes);
        self.job.progress(1.0);
        Ok((fitted, probes))
    }

    pub(super) fn step(&self, name: &'static str) -> Result<(), FitError> {
        self.job.check()?;
        self.job.step(name);
        Ok(())
    }
}

/// What each candidate that could not be fitted said.
fn errors(kinds: &[Scored], scored: &[Scored]) -> String {
    let told = |scored: &Scored| scored.figures.error.as_ref().map(|error| format!("{}: {error}", scored.spec.kind));
    let mut all: Vec<String> = kinds.iter().chain(scored).filter_map(told).collect();
    all.dedup();
    all.join("; ")
}
