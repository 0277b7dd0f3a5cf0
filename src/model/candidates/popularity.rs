//! `popular` and `recent-popular`: one list for everybody, and the lines that every other kind has to beat.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::artifact::{ArtifactError, Tensors};
use crate::model::dataset::{Dataset, Pair};
use crate::model::interactions::NO_TIME;
use crate::model::recommender::{Fitted, Recipe, Recommender, Taste};
use crate::model::training::job::{FitError, Job};

/// The share of the pairs, the latest ones, that `recent-popular` counts.
const RECENT: f64 = 0.1;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Popularity {
    /// The users of each item.
    AllTime,
    /// The users of each item among the last tenth of all pairs by the pair's first time; where times are missing, all.
    Recent,
}

/// Neither kind has a setting.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoSettings {}

/// A popularity, fitted.
struct Counts {
    kind: &'static str,
    scores: Arc<[f32]>,
}

impl Popularity {
    const fn name(self) -> &'static str {
        match self {
            Self::AllTime => "popular",
            Self::Recent => "recent-popular",
        }
    }

    /// Reads the model back.
    ///
    /// # Errors
    /// [`ArtifactError`] when the tensor is not there or not as it was written.
    pub fn load(self, mut tensors: Tensors) -> Result<Box<dyn Recommender>, ArtifactError> {
        let items = tensors.shape("scores")?.iter().product();
        let scores = tensors.take_f32("scores", &[items])?;
        Ok(Box::new(Counts { kind: self.name(), scores: scores.into() }))
    }
}

impl Recipe for Popularity {
    fn kind(&self) -> &'static str {
        self.name()
    }

    fn settings(&self) -> serde_json::Value {
        serde_json::json!({})
    }

    fn fit(&self, data: &Dataset, _: Option<&Fitted>, job: &Job) -> Result<Box<dyn Recommender>, FitError> {
        job.check()?;
        let all_time = count(data, |_| true);
        let scores = match (self, recent_from(data)) {
            (Self::Recent, Some(from)) => {
                // Items without a recent user follow in the order of all time, below every one that has.
                let most = all_time.iter().copied().fold(0.0, f32::max) + 1.0;
                let recent = count(data, |pair| pair.first_ms >= from);
                recent.iter().zip(&all_time).map(|(recent, all)| recent + all / most * TIE).collect()
            }
            _ => all_time,
        };
        Ok(Box::new(Counts { kind: self.name(), scores: scores.into() }))
    }
}

/// How much of a recent user all of all time is worth: enough to order items that have none, never enough to pass one.
const TIE: f32 = 1e-3;

/// The users of each item, of the pairs that `counts` lets in; dislikes are never counted.
fn count(data: &Dataset, counts: impl Fn(&Pair) -> bool) -> Vec<f32> {
    let mut scores = vec![0.0; data.items()];
    for pair in data.pairs.iter().filter(|pair| pair.weight > 0.0 && counts(pair)) {
        if let Some(score) = scores.get_mut(pair.item as usize) {
            *score += 1.0;
        }
    }
    scores
}

/// The time at which the last tenth of the pairs begins; none where a pair has no time.
fn recent_from(data: &Dataset) -> Option<i64> {
    let mut times: Vec<i64> = data.pairs.iter().map(|pair| pair.first_ms).collect();
    times.sort_unstable();
    let from = ((times.len() as f64) * (1.0 - RECENT)) as usize;
    (times.first() != Some(&NO_TIME)).then(|| times.get(from).copied()).flatten()
}

impl Recommender for Counts {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn items(&self) -> usize {
        self.scores.len()
    }

    fn score_all(&self, _: &Taste<'_>, out: &mut [f32]) -> bool {
        out.copy_from_slice(&self.scores);
        true
    }

    fn score_some(&self, _: &Taste<'_>, items: &[u32], out: &mut [f32]) -> bool {
        for (score, &item) in out.iter_mut().zip(items) {
            *score = self.scores.get(item as usize).copied().unwrap_or_default();
        }
        true
    }

    fn personal(&self) -> bool {
        false
    }

    fn save(&self) -> Result<Tensors, ArtifactError> {
        Ok(Tensors::default().with_f32("scores", &[self.scores.len()], self.scores.to_vec()))
    }
}
