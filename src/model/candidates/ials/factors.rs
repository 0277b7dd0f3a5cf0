//! One side's factors, and the best row of the other side given them.

#![expect(clippy::indexing_slicing, reason = "rows of known width")]

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

use super::axes::turn;
use super::preconditioner::{Expected, Preconditioner};
use crate::model::kernels::Simd;

/// Rows whose products are added up in one go: fixed, so that sums do not depend on the threads.
const SHARD: usize = 2048;

/// Rows that are copied together at most, half a megabyte at 64 factors; of more, they are copied anew in each pass.
const GATHERED: usize = 2048;

/// A table of factors with what every least-squares problem on it needs.
pub struct Factors {
    simd: Simd,
    /// A multiple of [`crate::model::kernels::LANES`].
    width: usize,
    /// Row-major, as wide as `width`.
    table: Vec<f32>,
    /// `FᵀF`, `[width, width]`, symmetric.
    gramian: Vec<f32>,
    /// The diagonal of `FᵀF`, of factors that were turned to their principal axes; empty where there may be more to it.
    diagonal: Vec<f32>,
    expected: Expected,
    preconditioner: Preconditioner,
}

/// One row's entries and what else weighs on it.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// Rows of the table, each once.
    pub columns: &'a [u32],
    /// Their weights; the target is 1 where a weight is positive and -1 where it is negative.
    pub weights: &'a [f32],
    /// The weight with which every row of the table pulls to 0.
    pub unobserved: f32,
    /// What of that weight pulls to 1 at the rows of the entries that are liked: 0, or all of it.
    pub again: f32,
    /// The weight of the squared length; above 0.
    pub ridge: f32,
}

impl Row<'_> {
    /// How hard an entry of this weight pulls, to 1 or to -1.
    pub(super) fn pull(&self, weight: f32) -> f32 {
        if weight > 0.0 { weight + self.again } else { weight }
    }
}

/// When to stop.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    /// The most steps of conjugate gradients.
    pub steps: usize,
    /// The share of the first residual's length, by the preconditioner's measure, at which it is good enough.
    pub tolerance: f32,
}

/// Memory of [`Factors::solve`], to be used again.
#[derive(Default)]
pub struct Work {
    gathered: Vec<f32>,
    residual: Vec<f32>,
    preconditioned: Vec<f32>,
    direction: Vec<f32>,
    product: Vec<f32>,
    pulled: Vec<f32>,
}

impl Factors {
    /// Factors on the given instructions, for rows as `expected`. The table's length is a multiple of `width`.
    #[must_use]
    pub fn new(simd: Simd, width: usize, table: Vec<f32>, expected: Expected) -> Self {
        let (gramian, diagonal, preconditioner) = (Vec::new(), Vec::new(), Preconditioner::default());
        let mut factors = Self { simd, width, table, gramian, diagonal, expected, preconditioner };
        factors.renew();
        factors
    }

    /// The same factors for rows as `expected`.
    pub(super) fn for_rows(self, expected: Expected) -> Self {
        Self::new(self.simd, self.width, self.table, expected)
    }

    /// The same factors turned to their principal axes, of which `factors` are not padding: every score is the same, and a
    /// row with few entries is solved for in a fraction of the time. They are for asking, not for [`Self::update`].
    pub(super) fn turned(mut self, factors: usize) -> Self {
        if let Some(diagonal) = turn(&mut self.table, self.width, factors, &self.gramian) {
            self.renew();
            self.diagonal = diagonal;
        }
        self
    }

    /// The same factors, which were turned before and whose `FᵀF` is this diagonal, padding aside.
    pub(super) fn with_diagonal(mut self, diagonal: Vec<f32>) -> Self {
        self.diagonal = diagonal;
        self.diagonal.resize(self.width, 0.0);
        self
    }

    /// The diagonal of `FᵀF`; empty where the factors were not turned to their principal axes.
    pub(super) fn diagonal(&self) -> &[f32] {
        &self.diagonal
    }

    /// The table.
    #[must_use]
    pub fn table(&self) -> &[f32] {
        &self.table
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.table.len() / self.width
    }

    /// Row `row` of the table.
    #[must_use]
    pub fn row(&self, row: usize) -> &[f32] {
        &self.table[row * self.width..][..self.width]
    }

    /// The dot products of all rows with `vector`.
    pub fn dots(&self, vector: &[f32], out: &mut [f32]) {
        self.simd.dots(&self.table, vector, out);
    }

    /// The dot products of the rows `columns` with `vector`. The rows are copied together first: looked up one by one, each
    /// would be waited for.
    pub(super) fn dots_of(&self, columns: &[u32], vector: &[f32], out: &mut [f32], work: &mut Work) {
        for (columns, out) in columns.chunks(GATHERED).zip(out.chunks_mut(GATHERED)) {
            self.gather(columns, &mut work.gathered);
            self.simd.dots(&work.gathered[..columns.len() * self.width], vector, out);
        }
    }

    /// The dot product of two vectors of the width.
    #[must_use]
    pub fn dot(&self, a: &[f32], b: &[f32]) -> f32 {
        let mut dot = [0.0];
        self.simd.dots(a, b, &mut dot);
        dot[0]
    }

    /// Gives every row to `change`, in parallel, then adds the products up anew.
    pub(super) fn update<W: Default, E: Send>(
        &mut self,
        change: impl Fn(&mut W, usize, &mut [f32]) -> Result<(), E> + Sync,
    ) -> Result<(), E> {
        self.table
            .par_chunks_exact_mut(self.width)
            .enumerate()
            .try_for_each_init(W::default, |work, (row, values)| change(work, row, values))?;
        self.renew();
        Ok(())
    }

    fn renew(&mut self) {
        let width = self.width;
        let shards: Vec<(Vec<f32>, Vec<f32>)> = self
            .table
            .par_chunks(SHARD * width)
            .zip(self.expected.shares.par_chunks(SHARD))
            .map(|(rows, shares)| {
                let mut scaled = rows.to_vec();
                for (row, share) in scaled.chunks_exact_mut(width).zip(shares) {
                    row.iter_mut().for_each(|value| *value *= share);
                }
                (products(rows, rows, width), products(rows, &scaled, width))
            })
            .collect();
        self.gramian.clear();
        self.gramian.resize(width * width, 0.0);
        let mut mean = self.gramian.clone();
        for (all, by_share) in shards {
            add(1.0, &all, &mut self.gramian);
            add(1.0, &by_share, &mut mean);
        }
        self.preconditioner = Preconditioner::new(&self.gramian, &mean, width, &self.expected);
    }

    /// Improves `x` as the solution of the row's least-squares problem
    /// `Σ |w| (sign w - f·x)² + unobserved Σ_all (f·x)² + ridge |x|² - 2 again Σ_liked f·x`, by preconditioned conjugate
    /// gradients from `x` on.
    ///
    /// It only ever gets better: a step whose curvature is not positive and finite is not taken.
    pub(super) fn solve(&self, row: Row<'_>, limit: Limit, x: &mut [f32], work: &mut Work) {
        work.resize(self.width);
        if row.columns.len() <= GATHERED {
            self.gather(row.columns, &mut work.gathered);
        }
        work.residual.fill(0.0);
        self.each(row, &mut work.gathered, |rows, weights| {
            self.simd.pull(rows, weights, 1.0, x, &mut work.residual);
            if row.again > 0.0 {
                let more: Vec<f32> = weights.iter().map(|&weight| row.pull(weight) - weight).collect();
                self.simd.combine(rows, &more, &mut work.residual);
            }
        });
        if x.iter().any(|&value| value != 0.0) {
            self.base(row, x, &mut work.product);
            add(-1.0, &work.product, &mut work.residual);
        }
        let weight = row.weights.iter().map(|weight| weight.abs()).sum();
        self.precondition(row, weight, &work.residual, &mut work.preconditioned);
        work.direction.copy_from_slice(&work.preconditioned);
        let mut length = self.dot(&work.residual, &work.preconditioned);
        let enough = length * limit.tolerance * limit.tolerance;
        for left in (0..limit.steps).rev() {
            if length <= enough {
                break;
            }
            self.base(row, &work.direction, &mut work.product);
            let curvature = if left == 0 {
                // After the last step no one asks for the residual: its curvature is enough.
                let mut curvature = self.dot(&work.direction, &work.product);
                self.each(row, &mut work.gathered, |rows, weights| {
                    curvature += self.simd.curvature(rows, weights, &work.direction);
                });
                curvature
            } else {
                work.pulled.fill(0.0);
                self.each(row, &mut work.gathered, |rows, weights| {
                    self.simd.pull(rows, weights, 0.0, &work.direction, &mut work.pulled);
                });
                add(-1.0, &work.pulled, &mut work.product);
                self.dot(&work.direction, &work.product)
            };
            let step = length / curvature;
            if !(step.is_finite() && step > 0.0) {
                break;
            }
            add(step, &work.direction, x);
            if left == 0 {
                break;
            }
            add(-step, &work.product, &mut work.residual);
            self.precondition(row, weight, &work.residual, &mut work.preconditioned);
            let shorter = self.dot(&work.residual, &work.preconditioned);
            let turn = shorter / length;
            for (direction, residual) in work.direction.iter_mut().zip(&work.preconditioned) {
                *direction = residual + turn * *direction;
            }
            length = shorter;
        }
    }

    /// `unobserved FᵀF + Σ |w| f fᵀ + ridge`, the matrix of the row's least-squares problem.
    pub(super) fn normal_matrix(&self, row: Row<'_>) -> faer::Mat<f64> {
        let width = self.width;
        let unobserved = f64::from(row.unobserved);
        let mut matrix = faer::Mat::from_fn(width, width, |a, b| {
            unobserved * f64::from(self.gramian[a * width + b]) + if a == b { f64::from(row.ridge) } else { 0.0 }
        });
        for (&column, &weight) in row.columns.iter().zip(row.weights) {
            let factors = self.row(column as usize);
            for (b, &scale) in factors.iter().enumerate().filter(|(_, scale)| **scale != 0.0) {
                let scale = f64::from(weight.abs()) * f64::from(scale);
                for (a, &value) in factors.iter().enumerate() {
                    matrix[(a, b)] += scale * f64::from(value);
                }
            }
        }
        matrix
    }

    /// `out = (unobserved FᵀF + ridge) vector`.
    fn base(&self, row: Row<'_>, vector: &[f32], out: &mut [f32]) {
        if !self.diagonal.is_empty() {
            for ((out, value), diagonal) in out.iter_mut().zip(vector).zip(&self.diagonal) {
                *out = (row.unobserved * diagonal + row.ridge) * value;
            }
            return;
        }
        out.fill(0.0);
        self.simd.combine(&self.gramian, vector, out);
        for (out, value) in out.iter_mut().zip(vector) {
            *out = row.unobserved * *out + row.ridge * value;
        }
    }

    /// `out = M⁻¹ vector`, `M` being near the row's matrix: the diagonal alone where the entries are few, since each of them
    /// costs a step at most; else what the preconditioner has for rows whose weights sum up to `weight`.
    fn precondition(&self, row: Row<'_>, weight: f32, vector: &[f32], out: &mut [f32]) {
        if self.diagonal.is_empty() || row.columns.len() > self.width / 2 {
            return self.preconditioner.apply(self.simd, weight, vector, out);
        }
        for ((out, value), diagonal) in out.iter_mut().zip(vector).zip(&self.diagonal) {
            *out = value / (row.unobserved * diagonal + row.ridge);
        }
    }

    /// Gives the row's entries to `work`, rows of the table and their weights; `gathered` holds the rows already unless
    /// they are too many.
    fn each(&self, row: Row<'_>, gathered: &mut Vec<f32>, mut work: impl FnMut(&[f32], &[f32])) {
        if row.columns.len() <= GATHERED {
            return work(&gathered[..row.columns.len() * self.width], row.weights);
        }
        for (columns, weights) in row.columns.chunks(GATHERED).zip(row.weights.chunks(GATHERED)) {
            self.gather(columns, gathered);
            work(&gathered[..columns.len() * self.width], weights);
        }
    }

    fn gather(&self, columns: &[u32], gathered: &mut Vec<f32>) {
        let length = columns.len() * self.width;
        if gathered.len() < length {
            gathered.resize(length, 0.0);
        }
        self.simd.gather(&self.table, self.width, columns, &mut gathered[..length]);
    }
}

impl Work {
    fn resize(&mut self, width: usize) {
        for vector in
            [&mut self.residual, &mut self.preconditioned, &mut self.direction, &mut self.product, &mut self.pulled]
        {
            vector.resize(width, 0.0);
        }
    }
}

/// `AᵀB` of two tables of as many rows, `[width, width]`.
fn products(a: &[f32], b: &[f32], width: usize) -> Vec<f32> {
    let mut sum = vec![0.0; width * width];
    // Row-major rows are the columns of a column-major matrix.
    let columns = |table| MatRef::from_column_major_slice(table, width, a.len() / width);
    let to = MatMut::from_column_major_slice_mut(&mut sum, width, width);
    matmul(to, Accum::Replace, columns(a), columns(b).transpose(), 1.0, Par::Seq);
    sum
}

/// `to += scale from`.
fn add(scale: f32, from: &[f32], to: &mut [f32]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to += scale * from;
    }
}

#[cfg(test)]
#[path = "factors_tests.rs"]
mod tests;
