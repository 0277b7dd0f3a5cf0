//! `ease`, the closed-form item-item model of Steck, "Embarrassingly Shallow Autoencoders for Sparse Data" (WWW 2019).
//!
//! With the binary users x items matrix X, G = XᵀX + λI and P = G⁻¹, the weights are B = I - P diag(1 / diag P), whose
//! diagonal is 0. A user's scores are the sum of the rows of B for the items in the history, a dislike counting against.
#![expect(clippy::indexing_slicing, reason = "matrices are items x items, and items index them")]

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::{factor, inverse};
use faer::{Mat, Par};
use serde::{Deserialize, Serialize};

use crate::model::artifact::{ArtifactError, Tensors};
use crate::model::dataset::Dataset;
use crate::model::recommender::{Acted, Fitted, Recipe, Recommender, Taste};
use crate::model::training::job::{FitError, Job};

/// The kind's name.
pub const KIND: &str = "ease";

/// Users between two looks at the cancel flag.
const USERS_PER_CHECK: usize = 256;

/// The latest of a history's items that are summed; a request's time is bounded by it.
const HISTORY: usize = 500;

/// Settings of the recipe.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ease {
    /// λ, the weight of the squared weights; greater than 0. More of it follows popularity more closely.
    pub lambda: f32,
    /// The largest catalogue: memory grows with its square, time with its cube.
    pub max_items: usize,
}

impl Default for Ease {
    fn default() -> Self {
        Self { lambda: 200.0, max_items: 10_000 }
    }
}

/// The fitted weights, row-major: row i is what having item i adds to every item's score.
struct ItemWeights {
    items: usize,
    weights: Vec<f32>,
}

/// Reads the model back.
///
/// # Errors
/// [`ArtifactError`] when the tensor is not there or not square.
pub fn load(mut tensors: Tensors) -> Result<Box<dyn Recommender>, ArtifactError> {
    let items = tensors.shape("weights")?.first().copied().unwrap_or_default();
    let weights = tensors.take_f32("weights", &[items, items])?;
    Ok(Box::new(ItemWeights { items, weights }))
}

impl Recipe for Ease {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn settings(&self) -> serde_json::Value {
        serde_json::json!(self)
    }

    fn fit(&self, data: &Dataset, _: Option<&Fitted>, job: &Job) -> Result<Box<dyn Recommender>, FitError> {
        let items = data.items();
        if items > self.max_items {
            let max = self.max_items;
            return Err(FitError::Unsuited(format!("{items} items, and training.ease_max_items is {max}")));
        }
        if !(self.lambda > 0.0 && self.lambda.is_finite()) {
            return Err(FitError::Unsuited(format!("lambda must be greater than 0, it is {}", self.lambda)));
        }
        let gram = gram(data, self.lambda, job)?;
        job.progress(0.3);
        let inverse = inverted(gram, job)?;
        job.progress(0.9);
        let weights = weights(&inverse);
        if !weights.iter().all(|weight| weight.is_finite()) {
            return Err(FitError::NotFinite("a weight of ease".to_owned()));
        }
        Ok(Box::new(ItemWeights { items, weights }))
    }
}

/// The lower half of XᵀX + λI.
fn gram(data: &Dataset, lambda: f32, job: &Job) -> Result<Mat<f32>, FitError> {
    let mut gram = Mat::<f32>::zeros(data.items(), data.items());
    let mut liked: Vec<usize> = Vec::new();
    for user in 0..data.users() {
        if user % USERS_PER_CHECK == 0 {
            job.check()?;
        }
        liked.clear();
        liked.extend(data.of(user).iter().filter(|pair| pair.weight > 0.0).map(|pair| pair.item as usize));
        liked.sort_unstable();
        for (place, &column) in liked.iter().enumerate() {
            // Columns are contiguous, and rows at or below the diagonal are the ones that are read.
            let column = gram.col_as_slice_mut(column);
            for &row in &liked[place..] {
                column[row] += 1.0;
            }
        }
    }
    for item in 0..data.items() {
        gram[(item, item)] += lambda;
    }
    Ok(gram)
}

/// The lower half of the inverse of a positive definite matrix given by its lower half.
fn inverted(mut gram: Mat<f32>, job: &Job) -> Result<Mat<f32>, FitError> {
    let items = gram.nrows();
    let par = if job.threads > 1 { Par::rayon(job.threads) } else { Par::Seq };
    let params = faer::Spec::default();
    let mut memory = MemBuffer::new(factor::cholesky_in_place_scratch::<f32>(items, par, params));
    factor::cholesky_in_place(gram.as_mut(), Default::default(), par, MemStack::new(&mut memory), params)
        .map_err(|error| FitError::Library(format!("ease: the matrix could not be factored: {error:?}")))?;
    job.check()?;
    let mut inverse = Mat::<f32>::zeros(items, items);
    let mut memory = MemBuffer::new(inverse::inverse_scratch::<f32>(items, par));
    inverse::inverse(inverse.as_mut(), gram.as_ref(), par, MemStack::new(&mut memory));
    job.check()?;
    Ok(inverse)
}

/// B, row-major, from the lower half of P.
fn weights(inverse: &Mat<f32>) -> Vec<f32> {
    let items = inverse.nrows();
    let scale: Vec<f32> = (0..items).map(|item| -1.0 / inverse[(item, item)]).collect();
    let mut weights = vec![0.0; items * items];
    for column in 0..items {
        for (row, &value) in inverse.col_as_slice(column).iter().enumerate().skip(column + 1) {
            weights[row * items + column] = value * scale[column];
            weights[column * items + row] = value * scale[row];
        }
    }
    weights
}

impl ItemWeights {
    fn row(&self, item: u32) -> &[f32] {
        let start = item as usize * self.items;
        &self.weights[start..start + self.items]
    }

    /// The distinct items of the latest part of a history, each with the sign of its latest action.
    fn signs(history: &[Acted]) -> Vec<(u32, f32)> {
        let mut signs: Vec<(u32, f32)> = Vec::with_capacity(history.len().min(HISTORY));
        let mut seen = std::collections::HashSet::with_capacity(history.len().min(HISTORY));
        for acted in history.iter().rev() {
            if acted.weight != 0.0 && seen.insert(acted.item) {
                signs.push((acted.item, acted.weight.signum()));
            }
            if signs.len() == HISTORY {
                break;
            }
        }
        signs
    }
}

impl Recommender for ItemWeights {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn items(&self) -> usize {
        self.items
    }

    fn score_all(&self, taste: &Taste<'_>, out: &mut [f32]) -> bool {
        let signs = Self::signs(taste.history);
        out.fill(0.0);
        for &(item, sign) in &signs {
            for (score, weight) in out.iter_mut().zip(self.row(item)) {
                *score += sign * weight;
            }
        }
        !signs.is_empty()
    }

    fn score_some(&self, taste: &Taste<'_>, items: &[u32], out: &mut [f32]) -> bool {
        let signs = Self::signs(taste.history);
        for (score, &wanted) in out.iter_mut().zip(items) {
            *score = signs.iter().fold(0.0, |sum, &(item, sign)| sum + sign * self.row(item)[wanted as usize]);
        }
        !signs.is_empty()
    }

    fn similar(&self, item: u32, out: &mut [f32]) -> bool {
        out.copy_from_slice(self.row(item));
        true
    }

    fn save(&self) -> Result<Tensors, ArtifactError> {
        Ok(Tensors::default().with_f32("weights", &[self.items, self.items], self.weights.clone()))
    }
}
