//! One side's factors, and the best row of the other side given them.

#![expect(clippy::indexing_slicing, reason = "rows of known width")]

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

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
    /// The weight of the squared length; above 0.
    pub ridge: f32,
}

/// When to stop.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    /// The most steps of conjugate gradients.
    pub steps: usize,
    /// The share of the first residual's length at which it is good enough.
    pub tolerance: f32,
}

/// Memory of [`Factors::solve`], to be used again.
#[derive(Default)]
pub struct Work {
    gathered: Vec<f32>,
    residual: Vec<f32>,
    direction: Vec<f32>,
    product: Vec<f32>,
    pulled: Vec<f32>,
}

impl Factors {
    /// Factors on the given instructions. The table's length is a multiple of `width`.
    #[must_use]
    pub fn new(simd: Simd, width: usize, table: Vec<f32>) -> Self {
        let mut factors = Self { simd, width, table, gramian: Vec::new() };
        factors.renew();
        factors
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

    /// The dot product of two vectors of the width.
    #[must_use]
    pub fn dot(&self, a: &[f32], b: &[f32]) -> f32 {
        let mut dot = [0.0];
        self.simd.dots(a, b, &mut dot);
        dot[0]
    }

    /// Gives every row to `change`, in parallel, then adds the products up anew.
    pub(super) fn update<E: Send>(
        &mut self,
        change: impl Fn(&mut Work, usize, &mut [f32]) -> Result<(), E> + Sync,
    ) -> Result<(), E> {
        self.table
            .par_chunks_exact_mut(self.width)
            .enumerate()
            .try_for_each_init(Work::default, |work, (row, values)| change(work, row, values))?;
        self.renew();
        Ok(())
    }

    fn renew(&mut self) {
        let width = self.width;
        let shards: Vec<Vec<f32>> = self
            .table
            .par_chunks(SHARD * width)
            .map(|shard| {
                let mut sum = vec![0.0; width * width];
                // Row-major rows are the columns of a column-major matrix.
                let columns = MatRef::from_column_major_slice(shard, width, shard.len() / width);
                let to = MatMut::from_column_major_slice_mut(&mut sum, width, width);
                matmul(to, Accum::Replace, columns, columns.transpose(), 1.0, Par::Seq);
                sum
            })
            .collect();
        self.gramian.clear();
        self.gramian.resize(width * width, 0.0);
        for shard in shards {
            add(1.0, &shard, &mut self.gramian);
        }
    }

    /// Improves `x` as the solution of the row's least-squares problem
    /// `Σ |w| (sign w - f·x)² + unobserved Σ_all (f·x)² + ridge |x|²`, by conjugate gradients from `x` on.
    ///
    /// It only ever gets better: a step whose curvature is not positive and finite is not taken.
    pub(super) fn solve(&self, row: Row<'_>, limit: Limit, x: &mut [f32], work: &mut Work) {
        work.resize(self.width);
        if row.columns.len() <= GATHERED {
            self.gather(row.columns, &mut work.gathered);
        }
        work.residual.fill(0.0);
        self.pull(row, 1.0, x, &mut work.gathered, &mut work.residual);
        if x.iter().any(|&value| value != 0.0) {
            self.base(row, x, &mut work.product);
            add(-1.0, &work.product, &mut work.residual);
        }
        work.direction.copy_from_slice(&work.residual);
        let mut length = self.dot(&work.residual, &work.residual);
        let enough = length * limit.tolerance * limit.tolerance;
        for _ in 0..limit.steps {
            if length <= enough {
                break;
            }
            self.base(row, &work.direction, &mut work.product);
            work.pulled.fill(0.0);
            self.pull(row, 0.0, &work.direction, &mut work.gathered, &mut work.pulled);
            add(-1.0, &work.pulled, &mut work.product);
            let step = length / self.dot(&work.direction, &work.product);
            if !(step.is_finite() && step > 0.0) {
                break;
            }
            add(step, &work.direction, x);
            add(-step, &work.product, &mut work.residual);
            let shorter = self.dot(&work.residual, &work.residual);
            let turn = shorter / length;
            for (direction, residual) in work.direction.iter_mut().zip(&work.residual) {
                *direction = residual + turn * *direction;
            }
            length = shorter;
        }
    }

    /// `out = (unobserved FᵀF + ridge) vector`.
    fn base(&self, row: Row<'_>, vector: &[f32], out: &mut [f32]) {
        self.simd.dots(&self.gramian, vector, out);
        for (out, value) in out.iter_mut().zip(vector) {
            *out = row.unobserved * *out + row.ridge * value;
        }
    }

    /// [`Simd::pull`] of the row's entries; `gathered` holds them already unless they are too many.
    fn pull(&self, row: Row<'_>, pull: f32, vector: &[f32], gathered: &mut Vec<f32>, out: &mut [f32]) {
        if row.columns.len() <= GATHERED {
            return self.simd.pull(gathered, row.weights, pull, vector, out);
        }
        for (columns, weights) in row.columns.chunks(GATHERED).zip(row.weights.chunks(GATHERED)) {
            self.gather(columns, gathered);
            self.simd.pull(gathered, weights, pull, vector, out);
        }
    }

    fn gather(&self, columns: &[u32], gathered: &mut Vec<f32>) {
        gathered.resize(columns.len() * self.width, 0.0);
        self.simd.gather(&self.table, self.width, columns, gathered);
    }
}

impl Work {
    fn resize(&mut self, width: usize) {
        for vector in [&mut self.residual, &mut self.direction, &mut self.product, &mut self.pulled] {
            vector.resize(width, 0.0);
        }
    }
}

/// `to += scale from`.
fn add(scale: f32, from: &[f32], to: &mut [f32]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to += scale * from;
    }
}

#[cfg(test)]
mod tests {
    use faer::linalg::solvers::Solve;
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    /// The solution in 64 bits, from the normal equations.
    fn exact(table: &[f32], width: usize, row: Row<'_>) -> Vec<f64> {
        let at = |row: usize, column: usize| f64::from(table[row * width + column]);
        let mut matrix = faer::Mat::<f64>::identity(width, width) * faer::Scale(f64::from(row.ridge));
        let mut right = faer::Mat::<f64>::zeros(width, 1);
        let mut add = |other: usize, weight: f64, target: f64| {
            for a in 0..width {
                right[(a, 0)] += weight * target * at(other, a);
                for b in 0..width {
                    matrix[(a, b)] += weight * at(other, a) * at(other, b);
                }
            }
        };
        (0..table.len() / width).for_each(|other| add(other, f64::from(row.unobserved), 0.0));
        for (&column, &weight) in row.columns.iter().zip(row.weights) {
            add(column as usize, f64::from(weight.abs()), f64::from(weight.signum()));
        }
        let solution = matrix.partial_piv_lu().solve(&right);
        (0..width).map(|at| solution[(at, 0)]).collect()
    }

    #[test]
    fn enough_steps_give_the_exact_solution_however_many_entries() {
        let (width, rows) = (16, 2_500);
        let mut rng = StdRng::seed_from_u64(7);
        let table: Vec<f32> = (0..rows * width).map(|_| rng.random_range(-0.3..0.3)).collect();
        for entries in [0, 1, 9, 100, GATHERED, GATHERED + 1, 2_400] {
            let columns: Vec<u32> = (0..entries as u32).map(|at| (at * 7) % rows as u32).collect();
            let weights: Vec<f32> =
                columns.iter().map(|&at| if at % 5 == 0 { -0.5 } else { 1.0 + (at % 3) as f32 }).collect();
            let row = Row { columns: &columns, weights: &weights, unobserved: 0.1, ridge: 2.0 };
            let expected = exact(&table, width, row);
            let length = expected.iter().map(|value| value * value).sum::<f64>().sqrt();
            for simd in Simd::available() {
                let factors = Factors::new(simd, width, table.clone());
                let mut x: Vec<f32> = (0..width).map(|_| rng.random_range(-1.0..1.0)).collect();
                factors.solve(row, Limit { steps: 200, tolerance: 1e-6 }, &mut x, &mut Work::default());
                for (got, wanted) in x.iter().zip(&expected) {
                    let off = (f64::from(*got) - wanted).abs();
                    assert!(off <= 1e-4 * length.max(0.01), "{}, {entries} entries: {got} {wanted}", simd.name());
                }
            }
        }
    }
}
