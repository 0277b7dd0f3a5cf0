//! `decayed-popular`: items by their takers, each halved per half-life since the item was first taken by that user.
//!
//! Takers and not rows: who refills a cupboard each week says little of what others will take next.

#![expect(clippy::indexing_slicing, reason = "items are dense indices of the dataset")]

use serde::Deserialize;
use serde_json::json;

use super::Settings;
use super::popularity::{Popularity, with_fallback};
use crate::model::dataset::Dataset;
use crate::model::interactions::NO_TIME;
use crate::model::order::nth;
use crate::model::recommender::{Fitted, Recipe, Recommender};
use crate::model::training::job::{FitError, Job};

/// The kind's name.
pub const KIND: &str = "decayed-popular";

/// Milliseconds of a day.
pub const DAY_MS: f64 = 86_400_000.0;

/// Items by decayed count of takers as of the last one. All counts decay alike, so the order holds at any later time.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecayedPopular {
    /// After this many days a taker counts half.
    pub half_life_days: f64,
}

impl Settings for DecayedPopular {
    fn check(&self) -> Result<(), String> {
        check_half_life(self.half_life_days)
    }
}

/// Says when days are no half-life.
pub fn check_half_life(days: f64) -> Result<(), String> {
    if days.is_finite() && days > 0.0 { Ok(()) } else { Err("half_life_days must be above 0".into()) }
}

/// The takers of each item (pairs of positive weight that have a time, by their strength), each halved per
/// `half_life_days` that the pair is older than the newest one.
pub fn decayed_takers(data: &Dataset, half_life_days: f64) -> Vec<f64> {
    let timed = || data.pairs.iter().filter(|pair| pair.weight > 0.0 && pair.first_ms != NO_TIME);
    let last = timed().map(|pair| pair.first_ms).max().unwrap_or(NO_TIME);
    let mut counts = vec![0.0; data.items()];
    for pair in timed() {
        let days = (last as f64 - pair.first_ms as f64) / DAY_MS;
        counts[pair.item as usize] += f64::from(pair.strength()) * (-days / half_life_days).exp2();
    }
    counts
}

/// The half-life by which pairs count as many as each item of the catalogue being taken `per_item` times: long where
/// little happens, short where much does, so that counts have the same noise in any shop. `times` gives the times of the
/// pairs of positive weight that have one. None where that many pairs take no time at all, and where there are not that
/// many.
pub fn half_life_of<I: Iterator<Item = i64>>(times: impl Fn() -> I, items: usize, per_item: f64) -> Option<f64> {
    // Taken at a steady pace, pairs of mean age `w` count as many as came within the last `w`.
    let pairs = (per_item * items as f64).ceil().max(1.0) as usize;
    let first = nth(&times, times().count().checked_sub(pairs)?)?;
    let days = (times().max()? as f64 - first as f64) / DAY_MS * std::f64::consts::LN_2;
    (days > 0.0).then_some(days)
}

/// The times of the pairs of positive weight that have one: what [`half_life_of`] reads.
pub fn taking_times(data: &Dataset) -> impl Iterator<Item = i64> {
    data.pairs.iter().filter(|pair| pair.weight > 0.0 && pair.first_ms != NO_TIME).map(|pair| pair.first_ms)
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
        let counts = decayed_takers(data, self.half_life_days);
        Ok(Box::new(Popularity { kind: KIND, scores: with_fallback(&counts, data, 1e-6) }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{dataset, scores_for};
    use super::*;

    #[test]
    fn a_taker_counts_half_after_the_half_life_and_once() {
        let day = 86_400_000;
        let rows = [(0, 0, 1.0, 0), (1, 0, 1.0, 0), (0, 1, 1.0, 2 * day), (1, 2, 1.0, 4 * day), (0, 0, 1.0, 5 * day)];
        let scores = scores_for(&DecayedPopular { half_life_days: 2.0 }, &dataset(&rows), &[]);
        for (score, expected) in scores.iter().zip([0.5, 0.5, 1.0]) {
            assert!((score - expected).abs() < 1e-5, "{scores:?}");
        }
        assert!(scores[0] > scores[1], "equal ones go by takers: {scores:?}");
    }

    #[test]
    fn the_half_life_follows_the_pace() {
        let day = 86_400_000;
        let times: Vec<i64> = (0..=100).map(|n| n * day).collect();
        // Ten items taken four times each: 40 pairs, the first of them 39 days before the last.
        let days = half_life_of(|| times.iter().copied(), 10, 4.0).unwrap();
        assert!((days - 39.0 * std::f64::consts::LN_2).abs() < 1e-9, "{days}");
        let hourly: Vec<i64> = times.iter().map(|time| time / 24).collect();
        assert!((half_life_of(|| hourly.iter().copied(), 10, 4.0).unwrap() - days / 24.0).abs() < 1e-9);
        assert_eq!(half_life_of(|| times.iter().copied(), 10, 16.0), None, "there are only 101 pairs");
        assert_eq!(half_life_of(|| [day; 50].into_iter(), 10, 4.0), None, "no time passed");
        assert_eq!(half_life_of(std::iter::empty, 1, 1.0), None);
    }
}
