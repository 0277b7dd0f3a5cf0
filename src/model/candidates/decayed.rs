//! `decayed-popular`: items by their rows, each halved per half-life since it happened.

#![expect(clippy::indexing_slicing, reason = "items are dense indices of the dataset")]

use serde::Deserialize;
use serde_json::json;

use super::Settings;
use super::popularity::{Popularity, with_fallback};
use crate::model::dataset::Dataset;
use crate::model::interactions::NO_TIME;
use crate::model::recommender::{Fitted, Recipe, Recommender};
use crate::model::training::job::{FitError, Job};

/// The kind's name.
pub const KIND: &str = "decayed-popular";

/// The half-lives that a run tries.
pub const HALF_LIVES_DAYS: [f64; 6] = [1.0, 3.0, 7.0, 14.0, 30.0, 90.0];

const DAY_MS: f64 = 86_400_000.0;

/// Items by decayed count as of the last row. All counts decay alike, so the order holds at any later time.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecayedPopular {
    /// After this many days a row counts half.
    pub half_life_days: f64,
}

impl Settings for DecayedPopular {
    fn check(&self) -> Result<(), String> {
        if self.half_life_days.is_finite() && self.half_life_days > 0.0 {
            return Ok(());
        }
        Err("half_life_days must be above 0".into())
    }
}

impl Recipe for DecayedPopular {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn settings(&self) -> serde_json::Value {
        json!({ "half_life_days": self.half_life_days })
    }

    fn fit(&self, data: &Dataset, _parent: Option<&Fitted>, job: &Job) -> Result<Box<dyn Recommender>, FitError> {
        job.check()?;
        let mut counts = vec![0.0; data.items()];
        let last = data.timeline.last().map_or(NO_TIME, |row| row.1);
        for &(item, time) in data.timeline.iter().filter(|row| row.1 != NO_TIME) {
            let days = (last as f64 - time as f64) / DAY_MS;
            counts[item as usize] += (-days / self.half_life_days).exp2();
        }
        Ok(Box::new(Popularity { kind: KIND, scores: with_fallback(&counts, data, 1e-6) }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{dataset, scores_for};
    use super::*;

    #[test]
    fn a_row_counts_half_after_the_half_life() {
        let day = 86_400_000;
        let data = dataset(&[(0, 0, 1.0, 0), (1, 0, 1.0, 0), (0, 1, 1.0, 2 * day), (1, 2, 1.0, 4 * day)]);
        let scores = scores_for(&DecayedPopular { half_life_days: 2.0 }, &data, &[]);
        for (score, expected) in scores.iter().zip([0.5, 0.5, 1.0]) {
            assert!((score - expected).abs() < 1e-5, "{scores:?}");
        }
        assert!(scores[0] > scores[1], "equal ones go by takers: {scores:?}");
    }
}
