//! `neural-cf`: the original system's network, as it is served.
//!
//! It predicts how often a user buys a product, scaled per product between the least and the most frequent buyer, and is
//! trained on bought pairs only: no ranking model, kept for what it was. It answers users it was trained on.

#![expect(clippy::indexing_slicing, reason = "users and items are dense indices of the dataset")]

use serde::Deserialize;
use serde_json::json;

use super::{Settings, sizes};
use crate::model::artifact::{ArtifactError, Tensors};
use crate::model::dataset::Dataset;
use crate::model::recommender::{Fitted, Recipe, Recommender, Taste};
use crate::model::training::job::{FitError, Job};
use crate::model::training::network::{Example, Folded, HIDDEN, NetworkSettings, train};

/// The kind's name.
pub const KIND: &str = "neural-cf";

/// The recipe.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NeuralCf {
    /// Passes over the pairs, 1 to 1,000.
    pub epochs: usize,
    /// Pairs per step, 1 to 1,000,000.
    pub batch: usize,
    /// Adam's step size, above 0, 1 at most.
    pub learning_rate: f64,
    /// Share of the pairs held out, 0 to 0.5.
    pub held_out: f64,
}

impl Settings for NeuralCf {
    fn check(&self) -> Result<(), String> {
        if !(1..=1_000).contains(&self.epochs) {
            return Err("epochs must be from 1 to 1000".into());
        }
        if !(1..=1_000_000).contains(&self.batch) {
            return Err("batch must be from 1 to 1000000".into());
        }
        if !(self.learning_rate > 0.0 && self.learning_rate <= 1.0) {
            return Err("learning_rate must be above 0 and 1 at most".into());
        }
        if !(0.0..=0.5).contains(&self.held_out) {
            return Err("held_out must be from 0 to 0.5".into());
        }
        Ok(())
    }
}

impl Recipe for NeuralCf {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn settings(&self) -> serde_json::Value {
        json!({
            "epochs": self.epochs,
            "batch": self.batch,
            "learning_rate": self.learning_rate,
            "held_out": self.held_out,
        })
    }

    fn fit(&self, data: &Dataset, _parent: Option<&Fitted>, job: &Job) -> Result<Box<dyn Recommender>, FitError> {
        let settings = NetworkSettings {
            epochs: self.epochs,
            batch: self.batch,
            learning_rate: self.learning_rate,
            held_out: self.held_out,
        };
        let folded = train(&examples(data), data.users(), data.items(), &settings, job)?;
        Ok(Box::new(NeuralCfModel { folded }))
    }
}

/// The pairs of positive weight, their weights scaled to 0..=1 between the least and the greatest of each item's.
///
/// Where all weights of an item are equal the scaling is 0 / 0. Such an item says nothing about who likes it more, so
/// its pairs get the mean of all other targets: 1 would put every item bought once by a few above the whole catalogue, 0
/// below it. Where no item has two different weights every target is 0.5.
fn examples(data: &Dataset) -> Vec<Example> {
    let mut ranges = vec![(f32::INFINITY, f32::NEG_INFINITY); data.items()];
    let taken = || (0..data.users()).flat_map(|user| data.of(user).iter().map(move |pair| (user, pair)));
    let taken = || taken().filter(|(_, pair)| pair.weight > 0.0 && pair.weight.is_finite());
    for (_, pair) in taken() {
        let range = &mut ranges[pair.item as usize];
        *range = (range.0.min(pair.weight), range.1.max(pair.weight));
    }
    let (mut sum, mut count) = (0.0, 0_u64);
    let scaled: Vec<(Example, bool)> = taken()
        .map(|(user, pair)| {
            let (least, most) = ranges[pair.item as usize];
            let differ = most > least;
            let target = if differ { (pair.weight - least) / (most - least) } else { 0.0 };
            if differ {
                sum += f64::from(target);
                count += 1;
            }
            (Example { user: user as u32, item: pair.item, target }, differ)
        })
        .collect();
    let neutral = if count == 0 { 0.5 } else { (sum / count as f64) as f32 };
    scaled
        .into_iter()
        .map(|(example, differ)| if differ { example } else { Example { target: neutral, ..example } })
        .collect()
}

struct NeuralCfModel {
    folded: Folded,
}

impl NeuralCfModel {
    /// The folded row of a user who was trained.
    fn user(&self, taste: &Taste<'_>) -> Option<&[f32]> {
        let row = taste.user? as usize * HIDDEN;
        let row = self.folded.users.get(row..row + HIDDEN)?;
        row.iter().any(|&value| value != 0.0).then_some(row)
    }

    fn score(&self, user: &[f32], item: &[f32]) -> f32 {
        let hidden = user.iter().zip(item).map(|(user, item)| (user + item).max(0.0));
        hidden.zip(&self.folded.weights).map(|(value, weight)| value * weight).sum::<f32>() + self.folded.bias
    }
}

/// Reads back the folded tables.
pub fn load(mut tensors: Tensors) -> Result<Box<dyn Recommender>, ArtifactError> {
    let ([users, _], [items, _]) = (sizes(&tensors, "users")?, sizes(&tensors, "items")?);
    Ok(Box::new(NeuralCfModel {
        folded: Folded {
            users: tensors.take_f32("users", &[users, HIDDEN])?,
            items: tensors.take_f32("items", &[items, HIDDEN])?,
            weights: tensors.take_f32("weights", &[HIDDEN])?,
            bias: tensors.take_f32("bias", &[1])?.first().copied().unwrap_or(0.0),
        },
    }))
}

impl Recommender for NeuralCfModel {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn items(&self) -> usize {
        self.folded.items.len() / HIDDEN
    }

    fn user_rows(&self) -> usize {
        self.folded.users.len() / HIDDEN
    }

    fn score_all(&self, taste: &Taste<'_>, out: &mut [f32]) -> bool {
        let Some(user) = self.user(taste) else { return false };
        for (score, item) in out.iter_mut().zip(self.folded.items.chunks_exact(HIDDEN)) {
            *score = self.score(user, item);
        }
        true
    }

    fn score_some(&self, taste: &Taste<'_>, items: &[u32], out: &mut [f32]) -> bool {
        let Some(user) = self.user(taste) else { return false };
        for (score, &item) in out.iter_mut().zip(items) {
            *score = self.score(user, &self.folded.items[item as usize * HIDDEN..][..HIDDEN]);
        }
        true
    }

    fn save(&self) -> Result<Tensors, ArtifactError> {
        Ok(Tensors::default()
            .with_f32("users", &[self.user_rows(), HIDDEN], self.folded.users.clone())
            .with_f32("items", &[self.items(), HIDDEN], self.folded.items.clone())
            .with_f32("weights", &[HIDDEN], self.folded.weights.clone())
            .with_f32("bias", &[1], vec![self.folded.bias]))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::dataset;
    use super::*;

    #[test]
    fn targets_are_scaled_per_item_and_equal_counts_are_neutral() {
        let data =
            dataset(&[(0, 0, 1.0, 0), (1, 0, 3.0, 0), (2, 0, 2.0, 0), (0, 1, 1.0, 0), (1, 1, 1.0, 0), (2, 1, -1.0, 0)]);
        let targets: Vec<(u32, u32, f32)> = examples(&data).iter().map(|e| (e.user, e.item, e.target)).collect();
        assert_eq!(targets, [(0, 0, 0.0), (0, 1, 0.5), (1, 0, 1.0), (1, 1, 0.5), (2, 0, 0.5)]);
        assert_eq!(examples(&dataset(&[(0, 0, 2.0, 0)]))[0].target, 0.5);
    }
}
