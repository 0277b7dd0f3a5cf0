//! `ease`: Steck, "Embarrassingly Shallow Autoencoders for Sparse Data" (2019), the closed form.
//!
//! With `G = XᵀX + λI` over the pairs of positive weight, each counted by its strength, and `P = G⁻¹`, the weights are
//! `B = I - P diag(1 / diag P)`. A user's score for an item is the sum of the rows of `B` of what is in the history;
//! disliked items subtract theirs. Time grows with the cube of the catalogue, memory with its square: two matrices of
//! 32-bit floats while it is fitted.

#![expect(clippy::indexing_slicing, reason = "matrices of known size")]

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{cholesky_in_place, cholesky_in_place_scratch};
use faer::linalg::matmul::triangular::{BlockStructure, matmul};
use faer::linalg::triangular_inverse::invert_lower_triangular;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;
use serde::Deserialize;
use serde_json::json;

use super::cooccurrence::Taken;
use super::history::{directions, summands};
use super::sparse::{SparseModel, keep_heaviest};
use super::{Settings, shape, sizes};
use crate::model::artifact::{ArtifactError, Tensors};
use crate::model::dataset::Dataset;
use crate::model::recommender::{Fitted, Recipe, Recommender, Summand, Taste};
use crate::model::training::job::{FitError, Job};
use crate::model::training::pool;

/// The kind's name.
pub const KIND: &str = "ease";

/// The setting that says how many entries of each row are kept.
pub const KEEP: &str = "keep";

/// The recipe.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ease {
    /// The regularisation λ, above 0.
    pub lambda: f64,
    /// The largest catalogue it is fitted on.
    pub max_items: usize,
    /// The entries of each row of `B` that are kept, those that weigh most; 0: all.
    #[serde(default)]
    pub keep: usize,
}

impl Settings for Ease {
    fn check(&self) -> Result<(), String> {
        if !(self.lambda.is_finite() && self.lambda > 0.0) {
            return Err("lambda must be above 0".into());
        }
        Ok(())
    }
}

impl Recipe for Ease {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn settings(&self) -> serde_json::Value {
        let mut settings = json!({ "lambda": self.lambda, "max_items": self.max_items });
        if self.keep > 0 {
            settings[KEEP] = json!(self.keep);
        }
        settings
    }

    fn dense_rows(&self) -> bool {
        true
    }

    fn fit(&self, data: &Dataset, _parent: Option<&Fitted>, job: &Job) -> Result<Box<dyn Recommender>, FitError> {
        let items = data.items();
        if items > self.max_items {
            return Err(FitError::Unsuited(format!(
                "the catalogue has {items} items and ease is fitted on {} at most: raise training.ease_max_items, or leave ease out",
                self.max_items
            )));
        }
        if items == 0 {
            return Err(FitError::Unsuited("the catalogue is empty".into()));
        }
        let weights = pool::within(job.threads, || weights(data, self.lambda as f32, job))??;
        let model = EaseModel::new(items, weights);
        Ok(if self.keep > 0 { Box::new(model.cut(self.keep)) } else { Box::new(model) })
    }
}

/// `B`, row-major.
fn weights(data: &Dataset, lambda: f32, job: &Job) -> Result<Vec<f32>, FitError> {
    let items = data.items();
    let par = Par::rayon(job.threads.max(1));
    let mut matrix = gram(data, lambda, job)?;
    // The upper triangle row by row is the lower one column by column, as the factorisation wants it.
    let mut lower = MatMut::from_column_major_slice_mut(&mut matrix, items, items);
    let mut memory = MemBuffer::new(cholesky_in_place_scratch::<f32>(items, par, faer::prelude::default()));
    cholesky_in_place(
        lower.as_mut(),
        faer::prelude::default(),
        par,
        MemStack::new(&mut memory),
        faer::prelude::default(),
    )
    .map_err(|_| FitError::Library(format!("ease cannot be solved with lambda {lambda}: raise it")))?;
    job.check()?;
    let mut inverse = zeros(items)?;
    invert_lower_triangular(MatMut::from_column_major_slice_mut(&mut inverse, items, items), lower.as_ref(), par);
    job.check()?;
    let inverse = MatRef::from_column_major_slice(&inverse, items, items);
    matmul(
        lower,
        BlockStructure::TriangularLower,
        Accum::Replace,
        inverse.transpose(),
        BlockStructure::TriangularUpper,
        inverse,
        BlockStructure::TriangularLower,
        1.0,
        par,
    );
    job.check()?;
    scale(&mut matrix, items);
    if matrix.iter().all(|weight| weight.is_finite()) {
        Ok(matrix)
    } else {
        Err(FitError::NotFinite(format!("a weight of ease with lambda {lambda}")))
    }
}

/// The upper triangle of `XᵀX + λI`, row-major. Each entry is summed in the order of users, on one thread.
fn gram(data: &Dataset, lambda: f32, job: &Job) -> Result<Vec<f32>, FitError> {
    let items = data.items();
    let taken = Taken::new(data, usize::MAX);
    let mut gram = zeros(items)?;
    gram.par_chunks_mut(items).enumerate().try_for_each(|(item, row)| {
        job.check()?;
        taken.each_with(item, true, |other, both| row[other] += both);
        row[item] += lambda;
        Ok(())
    })?;
    Ok(gram)
}

/// Turns the upper triangle of `P` into all of `B`, in square tiles so that both triangles stay in cache.
fn scale(matrix: &mut [f32], items: usize) {
    const TILE: usize = 64;
    let inverse_diagonal: Vec<f32> = (0..items).map(|item| -1.0 / matrix[item * items + item]).collect();
    for top in (0..items).step_by(TILE) {
        for left in (top..items).step_by(TILE) {
            for row in top..(top + TILE).min(items) {
                for column in left.max(row + 1)..(left + TILE).min(items) {
                    let value = matrix[row * items + column];
                    matrix[row * items + column] = value * inverse_diagonal[column];
                    matrix[column * items + row] = value * inverse_diagonal[row];
                }
            }
        }
    }
    for item in 0..items {
        matrix[item * items + item] = 0.0;
    }
}

fn zeros(items: usize) -> Result<Vec<f32>, FitError> {
    let mut matrix = Vec::new();
    matrix
        .try_reserve_exact(items * items)
        .map_err(|_| FitError::Unsuited(format!("there is no memory for ease on {items} items")))?;
    matrix.resize(items * items, 0.0);
    Ok(matrix)
}

/// The fitted weights.
struct EaseModel {
    items: usize,
    /// `B`, row-major, `[items, items]`.
    weights: Vec<f32>,
    /// Whether the item's row says anything.
    telling: Vec<bool>,
}

impl EaseModel {
    fn new(items: usize, weights: Vec<f32>) -> Self {
        let telling = weights.chunks(items.max(1)).map(|row| row.iter().any(|&weight| weight != 0.0)).collect();
        Self { items, weights, telling }
    }

    /// With the `keep` entries of each row that weigh most.
    fn cut(&self, keep: usize) -> SparseModel {
        let row = |row: &[f32]| {
            let mut entries: Vec<(u32, f32)> = (0..).zip(row.iter().copied()).filter(|entry| entry.1 != 0.0).collect();
            keep_heaviest(&mut entries, keep);
            entries
        };
        SparseModel::new(KIND, self.weights.chunks(self.items.max(1)).map(row))
    }

    fn row(&self, item: u32) -> &[f32] {
        &self.weights[item as usize * self.items..][..self.items]
    }

    fn knows(&self, directions: &[(u32, f32)]) -> bool {
        directions.iter().any(|&(item, sign)| sign > 0.0 && self.telling[item as usize])
    }
}

/// Reads back the weights.
pub fn load(mut tensors: Tensors) -> Result<Box<dyn Recommender>, ArtifactError> {
    if tensors.shape("starts").is_ok() {
        return Ok(Box::new(SparseModel::load(KIND, tensors)?));
    }
    let [rows, columns] = sizes(&tensors, "weights")?;
    if rows != columns {
        return Err(shape("weights", format!("it is {rows} by {columns}, not square")));
    }
    Ok(Box::new(EaseModel::new(rows, tensors.take_f32("weights", &[rows, rows])?)))
}

impl Recommender for EaseModel {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn items(&self) -> usize {
        self.items
    }

    fn score_all(&self, taste: &Taste<'_>, out: &mut [f32]) -> bool {
        let directions = directions(taste.history, self.items);
        out.fill(0.0);
        for &(item, sign) in &directions {
            for (score, weight) in out.iter_mut().zip(self.row(item)) {
                *score += sign * weight;
            }
        }
        self.knows(&directions)
    }

    fn score_some(&self, taste: &Taste<'_>, items: &[u32], out: &mut [f32]) -> bool {
        let directions = directions(taste.history, self.items);
        out.fill(0.0);
        for &(item, sign) in &directions {
            let row = self.row(item);
            for (score, &wanted) in out.iter_mut().zip(items) {
                *score += sign * row[wanted as usize];
            }
        }
        self.knows(&directions)
    }

    fn similar(&self, item: u32, out: &mut [f32]) -> bool {
        out.copy_from_slice(self.row(item));
        true
    }

    fn explain(&self, taste: &Taste<'_>, items: &[u32]) -> Option<Vec<Vec<Summand>>> {
        let directions = directions(taste.history, self.items);
        let weight = |item, wanted| self.row(item)[wanted as usize];
        self.knows(&directions).then(|| summands(&directions, items, weight))
    }

    fn pruned(&self, keep: usize) -> Option<Box<dyn Recommender>> {
        Some(Box::new(self.cut(keep)))
    }

    fn save(&self) -> Result<Tensors, ArtifactError> {
        Ok(Tensors::default().with_f32("weights", &[self.items, self.items], self.weights.clone()))
    }
}

#[cfg(test)]
mod tests {
    use faer::linalg::solvers::DenseSolveCore;

    use super::super::tests::{dataset, fitted, scores_for};
    use super::*;

    #[test]
    fn weights_are_the_closed_form() {
        // XᵀX = [[2, 1], [1, 2]], λ = 1: P = [[3, -1], [-1, 3]] / 8, so B = [[0, 1/3], [1/3, 0]].
        let data = dataset(&[(0, 0, 1.0, 0), (0, 1, 2.0, 0), (1, 0, 1.0, 0), (2, 1, 1.0, 0), (2, 0, -1.0, 0)]);
        let recipe = Ease { lambda: 1.0, max_items: 2, keep: 0 };
        let mut similar = [0.0; 2];
        assert!(fitted(&recipe, &data).recommender.similar(0, &mut similar));
        assert!(similar[0] == 0.0 && (similar[1] - 1.0 / 3.0).abs() < 1e-6, "{similar:?}");
        assert_eq!(scores_for(&recipe, &data, &[(0, 1.0), (0, 1.0)]), similar, "a repeated item counts once");
        let mut back = [0.0; 2];
        assert!(fitted(&recipe, &data).recommender.similar(1, &mut back));
        assert_eq!(scores_for(&recipe, &data, &[(1, 1.0), (0, -1.0)]), [back[0], -similar[1]]);
    }

    #[test]
    fn it_agrees_with_a_solution_in_64_bits() {
        let rows: Vec<(u32, u32, f32, i64)> = (0..400_u32)
            .flat_map(|user| (0..8_u32).map(move |k| (user, (user * 7 + k * k * 3) % 90, 1.0, 0)))
            .collect();
        let data = dataset(&rows);
        let (items, lambda) = (data.items(), 5.0);
        let mut gram = faer::Mat::<f64>::identity(items, items) * faer::Scale(lambda);
        for user in 0..data.users() {
            for a in data.of(user) {
                for b in data.of(user) {
                    gram[(a.item as usize, b.item as usize)] += 1.0;
                }
            }
        }
        let inverse = gram.partial_piv_lu().inverse();
        let model = fitted(&Ease { lambda, max_items: 100, keep: 0 }, &data);
        let mut row = vec![0.0; items];
        for item in 0..items {
            assert!(model.recommender.similar(item as u32, &mut row));
            for other in (0..items).filter(|&other| other != item) {
                let expected = -inverse[(item, other)] / inverse[(other, other)];
                assert!((f64::from(row[other]) - expected).abs() < 1e-4, "{item} {other}: {} {expected}", row[other]);
            }
        }
    }

    #[test]
    fn a_cut_model_keeps_what_weighs_most_and_is_read_back() {
        let rows: Vec<(u32, u32, f32, i64)> =
            (0..300_u32).flat_map(|user| (0..6_u32).map(move |k| (user, (user * 5 + k * k) % 40, 1.0, 0))).collect();
        let data = dataset(&rows);
        let recipe = Ease { lambda: 2.0, max_items: 100, keep: 3 };
        let (whole, cut) = (fitted(&Ease { keep: 0, ..recipe.clone() }, &data), fitted(&recipe, &data));
        let loaded = load(cut.recommender.save().unwrap()).unwrap();
        let (mut dense, mut sparse) = (vec![0.0_f32; data.items()], vec![0.0_f32; data.items()]);
        for item in 0..data.items() as u32 {
            assert!(whole.recommender.similar(item, &mut dense) && loaded.similar(item, &mut sparse));
            let mut heaviest: Vec<f32> = dense.iter().map(|weight| weight.abs()).collect();
            heaviest.sort_by(|a, b| b.total_cmp(a));
            let kept: Vec<usize> = (0..dense.len()).filter(|&at| sparse[at] != 0.0).collect();
            assert_eq!(kept.len(), 3);
            assert!(kept.iter().all(|&at| sparse[at] == dense[at] && dense[at].abs() >= heaviest[2]));
        }
    }

    #[test]
    fn a_catalogue_beyond_the_limit_is_refused() {
        let data = dataset(&[(0, 0, 1.0, 0), (0, 1, 1.0, 0)]);
        let refused = Ease { lambda: 1.0, max_items: 1, keep: 0 }.fit(&data, None, &Job::quiet(1)).err().unwrap();
        insta::assert_snapshot!(refused, @"the catalogue has 2 items and ease is fitted on 1 at most: raise training.ease_max_items, or leave ease out");
    }
}
