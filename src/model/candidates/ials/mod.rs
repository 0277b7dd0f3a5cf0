//! `ials`: alternating least squares on implicit feedback, after Rendle et al., "Revisiting the Performance of iALS on
//! Item Recommendation Benchmarks" (2021): a weight for what was not taken, and regularisation that grows with how often a
//! user or item occurs. By a setting it minimises what Hu, Koren and Volinsky (2008) do instead, as Spark's ALS does, so that
//! users are folded in on factors that were fitted elsewhere as they would be there.
//!
//! Rows are solved by a few steps of conjugate gradients (Takács et al. 2011), each in time linear in the row's pairs. There
//! is no user table: a user's factors come from the history when they are asked for. Dislikes are no positives; at fold-in
//! they pull an item's score to -1. Confidences at fold-in may fade with age. Time and memory grow with the pairs and with the factors of both sides.

mod axes;
mod explain;
mod factors;
mod given;
mod model;
mod positives;
mod preconditioner;
#[cfg(test)]
mod tests;
mod training;

use serde::{Deserialize, Serialize};

use super::decayed::check_half_life;
use super::warm::is_warm;
use super::{Settings, read};
use crate::model::artifact::{ArtifactError, Tensors};
use crate::model::dataset::Dataset;
use crate::model::kernels::Simd;
use crate::model::recommender::{Fitted, Recipe, RecipeSpec, Recommender};
use crate::model::training::job::{FitError, Job};
use crate::model::training::pool;

pub use factors::{Factors, Row};
pub use given::{GivenError, GivenFactors, SparkSettings};
pub use positives::{Entries, Positives, Rows};
use preconditioner::Expected;
pub use training::{Alternation, drawn};

/// The kind's name.
pub const KIND: &str = "ials";

/// The most factors of an item.
pub const MOST_FACTORS: usize = 1_024;

/// Histories weigh up to about this; longer ones are solved as well, in a few steps more.
const USUAL_HISTORY: f32 = 256.0;

/// Pairs of a row in the middle, about.
const USUAL_PAIRS: usize = 16;

/// What is minimised. With `c` a pair's confidence, `n` the positives of a user or item and α₀, λ, ν of [`Ials`]:
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Objective {
    /// Rendle et al. (2021): `Σ_positives c (1 - u·i)² + α₀ Σ_all (u·i)²`, with `λ (n + α₀ others)^ν` as the weight of a
    /// squared length. A positive counts as one that was not taken, too.
    #[default]
    Rendle,
    /// Hu, Koren and Volinsky, "Collaborative Filtering for Implicit Feedback Datasets" (2008), regularised as Zhou et al.
    /// (2008) do, which is what Spark's ALS minimises: `Σ_positives (α₀ + c) (1 - u·i)² + α₀ Σ_others (u·i)²`, with `λ n^ν`.
    Hu,
}

impl Objective {
    /// Whether it is the one that nothing is said of.
    fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

/// The recipe.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ials {
    /// Factors per user and item, 1 to 1,024.
    pub factors: usize,
    /// What is minimised; written only where it is not the usual one.
    #[serde(skip_serializing_if = "Objective::is_usual")]
    pub objective: Objective,
    /// α₀: the weight of every pair as one that was not taken, beside 1 of a usual positive; above 0.
    pub unobserved: f64,
    /// λ: the regularisation; above 0.
    pub regularization: f64,
    /// ν: how regularisation grows with the pairs of a user or item, 0 (not at all) to 1 (in proportion).
    pub nu: f64,
    /// ρ: how a positive's confidence grows with its weight, 0 (not at all) to 1 (in proportion, within bounds).
    pub weight_power: f64,
    /// In days: a liked item counts half as much at fold-in per half-life that it is older than the history's latest; 0:
    /// every age counts alike.
    pub half_life_days: f64,
    /// Passes over users and items, 1 to 1,000.
    pub iterations: usize,
    /// Passes where a parent's factors are at hand, 1 to 1,000.
    pub warm_iterations: usize,
}

impl Default for Ials {
    fn default() -> Self {
        Self {
            factors: 128,
            objective: Objective::Rendle,
            unobserved: 1.0,
            regularization: 0.002,
            nu: 1.0,
            weight_power: 0.0,
            half_life_days: 0.0,
            iterations: 12,
            warm_iterations: 3,
        }
    }
}

impl Settings for Ials {
    fn check(&self) -> Result<(), String> {
        if !(1..=MOST_FACTORS).contains(&self.factors) {
            return Err(format!("factors must be from 1 to {MOST_FACTORS}"));
        }
        for (name, value) in [("unobserved", self.unobserved), ("regularization", self.regularization)] {
            if !(1e-6..=1e6).contains(&value) {
                return Err(format!("{name} must be from 0.000001 to 1000000"));
            }
        }
        for (name, value) in [("nu", self.nu), ("weight_power", self.weight_power)] {
            if !(0.0..=1.0).contains(&value) {
                return Err(format!("{name} must be from 0 to 1"));
            }
        }
        if self.half_life_days != 0.0 {
            check_half_life(self.half_life_days)?;
        }
        for (name, value) in [("iterations", self.iterations), ("warm_iterations", self.warm_iterations)] {
            if !(1..=1_000).contains(&value) {
                return Err(format!("{name} must be from 1 to 1000"));
            }
        }
        Ok(())
    }
}

impl Ials {
    /// How much a pair of `weight` counts beside one whose weight is in the `middle` of all: an eighth to eightfold.
    #[must_use]
    pub fn confidence(&self, weight: f32, middle: f32) -> f32 {
        (weight.abs() / middle).powf(self.weight_power as f32).clamp(0.125, 8.0)
    }

    /// The least-squares problem of a user or item with these pairs, `others` rows being on the other side.
    #[must_use]
    pub fn row<'a>(&self, columns: &'a [u32], weights: &'a [f32], others: usize) -> Row<'a> {
        let (ridge, unobserved) = (self.ridge(columns.len(), others), self.unobserved as f32);
        let again = if self.objective == Objective::Hu { unobserved } else { 0.0 };
        Row { columns, weights, unobserved, again, ridge }
    }

    /// The weight of the squared length of a row with `pairs` positives.
    fn ridge(&self, pairs: usize, others: usize) -> f32 {
        let frequency = match self.objective {
            Objective::Rendle => pairs as f64 + self.unobserved * others as f64,
            Objective::Hu => pairs.max(1) as f64,
        };
        (self.regularization * frequency.powf(self.nu)) as f32
    }

    /// What `rows` are like, which are solved for given the factors of `others`.
    fn expected(&self, rows: &impl Rows, others: &impl Rows) -> Expected {
        let of_others = weights(others);
        let all: f32 = of_others.iter().sum();
        Expected {
            most: weights(rows).into_iter().fold(1.0, f32::max),
            shares: of_others.into_iter().map(|weight| weight / all).collect(),
            ..self.expected_histories(others.len())
        }
    }

    /// What the histories of users are like who come after the fit, `items` being the other side.
    fn expected_histories(&self, items: usize) -> Expected {
        let pairs = if self.objective == Objective::Hu { USUAL_PAIRS } else { 0 };
        let (ridge, unobserved) = (self.ridge(pairs, items), self.unobserved as f32);
        Expected { ridge, unobserved, most: USUAL_HISTORY, shares: vec![1.0 / items as f32; items] }
    }
}

impl Recipe for Ials {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn settings(&self) -> serde_json::Value {
        serde_json::json!(self)
    }

    fn fit(&self, data: &Dataset, parent: Option<&Fitted>, job: &Job) -> Result<Box<dyn Recommender>, FitError> {
        let confidence = |weight: f32, middle: f32| self.confidence(weight, middle);
        let Some(positives) = Positives::new(data, confidence) else {
            return Err(FitError::Unsuited("no user took anything: there are only dislikes to train on".into()));
        };
        let mut table = drawn(data.items(), self.factors, job.seed);
        let inherited = match parent {
            Some(parent) => training::inherit(&mut table, self.factors, &data.item_ids, parent)?,
            None => 0,
        };
        let iterations = if is_warm(inherited, data.items()) { self.warm_iterations } else { self.iterations };
        let items = pool::within(job.threads, || {
            let mut alternation = Alternation::new(self, &positives, Simd::widest(), table);
            for iteration in 1..=iterations {
                alternation.step(job)?;
                job.progress(iteration as f32 / iterations as f32);
            }
            Ok::<_, FitError>(alternation.items.for_rows(self.expected_histories(data.items())))
        })??;
        if !items.table().iter().all(|value| value.is_finite()) {
            return Err(FitError::NotFinite("a factor of ials".into()));
        }
        Ok(Box::new(model::IalsModel::new(self.clone(), items.turned(self.factors), positives.middle)))
    }
}

/// The sum of each row's weights.
fn weights(rows: &impl Rows) -> Vec<f32> {
    let mut entries = Entries::default();
    (0..rows.len()).map(|row| rows.of(row, &mut entries).1.iter().sum()).collect()
}

/// Reads back the items' factors.
pub fn load(spec: &RecipeSpec, tensors: Tensors) -> Result<Box<dyn Recommender>, ArtifactError> {
    model::load(read(spec)?, tensors)
}
