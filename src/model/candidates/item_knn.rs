//! `item-knn`: an item's nearest neighbours by cosine with shrinkage.
//!
//! With `c` users who took both items and `a` and `b` who took each, the likeness is `c / (sqrt(a b) + shrinkage)`; who
//! did less than take an item (a view) counts by the strength of it.
//! A user's score for an item is the sum over the history of its likeness to the item, where the item is among the
//! neighbours. Sparse: a catalogue of any size.

#![expect(clippy::indexing_slicing, reason = "items are dense indices of the dataset")]

use rayon::prelude::*;
use serde::Deserialize;
use serde_json::json;

use super::Settings;
use super::cooccurrence::Taken;
use super::sparse::{SparseModel, keep_heaviest};
use crate::model::artifact::{ArtifactError, Tensors};
use crate::model::dataset::Dataset;
use crate::model::recommender::{Fitted, Recipe, Recommender};
use crate::model::training::job::{FitError, Job};
use crate::model::training::pool;

/// The kind's name.
pub const KIND: &str = "item-knn";

/// Of a user with more pairs only the latest count, or a few such users would cost more than all others.
const MOST_PAIRS: usize = 2_000;

/// The recipe.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ItemKnn {
    /// Neighbours kept per item, 1 to 10,000.
    pub neighbours: usize,
    /// Added to the divisor, so that few common takers count less; 0 or more.
    pub shrinkage: f64,
}

impl Settings for ItemKnn {
    fn check(&self) -> Result<(), String> {
        if !(1..=10_000).contains(&self.neighbours) {
            return Err("neighbours must be from 1 to 10000".into());
        }
        if !(self.shrinkage.is_finite() && self.shrinkage >= 0.0) {
            return Err("shrinkage must be 0 or more".into());
        }
        Ok(())
    }
}

impl Recipe for ItemKnn {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn settings(&self) -> serde_json::Value {
        json!({ "neighbours": self.neighbours, "shrinkage": self.shrinkage })
    }

    fn fit(&self, data: &Dataset, _parent: Option<&Fitted>, job: &Job) -> Result<Box<dyn Recommender>, FitError> {
        let taken = Taken::new(data, MOST_PAIRS);
        let masses: Vec<f64> = (0..data.items()).map(|item| taken.mass(item)).collect();
        let rows: Vec<Vec<(u32, f32)>> = pool::within(job.threads, || {
            (0..data.items())
                .into_par_iter()
                .map_init(
                    || (vec![0.0_f32; data.items()], Vec::new()),
                    |(counts, seen), item| {
                        job.check()?;
                        Ok(self.neighbours_of(item, &taken, &masses, counts, seen))
                    },
                )
                .collect::<Result<_, FitError>>()
        })??;
        Ok(Box::new(SparseModel::new(KIND, rows)))
    }
}

impl ItemKnn {
    /// The nearest neighbours of `item`, by index; `counts` is all 0 before and after.
    fn neighbours_of(
        &self,
        item: usize,
        taken: &Taken,
        masses: &[f64],
        counts: &mut [f32],
        seen: &mut Vec<u32>,
    ) -> Vec<(u32, f32)> {
        taken.each_with(item, false, |other, both| {
            if counts[other] == 0.0 {
                seen.push(other as u32);
            }
            counts[other] += both;
        });
        let own = masses[item];
        let mut near = Vec::with_capacity(seen.len());
        for other in seen.drain(..) {
            let at = other as usize;
            let both = f64::from(std::mem::take(&mut counts[at]));
            if at != item {
                let likeness = both / ((own * masses[at]).sqrt() + self.shrinkage);
                near.push((other, likeness as f32));
            }
        }
        keep_heaviest(&mut near, self.neighbours);
        near
    }
}

/// Reads back the neighbours.
pub fn load(tensors: Tensors) -> Result<Box<dyn Recommender>, ArtifactError> {
    Ok(Box::new(SparseModel::load(KIND, tensors)?))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{dataset, fitted, scores_for};
    use super::*;

    #[test]
    fn likeness_is_a_shrunk_cosine() {
        // Item 0: users 0, 1, 2; item 1: users 0, 1; item 2: user 2.
        let data =
            dataset(&[(0, 0, 1.0, 1), (1, 0, 1.0, 2), (2, 0, 1.0, 3), (0, 1, 1.0, 4), (1, 1, 1.0, 5), (2, 2, 1.0, 6)]);
        let recipe = ItemKnn { neighbours: 5, shrinkage: 1.0 };
        let expected = 2.0 / (6.0_f32.sqrt() + 1.0);
        let scores = scores_for(&recipe, &data, &[(0, 1.0)]);
        assert!((scores[1] - expected).abs() < 1e-6 && scores[0] == 0.0, "{scores:?}");
        let disliked = scores_for(&recipe, &data, &[(0, 1.0), (2, -1.0)]);
        assert!(disliked[0] < 0.0, "{disliked:?}");
        let mut one = vec![0.0; 3];
        assert!(fitted(&ItemKnn { neighbours: 1, ..recipe }, &data).recommender.similar(0, &mut one));
        assert_eq!(one.iter().filter(|&&score| score > 0.0).count(), 1);
    }
}
