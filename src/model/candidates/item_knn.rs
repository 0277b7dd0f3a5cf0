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

use super::cooccurrence::Taken;
use super::history::{directions, summands};
use super::{Settings, length, shape};
use crate::model::artifact::{ArtifactError, Tensors};
use crate::model::dataset::Dataset;
use crate::model::recommender::{Fitted, Recipe, Recommender, Summand, Taste};
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
        Ok(Box::new(KnnModel::from_rows(&rows)))
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
        let closest = |a: &(u32, f32), b: &(u32, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
        if near.len() > self.neighbours {
            near.select_nth_unstable_by(self.neighbours - 1, closest);
            near.truncate(self.neighbours);
        }
        near.sort_unstable_by_key(|&(other, _)| other);
        near
    }
}

/// Neighbours in compressed rows.
struct KnnModel {
    /// `starts[i]..starts[i + 1]` are the neighbours of item `i`; one longer than the items.
    starts: Vec<u32>,
    neighbours: Vec<u32>,
    likeness: Vec<f32>,
}

impl KnnModel {
    fn from_rows(rows: &[Vec<(u32, f32)>]) -> Self {
        let mut model = Self { starts: vec![0], neighbours: Vec::new(), likeness: Vec::new() };
        for row in rows {
            model.neighbours.extend(row.iter().map(|&(other, _)| other));
            model.likeness.extend(row.iter().map(|&(_, likeness)| likeness));
            model.starts.push(u32::try_from(model.neighbours.len()).unwrap_or(u32::MAX));
        }
        model
    }

    /// The neighbours of `item`, ascending, and how alike they are.
    fn slices(&self, item: u32) -> (&[u32], &[f32]) {
        let row = self.starts[item as usize] as usize..self.starts[item as usize + 1] as usize;
        (&self.neighbours[row.clone()], &self.likeness[row])
    }

    fn row(&self, item: u32) -> impl Iterator<Item = (usize, f32)> {
        let (others, likeness) = self.slices(item);
        others.iter().map(|&other| other as usize).zip(likeness.iter().copied())
    }
}

/// Reads back the neighbours.
pub fn load(mut tensors: Tensors) -> Result<Box<dyn Recommender>, ArtifactError> {
    let (offsets, entries) = (length(&tensors, "starts")?, length(&tensors, "neighbours")?);
    let starts = tensors.take_u32("starts", &[offsets])?;
    let neighbours = tensors.take_u32("neighbours", &[entries])?;
    let likeness = tensors.take_f32("likeness", &[entries])?;
    let whole =
        starts.first() == Some(&0) && starts.last().map(|&last| last as usize) == Some(entries) && starts.is_sorted();
    if !whole {
        return Err(shape("starts", "it does not divide the neighbours into rows".into()));
    }
    if neighbours.iter().any(|&other| other as usize + 1 >= offsets) {
        return Err(shape("neighbours", "it names an item beyond the catalogue".into()));
    }
    Ok(Box::new(KnnModel { starts, neighbours, likeness }))
}

impl Recommender for KnnModel {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn items(&self) -> usize {
        self.starts.len() - 1
    }

    fn score_all(&self, taste: &Taste<'_>, out: &mut [f32]) -> bool {
        out.fill(0.0);
        let mut known = false;
        for (item, pull) in directions(taste.history, self.items()) {
            for (other, likeness) in self.row(item) {
                out[other] += pull * likeness;
                known |= pull > 0.0;
            }
        }
        known
    }

    fn similar(&self, item: u32, out: &mut [f32]) -> bool {
        out.fill(0.0);
        for (other, likeness) in self.row(item) {
            out[other] = likeness;
        }
        true
    }

    fn explain(&self, taste: &Taste<'_>, items: &[u32]) -> Option<Vec<Vec<Summand>>> {
        let directions = directions(taste.history, self.items());
        // A row stands in the order of items.
        let weight = |item, wanted: u32| {
            let (others, likeness) = self.slices(item);
            others.binary_search(&wanted).map_or(0.0, |place| likeness[place])
        };
        let known = directions.iter().any(|&(item, sign)| sign > 0.0 && !self.slices(item).0.is_empty());
        known.then(|| summands(&directions, items, weight))
    }

    fn save(&self) -> Result<Tensors, ArtifactError> {
        Ok(Tensors::default()
            .with_u32("starts", &[self.starts.len()], self.starts.clone())
            .with_u32("neighbours", &[self.neighbours.len()], self.neighbours.clone())
            .with_f32("likeness", &[self.likeness.len()], self.likeness.clone()))
    }
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
