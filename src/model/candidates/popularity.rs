//! `popular` and `recent-popular`: one list for everybody.

#![expect(clippy::indexing_slicing, reason = "items are dense indices of the dataset")]

use serde::Deserialize;
use serde_json::json;

use super::{Settings, length};
use crate::model::artifact::{ArtifactError, Tensors};
use crate::model::dataset::Dataset;
use crate::model::interactions::NO_TIME;
use crate::model::order::nth;
use crate::model::recommender::{Fitted, Recipe, Recommender, Taste};
use crate::model::training::job::{FitError, Job};

/// The kind `popular`.
pub const POPULAR: &str = "popular";
/// The kind `recent-popular`.
pub const RECENT: &str = "recent-popular";

/// Items by how many users took them.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Popular {}

/// Items by how many users first took them in the last tenth of train's pairs; equal ones by how many did at any time.
/// Where no row has a time it is [`Popular`].
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecentPopular {}

impl Settings for Popular {}
impl Settings for RecentPopular {}

impl Recipe for Popular {
    fn kind(&self) -> &'static str {
        POPULAR
    }

    fn settings(&self) -> serde_json::Value {
        json!({})
    }

    fn fit(&self, data: &Dataset, _parent: Option<&Fitted>, job: &Job) -> Result<Box<dyn Recommender>, FitError> {
        job.check()?;
        Ok(Box::new(Popularity { kind: POPULAR, scores: takers(data).into_iter().map(|count| count as f32).collect() }))
    }
}

impl Recipe for RecentPopular {
    fn kind(&self) -> &'static str {
        RECENT
    }

    fn settings(&self) -> serde_json::Value {
        json!({})
    }

    fn fit(&self, data: &Dataset, _parent: Option<&Fitted>, job: &Job) -> Result<Box<dyn Recommender>, FitError> {
        job.check()?;
        // Pairs, not rows: who buys the same thing each day is still one user.
        let taken = || data.pairs.iter().filter(|pair| pair.weight > 0.0);
        let all = taken().count();
        let tenth = all.div_ceil(10);
        let since = nth(|| taken().map(|pair| pair.first_ms), all - tenth).unwrap_or(NO_TIME);
        let mut recent = vec![0.0; data.items()];
        let mut room = tenth;
        for pair in taken().filter(|pair| pair.first_ms > since) {
            recent[pair.item as usize] += 1.0;
            room -= 1;
        }
        if since != NO_TIME {
            // Of those taken just then as many as the tenth has room for, the last by item.
            let mut then: Vec<u32> = taken().filter(|pair| pair.first_ms == since).map(|pair| pair.item).collect();
            then.sort_unstable();
            for &item in then.iter().rev().take(room) {
                recent[item as usize] += 1.0;
            }
        }
        Ok(Box::new(Popularity { kind: RECENT, scores: with_fallback(&recent, data, 0.5) }))
    }
}

/// How many users took each item: pairs of positive weight.
pub fn takers(data: &Dataset) -> Vec<u32> {
    let mut counts = vec![0; data.items()];
    for pair in data.pairs.iter().filter(|pair| pair.weight > 0.0) {
        counts[pair.item as usize] += 1;
    }
    counts
}

/// `scores`, with what all time says in steps that add up to less than `share`, so that equal ones are told apart and
/// every item has a place. Where all scores are 0 it is the count of takers.
pub fn with_fallback(scores: &[f64], data: &Dataset, share: f64) -> Vec<f32> {
    let takers = takers(data);
    if scores.iter().all(|&score| score == 0.0) {
        return takers.into_iter().map(|count| count as f32).collect();
    }
    let step = share / (f64::from(takers.iter().copied().max().unwrap_or(0)) + 1.0);
    scores.iter().zip(takers).map(|(score, count)| (score + step * f64::from(count)) as f32).collect()
}

/// A score per item, the same for everybody.
pub struct Popularity {
    /// The kind's name.
    pub kind: &'static str,
    /// By item; finite.
    pub scores: Vec<f32>,
}

/// Reads back a popularity of the kind `kind`.
pub fn load(kind: &'static str, mut tensors: Tensors) -> Result<Box<dyn Recommender>, ArtifactError> {
    let items = length(&tensors, "scores")?;
    Ok(Box::new(Popularity { kind, scores: tensors.take_f32("scores", &[items])? }))
}

impl Recommender for Popularity {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn items(&self) -> usize {
        self.scores.len()
    }

    fn score_all(&self, _taste: &Taste<'_>, out: &mut [f32]) -> bool {
        out.copy_from_slice(&self.scores);
        true
    }

    fn score_some(&self, _taste: &Taste<'_>, items: &[u32], out: &mut [f32]) -> bool {
        for (score, &item) in out.iter_mut().zip(items) {
            *score = self.scores[item as usize];
        }
        true
    }

    fn personal(&self) -> bool {
        false
    }

    fn save(&self) -> Result<Tensors, ArtifactError> {
        Ok(Tensors::default().with_f32("scores", &[self.scores.len()], self.scores.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{dataset, scores_for};
    use super::*;

    #[test]
    fn popular_counts_users_and_not_rows_or_dislikes() {
        let data = dataset(&[
            (0, 0, 1.0, NO_TIME),
            (0, 0, 1.0, NO_TIME),
            (1, 1, 1.0, NO_TIME),
            (2, 1, 1.0, NO_TIME),
            (3, 0, -1.0, NO_TIME),
        ]);
        assert_eq!(scores_for(&Popular {}, &data, &[]), [1.0, 2.0]);
        assert_eq!(scores_for(&RecentPopular {}, &data, &[]), [1.0, 2.0]);
    }

    #[test]
    fn recent_popular_counts_the_last_tenth_and_falls_back_to_all_time() {
        // Eleven rows: the last two by time are the tenth, item 2 twice; item 0 was taken most, item 3 is as old as item 1.
        let mut rows: Vec<(u32, u32, f32, i64)> = (0..7).map(|user| (user, 0, 1.0, i64::from(user))).collect();
        rows.extend([(0, 1, 1.0, 7), (1, 1, 1.0, 8), (2, 2, 1.0, 9), (3, 2, 1.0, 10)]);
        let scores = scores_for(&RecentPopular {}, &dataset(&rows), &[]);
        assert!(scores[2] >= 2.0 && scores[0] < 0.5 && scores[0] > scores[1] && scores[1] > 0.0, "{scores:?}");
    }
}
