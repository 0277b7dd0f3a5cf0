//! What a candidate is worth on a part of the data: never the rows that judge the chosen one, where it is to be chosen.

use std::time::Instant;

use crate::model::artifact::ArtifactError;
use crate::model::candidates;
use crate::model::evaluation::metrics::Metric;
use crate::model::evaluation::ranking::{Figures, TestSet};
use crate::model::manifest::CandidateFigures;
use crate::model::recommender::{Recipe, RecipeSpec};
use crate::model::training::job::{FitError, Job};

/// Fewer test users than this tell candidates apart no better than chance: [`POPULAR`] is then taken by rule.
pub const LEAST_USERS: usize = 10;

/// The kind that is taken by rule, and the first rival of every other.
pub const POPULAR: &str = "popular";

/// The part of a step's time that the fit is taken to need; the rest is ranking.
const FIT_SHARE: f32 = 0.7;

/// Finds the recipe that a spec names: [`candidates::recipe`], or a test's own.
pub type Recipes<'a> = &'a (dyn Fn(&RecipeSpec) -> Result<Box<dyn Recipe>, ArtifactError> + Sync);

/// A part of the data that figures are taken on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Held out of train, for the choice.
    Validation,
    /// Held out of all rows, for the verdict.
    Holdout,
}

impl Part {
    /// Its name in [`CandidateFigures::part`].
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Validation => "validation",
            Self::Holdout => "holdout",
        }
    }
}

/// A spec with its figures.
#[derive(Debug, Clone, PartialEq)]
pub struct Scored {
    /// Kind and settings, as the recipe itself writes them (defaults filled in), where there is such a recipe.
    pub spec: RecipeSpec,
    /// What it is worth; without metrics where it could not be fitted.
    pub figures: CandidateFigures,
}

impl Scored {
    /// A spec with what it is worth on `part`.
    #[must_use]
    pub fn new(spec: RecipeSpec, part: Part, judged: Figures, fit_seconds: f64) -> Self {
        let figures = CandidateFigures {
            model: spec.kind.clone(),
            chosen: false,
            part: part.name().to_owned(),
            metrics: judged.metrics,
            users: judged.users,
            fit_seconds,
            settings: spec.settings.clone(),
            error: None,
        };
        Self { spec, figures }
    }

    /// A spec that could not be fitted, and why.
    #[must_use]
    pub fn failed(spec: RecipeSpec, part: Part, error: String) -> Self {
        let mut scored = Self::new(spec, part, Figures::default(), 0.0);
        scored.figures.error = Some(error);
        scored
    }

    /// The figure compared by; none where it could not be fitted.
    #[must_use]
    pub fn score(&self, metric: Metric) -> Option<f64> {
        metric.of(&self.figures.metrics)
    }
}

/// A spec of `popular` with its default settings, or that of `specs` where there is one.
#[must_use]
pub fn popular(specs: &[RecipeSpec]) -> RecipeSpec {
    of_kind(specs, POPULAR)
}

/// The first spec of `kind` among `specs`, or one with the kind's default settings.
#[must_use]
pub fn of_kind(specs: &[RecipeSpec], kind: &str) -> RecipeSpec {
    let default = || RecipeSpec { kind: kind.to_owned(), settings: serde_json::json!({}) };
    specs.iter().find(|spec| spec.kind == kind).cloned().unwrap_or_else(default)
}

/// Fits `spec` on the set's train part and takes its figures on its test users. Always from nothing: a live model was
/// fitted on the held-out rows too, and must not be what a judged fit begins from.
///
/// # Errors
/// [`FitError::Cancelled`], and [`FitError::OutOfTime`] where there was no time to begin; every other failure is told in
/// the figures' `error`.
pub fn assess(
    spec: &RecipeSpec,
    set: &TestSet,
    part: Part,
    recipes: Recipes<'_>,
    job: &Job,
) -> Result<Scored, FitError> {
    job.check()?;
    let began = Instant::now();
    let mut spec = spec.clone();
    let mut fit_seconds = 0.0;
    let judged = match recipes(&spec) {
        Err(unknown) => Err(unknown.to_string()),
        Ok(recipe) => {
            spec.settings = recipe.settings();
            let fitted = candidates::fit(recipe.as_ref(), &set.data, None, &job.within(0.0, FIT_SHARE));
            fit_seconds = began.elapsed().as_secs_f64();
            let ranking = job.within(FIT_SHARE, 1.0);
            match fitted.and_then(|fitted| set.judge(&*fitted.recommender, job, &|share| ranking.progress(share))) {
                Ok(figures) => Ok(figures),
                Err(FitError::Cancelled) => return Err(FitError::Cancelled),
                Err(error) => Err(error.to_string()),
            }
        }
    };
    let (judged, error) = match judged {
        Ok(figures) => (figures, None),
        Err(error) => (Figures::default(), Some(error)),
    };
    let mut scored = Scored::new(spec, part, judged, fit_seconds);
    scored.figures.error = error;
    log(&scored.figures, job);
    Ok(scored)
}

fn log(figures: &CandidateFigures, job: &Job) {
    let (model, part, settings) = (&figures.model, &figures.part, &figures.settings);
    match (&figures.error, figures.metrics.get("ndcg@10")) {
        (Some(error), _) => job.log(format!("{model} {settings}, {part}: {error}")),
        (None, Some(ndcg)) => job.log(format!(
            "{model} {settings}, {part}: ndcg@10 {:.4} over {} users, fitted in {:.2} s",
            ndcg.mean, figures.users, figures.fit_seconds
        )),
        (None, None) => job.log(format!("{model} {settings}, {part}: nobody to test on")),
    }
}

/// The part of a step that belongs to the candidate `at` of `all`.
pub(crate) fn part_of(job: &Job, at: usize, all: usize) -> Job {
    let share = |at: usize| at as f32 / all.max(1) as f32;
    job.within(share(at), share(at + 1))
}

/// The figure compared by, the lowest of all where there is none.
pub(super) fn rank(scored: &Scored, metric: Metric) -> f64 {
    scored.score(metric).unwrap_or(f64::NEG_INFINITY)
}
