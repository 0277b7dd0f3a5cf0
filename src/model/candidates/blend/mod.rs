//! `blend`: taste joined with what sells lately.
//!
//! Taste is what one or more personal kinds say of a user, folded in from the history; what sells lately are
//! popularities of several half-lives, whose weights of opposite sign make a trend. All of it is joined on a
//! logarithmic scale, so that a score is a product of powers:
//! `score(u, i) = Σ w_p link(s_p(u, i)) + Σ w_k ln(c_k(i) + c)`. The weights are those of a conditional logit (McFadden
//! 1974; the listwise softmax of learning to rank), fitted on what users took in a part of the data that the parts did
//! not see; then the parts are fitted anew on all of it.
//! See `weights` for the fit and `trends` for the popularities.

mod model;
mod trends;
mod weights;

#[cfg(test)]
mod tests;

use rayon::prelude::*;
use serde::Deserialize;
use serde_json::json;

pub use model::load;
use model::{BlendModel, Link};
use trends::Trends;
use weights::Case;

use super::Settings;
use crate::model::dataset::Dataset;
use crate::model::evaluation::ranking::TestSet;
use crate::model::evaluation::split::Protocol;
use crate::model::recommender::{Fitted, Recipe, RecipeSpec, Recommender, Taste};
use crate::model::training::choose::LEAST_USERS;
use crate::model::training::job::{FitError, Job};
use crate::model::training::pool;

/// The kind's name.
pub const KIND: &str = "blend";

/// The most personal kinds that are joined.
const MOST_PARTS: usize = 4;

/// Scores kept while the weights are fitted, 4 bytes each; it bounds how many users they are fitted on.
const MOST_SCORES: usize = 4_000_000;

/// As many users are taken however large the catalogue is, and no more than these however small.
const USERS: std::ops::RangeInclusive<usize> = 200..=4000;

/// The recipe.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blend {
    /// The personal kinds with their settings, 1 to 4; none with a user table, none a blend.
    pub parts: Vec<RecipeSpec>,
    /// How the part of the data is divided off that the weights are fitted on.
    #[serde(default)]
    pub protocol: Protocol,
}

impl Settings for Blend {
    fn check(&self) -> Result<(), String> {
        if !(1..=MOST_PARTS).contains(&self.parts.len()) {
            return Err(format!("parts must be from 1 to {MOST_PARTS}"));
        }
        for part in &self.parts {
            if part.kind == KIND {
                return Err("a blend is no part of a blend".into());
            }
            super::recipe(part).map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}

impl Recipe for Blend {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn settings(&self) -> serde_json::Value {
        let whole = |part: &RecipeSpec| match super::recipe(part) {
            Ok(recipe) => RecipeSpec { kind: part.kind.clone(), settings: recipe.settings() },
            Err(_) => part.clone(),
        };
        json!({ "parts": self.parts.iter().map(whole).collect::<Vec<_>>(), "protocol": self.protocol })
    }

    fn fit(&self, data: &Dataset, _parent: Option<&Fitted>, job: &Job) -> Result<Box<dyn Recommender>, FitError> {
        let split = self.protocol.split(&data.source);
        if split.test.len() < LEAST_USERS {
            return Err(too_few(split.test.len()));
        }
        let set = TestSet::new(&split);
        drop(split);
        let trends = Trends::new(&set.data);
        let parts = self.fit_parts(&set.data, &job.within(0.0, 0.4))?;
        let (links, weights) = pool::within(job.threads, || fit_weights(&set, &parts, &trends, job))??;
        drop(parts);
        drop(set);
        job.progress(0.5);
        let parts = self.fit_parts(data, &job.within(0.5, 1.0))?;
        Ok(Box::new(BlendModel::new(parts, links, trends.on(data), weights)))
    }
}

impl Blend {
    fn fit_parts(&self, data: &Dataset, job: &Job) -> Result<Vec<Box<dyn Recommender>>, FitError> {
        let all = self.parts.len() as f32;
        let fit = |(at, spec): (usize, &RecipeSpec)| {
            let recipe = super::recipe(spec).map_err(|error| FitError::Unsuited(error.to_string()))?;
            let part = recipe.fit(data, None, &job.within(at as f32 / all, (at + 1) as f32 / all))?;
            if part.user_rows() > 0 || !part.personal() {
                return Err(FitError::Unsuited(format!(
                    "{} says nothing of a history and is no part of a blend",
                    spec.kind
                )));
            }
            Ok(part)
        };
        self.parts.iter().enumerate().map(fit).collect()
    }
}

/// The links of the parts' scores and the weights: a weight per part, then one per trend.
fn fit_weights(
    set: &TestSet,
    parts: &[Box<dyn Recommender>],
    trends: &Trends,
    job: &Job,
) -> Result<(Vec<Link>, Vec<f32>), FitError> {
    let items = set.data.items();
    let all = set.cases();
    let most = (MOST_SCORES / (items * parts.len()).max(1)).clamp(*USERS.start(), *USERS.end());
    let step = all.len().div_ceil(most).max(1);
    let asked: Vec<_> = all.step_by(step).filter(|case| !case.held_out.known().is_empty()).collect();
    let scored = asked.par_iter().map(|case| {
        job.check()?;
        let taste = Taste { user: None, history: &case.history, now_ms: case.now_ms };
        let scores = parts.iter().map(|part| {
            let mut scores = vec![0.0; items];
            if !part.score_all(&taste, &mut scores) {
                scores.fill(0.0);
            }
            scores
        });
        Ok(Case {
            tastes: scores.collect(),
            own: case.own.iter().map(|pair| pair.item).collect(),
            held_out: case.held_out,
        })
    });
    let mut cases = scored.collect::<Result<Vec<_>, FitError>>()?;
    if cases.len() < LEAST_USERS {
        return Err(too_few(cases.len()));
    }
    let links: Vec<Link> = parts.iter().enumerate().map(|(at, part)| Link::of(&**part, at, &cases)).collect();
    cases.par_iter_mut().for_each(|case| {
        for (link, scores) in links.iter().zip(&mut case.tastes) {
            scores.iter_mut().for_each(|score| *score = link.apply(*score));
        }
    });
    let weights = weights::fit(&cases, &trends.by_item(), &set.data.id_order, job)?;
    Ok((links, weights))
}

fn too_few(users: usize) -> FitError {
    FitError::Unsuited(format!(
        "only {users} users to fit the weights of a blend on, at least {LEAST_USERS} are needed"
    ))
}
