//! The search for settings: the best of each kind on a validation part of train, within a budget.
//!
//! Every kind is tried once, then the kinds take turns, the best first: each tries the next neighbour of its best
//! settings (one setting, one step), and moves there when that is better, until no neighbour is left untried, or the
//! budget is used up. A kind far behind the best gets no further tries. The popularities cost nearly nothing and are
//! never left out. A budget in trials gives the same choice each time; one in time depends on the machine.

use std::time::{Duration, Instant};

use super::choose::{Part, Recipes, Scored, assess, rank};
use crate::model::candidates::{CandidateOptions, Space};
use crate::model::evaluation::metrics::Metric;
use crate::model::evaluation::ranking::TestSet;
use crate::model::evaluation::split::Protocol;
use crate::model::manifest::CandidateFigures;
use crate::model::recommender::RecipeSpec;
use crate::model::training::job::{FitError, Job};

/// A kind whose best figure is below this share of the best of all is not searched any further.
const HOPEFUL: f64 = 0.6;

/// Kinds that are tried whatever the time: they are what the others are held against.
const FREE: [&str; 3] = ["popular", "recent-popular", "decayed-popular"];

/// How long a search may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Budget {
    /// As long as this; what has begun is stopped then.
    Time(Duration),
    /// As many fits in all, but at least one of each kind.
    Trials(usize),
}

impl Default for Budget {
    /// One fit of each kind.
    fn default() -> Self {
        Self::Trials(0)
    }
}

/// What is searched, and for how long.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Search {
    /// What each kind begins with; where there are several of a kind, each is tried; of equals the earlier is best.
    pub specs: Vec<RecipeSpec>,
    /// What may be tried beside them.
    pub options: CandidateOptions,
    /// How long.
    pub budget: Budget,
}

impl Search {
    /// The same search, each kind beginning with what an earlier one found best on its validation part.
    #[must_use]
    pub fn remembering(&self, found: &[CandidateFigures]) -> Self {
        let of_kind = |spec: &RecipeSpec| {
            found
                .iter()
                .find(|row| row.part == Part::Validation.name() && row.model == spec.kind && row.error.is_none())
        };
        let again = |spec: &RecipeSpec| {
            of_kind(spec).map_or_else(|| spec.clone(), |row| self.options.remembering(spec, &row.settings))
        };
        Self { specs: self.specs.iter().map(again).collect(), ..self.clone() }
    }

    /// Searches on the set, which was divided off by `protocol`. Gives the best of each kind: the best kind first,
    /// those that could not be fitted last; of equals the earlier in `specs`.
    ///
    /// # Errors
    /// [`FitError::Cancelled`].
    pub fn run(
        &self,
        set: &TestSet,
        protocol: Protocol,
        metric: Metric,
        recipes: Recipes<'_>,
        job: &Job,
    ) -> Result<Vec<Scored>, FitError> {
        let space = Space::new(&self.options, &set.data, protocol);
        let begun = Instant::now();
        let mut searching =
            Searching { search: self, set, metric, recipes, job, space, begun, kinds: Vec::new(), trials: 0 };
        searching.first_tries()?;
        while searching.round()? {}
        job.progress(1.0);
        let mut kinds: Vec<Scored> = searching.kinds.into_iter().map(|kind| kind.best).collect();
        // A stable sort: equals stay in the order of specs.
        kinds.sort_by(|a, b| rank(b, metric).total_cmp(&rank(a, metric)));
        Ok(kinds)
    }
}

/// One kind's part of the search.
struct Kind {
    best: Scored,
    tried: Vec<RecipeSpec>,
    /// How long the longest of its tries took.
    takes: Duration,
}

struct Searching<'a> {
    search: &'a Search,
    set: &'a TestSet,
    metric: Metric,
    recipes: Recipes<'a>,
    job: &'a Job,
    space: Space<'a>,
    begun: Instant,
    /// In the order of specs.
    kinds: Vec<Kind>,
    trials: usize,
}

impl Searching<'_> {
    /// Tries what each kind begins with.
    fn first_tries(&mut self) -> Result<(), FitError> {
        for spec in &self.search.specs {
            self.attempt(self.space.first(spec, &self.best()))?;
        }
        Ok(())
    }

    /// Lets each kind that may win try one neighbour of its best; false when nobody could.
    fn round(&mut self) -> Result<bool, FitError> {
        let mut order: Vec<usize> = (0..self.kinds.len()).collect();
        let ranks: Vec<f64> = self.kinds.iter().map(|kind| rank(&kind.best, self.metric)).collect();
        let of = |at: &usize| ranks.get(*at).copied().unwrap_or(f64::NEG_INFINITY);
        order.sort_by(|a, b| of(b).total_cmp(&of(a)));
        let bar = HOPEFUL * order.first().map_or(0.0, of);
        let mut tried = false;
        for at in order.into_iter().filter(|at| of(at).is_finite() && of(at) >= bar) {
            let Some(next) = self.kinds.get(at).filter(|kind| self.affords(kind)).and_then(|kind| self.next(kind))
            else {
                continue;
            };
            self.attempt(next)?;
            tried = true;
        }
        Ok(tried)
    }

    /// The neighbour of a kind's best that was not tried yet and promises most.
    fn next(&self, kind: &Kind) -> Option<RecipeSpec> {
        let untried = |spec: RecipeSpec| Some(self.whole(spec)).filter(|spec| !kind.tried.contains(spec));
        self.space.neighbours(&kind.best.spec, &self.best()).into_iter().find_map(untried)
    }

    /// The spec with its defaults filled in, so that equal ones are known as such.
    fn whole(&self, spec: RecipeSpec) -> RecipeSpec {
        match (self.recipes)(&spec) {
            Ok(recipe) => RecipeSpec { settings: recipe.settings(), ..spec },
            Err(_) => spec,
        }
    }

    /// The best specs of all kinds so far that could be fitted, best first.
    fn best(&self) -> Vec<RecipeSpec> {
        let mut best: Vec<&Scored> =
            self.kinds.iter().map(|kind| &kind.best).filter(|best| best.score(self.metric).is_some()).collect();
        best.sort_by(|a, b| rank(b, self.metric).total_cmp(&rank(a, self.metric)));
        best.into_iter().map(|best| best.spec.clone()).collect()
    }

    /// Whether there is as much left as another try of the kind is expected to need.
    fn affords(&self, kind: &Kind) -> bool {
        match self.search.budget {
            Budget::Time(time) => self.begun.elapsed() + kind.takes < time,
            Budget::Trials(trials) => self.trials < trials,
        }
    }

    /// Fits and judges one spec, and keeps it where it is its kind's best.
    fn attempt(&mut self, spec: RecipeSpec) -> Result<(), FitError> {
        let mut job = self.job.within(self.used(), self.used());
        if let Budget::Time(time) = self.search.budget
            && !FREE.contains(&spec.kind.as_str())
        {
            job = job.until(self.begun + time);
        }
        let began = Instant::now();
        let scored = match assess(&spec, self.set, Part::Validation, self.recipes, &job) {
            // The deadline had passed before it began.
            Err(FitError::OutOfTime) => Scored::failed(spec, Part::Validation, FitError::OutOfTime.to_string()),
            other => other?,
        };
        let takes = began.elapsed();
        self.trials += 1;
        let tried = scored.spec.clone();
        match self.kinds.iter_mut().find(|kind| kind.best.spec.kind == scored.spec.kind) {
            Some(kind) => {
                kind.takes = kind.takes.max(takes);
                kind.tried.push(tried);
                if rank(&scored, self.metric) > rank(&kind.best, self.metric) {
                    kind.best = scored;
                }
            }
            None => self.kinds.push(Kind { best: scored, tried: vec![tried], takes }),
        }
        self.job.progress(self.used());
        Ok(())
    }

    /// The share of the budget that is used up, 0 to 1.
    fn used(&self) -> f32 {
        let trials = |all: usize| self.trials as f32 / all.max(self.search.specs.len()).max(1) as f32;
        match self.search.budget {
            Budget::Time(time) => (self.begun.elapsed().as_secs_f32() / time.as_secs_f32().max(1e-3)).min(1.0),
            Budget::Trials(all) => trials(all).min(1.0),
        }
    }
}
