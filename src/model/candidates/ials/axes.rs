//! Factors turned to their principal axes: scores stay what they are, and `FᵀF` becomes a diagonal, so that what every
//! user's equations have in common is one number a factor.

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatMut, MatRef, Par, Side};
use rayon::prelude::*;

/// Rows that are turned in one go.
const SHARD: usize = 2048;

/// Turns the first `factors` columns of every row of `table`, as wide as `width`, to the principal axes of `gramian`, which
/// is its `FᵀF`. Gives the diagonal that `FᵀF` then is, of the width; none where it has no finite one, and the table then is
/// as it was.
pub fn turn(table: &mut [f32], width: usize, factors: usize, gramian: &[f32]) -> Option<Vec<f32>> {
    let at = |row: usize, column: usize| gramian.get(row * width + column).copied().map_or(0.0, f64::from);
    let eigen = Mat::from_fn(factors, factors, at).self_adjoint_eigen(Side::Lower).ok()?;
    let (axes, values) = (eigen.U(), eigen.S().column_vector());
    if !(values.iter().all(|value| value.is_finite()) && axes.col_iter().all(|axis| axis.iter().all(|x| x.is_finite())))
    {
        return None;
    }
    // What the columns of padding hold stays: they are turned to themselves.
    let same = |row: usize, column: usize| if row == column { 1.0 } else { 0.0 };
    let to_axes = Mat::<f32>::from_fn(width, width, |axis, column| match axis < factors && column < factors {
        true => axes[(column, axis)] as f32,
        false => same(axis, column),
    });
    table.par_chunks_mut(SHARD * width).for_each(|rows| {
        let before = rows.to_vec();
        let count = before.len() / width;
        // Row-major rows are the columns of a column-major matrix.
        let from = MatRef::from_column_major_slice(&before, width, count);
        matmul(MatMut::from_column_major_slice_mut(rows, width, count), Accum::Replace, &to_axes, from, 1.0, Par::Seq);
    });
    let diagonal = values.iter().map(|&value| value.max(0.0) as f32).chain(std::iter::repeat(0.0));
    Some(diagonal.take(width).collect())
}
