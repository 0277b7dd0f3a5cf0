//! The kernels in plain Rust: the reference of the other paths, and what answers where there is none of them.

#![expect(
    clippy::indexing_slicing,
    reason = "lanes of one width; whoever names a row beyond a table is told so by a panic"
)]

use super::LANES;

/// See [`super::Simd::dots`].
pub fn dots(rows: &[f32], vector: &[f32], out: &mut [f32]) {
    for (out, row) in out.iter_mut().zip(rows.chunks_exact(vector.len().max(1))) {
        *out = dot(row, vector);
    }
}

/// See [`super::Simd::gather`].
pub fn gather(table: &[f32], width: usize, indices: &[u32], out: &mut [f32]) {
    for (to, &index) in out.chunks_exact_mut(width).zip(indices) {
        to.copy_from_slice(&table[index as usize * width..][..width]);
    }
}

/// See [`super::Simd::combine`].
pub fn combine(rows: &[f32], scales: &[f32], out: &mut [f32]) {
    for (row, &scale) in rows.chunks_exact(out.len().max(1)).zip(scales) {
        add(row, scale, out);
    }
}

/// See [`super::Simd::curvature`].
pub fn curvature(rows: &[f32], weights: &[f32], vector: &[f32]) -> f32 {
    let rows = rows.chunks_exact(vector.len().max(1));
    rows.zip(weights).map(|(row, weight)| weight.abs() * dot(row, vector).powi(2)).sum()
}

/// See [`super::Simd::pull`].
pub fn pull(rows: &[f32], weights: &[f32], pull: f32, vector: &[f32], out: &mut [f32]) {
    for (row, &weight) in rows.chunks_exact(vector.len().max(1)).zip(weights) {
        add(row, pull * weight - weight.abs() * dot(row, vector), out);
    }
}

/// In as many sums as there are lanes, so that the compiler may keep them in vectors.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; LANES];
    for (a, b) in a.as_chunks::<LANES>().0.iter().zip(b.as_chunks::<LANES>().0) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum()
}

/// `out += scale row`.
fn add(row: &[f32], scale: f32, out: &mut [f32]) {
    for (sums, values) in out.as_chunks_mut::<LANES>().0.iter_mut().zip(row.as_chunks::<LANES>().0) {
        for lane in 0..LANES {
            sums[lane] += scale * values[lane];
        }
    }
}
