//! A model that was fitted elsewhere, judged as the chosen candidate of a run is: the same figures on what is held out, the
//! same rivals, the same gate. It cannot be fitted anew on the train part alone: what its factors may have learnt from is
//! said by who brings them.

use std::sync::Arc;

use super::choose::{LEAST_USERS, Part, Scored};
use super::gate;
use super::job::{FitError, Job};
use super::pipeline::{Outcome, Plan, Run};
use super::pool;
use super::probes::{self, Probes};
use crate::model::candidates;
use crate::model::candidates::ials::{GivenFactors, Ials};
use crate::model::dataset::Dataset;
use crate::model::evaluation::ranking::TestSet;
use crate::model::evaluation::split;
use crate::model::ids::ItemId;
use crate::model::interactions::Interactions;
use crate::model::recommender::{Fitted, Recipe, RecipeSpec};

/// Factors from elsewhere, to become a version.
#[derive(Debug, Clone)]
pub struct Given {
    /// What is to answer.
    pub factors: GivenFactors,
    /// What is judged in its place: factors of the same training, fitted on less. None: `factors` themselves.
    pub judged: Option<GivenFactors>,
    /// How users are folded in.
    pub recipe: Ials,
    /// The time of the last event that what is judged was fitted on, milliseconds of the epoch; none where nobody said.
    pub until_ms: Option<i64>,
}

/// Judges the factors on `rows`: on what came after their time where it is known, else on what `plan` holds out, with the
/// verdict saying that they may have been fitted on it. `live` is the live version's recipe, fitted on the train part to
/// be held against them. The outcome has the model where the gate lets it pass.
///
/// # Errors
/// [`FitError::Unsuited`] where fewer than ten users have something to judge by, or where the recipe is out of range;
/// [`FitError::Cancelled`].
pub fn judge(
    given: &Given,
    rows: impl Into<Arc<Interactions>>,
    plan: &Plan,
    live: Option<&RecipeSpec>,
    job: &Job,
) -> Result<Outcome, FitError> {
    let rows = rows.into();
    let run = Run { recipes: &candidates::recipe, plan, live, job };
    pool::within(job.threads, || work(given, &rows, &run))?
}

fn work(given: &Given, rows: &Arc<Interactions>, run: &Run<'_>) -> Result<Outcome, FitError> {
    let (plan, job) = (run.plan, run.job);
    run.step("prepare")?;
    let split = match given.until_ms {
        Some(until_ms) => split::after(rows.clone(), until_ms),
        None => plan.protocol.split(rows.clone()),
    };
    let (protocol, users) = (split.protocol, split.test.len());
    if users < LEAST_USERS {
        let since = given.until_ms.map_or("", |_| " since the factors were fitted");
        return Err(FitError::Unsuited(format!(
            "only {users} users took something new{since}, at least {LEAST_USERS} are needed to judge the factors by"
        )));
    }
    let holdout = TestSet::new(&split).of_at_most(plan.test_users);
    drop(split);

    run.step("evaluate")?;
    let own = assess(given, &holdout, &job.within(0.0, 0.2))?;
    let (mut rivals, live) = run.evaluate(&[], &holdout)?;
    drop(holdout);
    rivals.extend(live);

    run.step("gate")?;
    let mut verdict = gate::judge_given(&own, &rivals, plan.metric, plan.margin);
    if given.until_ms.is_none() {
        verdict.reasons.push(
            "the factors may have been fitted on the holdout itself, and their figure be too good: nothing says up to \
             which time they were trained"
                .to_owned(),
        );
    }
    verdict.reasons.iter().for_each(|reason| job.log(reason.as_str()));
    let (mut fitted, mut probes) = (None, Probes::default());
    if verdict.passed {
        let model = model(given, &given.factors, Arc::new(given.factors.item_ids().to_vec()))?;
        probes = probes::take(&model, &Dataset::new(rows.clone()), plan.probes);
        fitted = Some(model);
    }
    job.progress(1.0);
    let (chosen, mut candidates) = (own.spec.clone(), vec![own.figures]);
    candidates.extend(rivals.into_iter().map(|rival| rival.figures));
    Ok(Outcome { protocol, candidates, chosen, verdict, fitted, probes })
}

/// The factors' figures on the holdout.
fn assess(given: &Given, holdout: &TestSet, job: &Job) -> Result<Scored, FitError> {
    let judged = given.judged.as_ref().unwrap_or(&given.factors);
    let model = model(given, judged, holdout.data.item_ids.clone())?;
    let figures = holdout.judge(&*model.recommender, job, &|share| job.progress(share))?;
    let spec = RecipeSpec { kind: given.recipe.kind().to_owned(), settings: given.recipe.settings() };
    let mut own = Scored::new(spec, Part::Holdout, figures, 0.0);
    own.figures.chosen = true;
    Ok(own)
}

fn model(given: &Given, factors: &GivenFactors, item_ids: Arc<Vec<ItemId>>) -> Result<Fitted, FitError> {
    factors.fitted(&given.recipe, item_ids).map_err(|error| FitError::Unsuited(error.to_string()))
}
