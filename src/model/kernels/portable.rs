//! The kernels in plain Rust: the reference of the other paths, and what answers where there is none of them.

use super::LANES;

/// See [`super::Simd::dots`].
pub fn dots(rows: &[f32], vector: &[f32], out: &mut [f32]) {
    for (out, row) in out.iter_mut().zip(rows.chunks_exact(vector.len().max(1))) {
        *out = dot(row, vector);
    }
}

/// See [`super::Simd::pull`].
pub fn pull(rows: &[f32], weights: &[f32], pull: f32, vector: &[f32], out: &mut [f32]) {
    for (&weight, row) in weights.iter().zip(rows.chunks_exact(vector.len().max(1))) {
        let scale = pull * weight - weight.abs() * dot(row, vector);
        for (sum, value) in out.iter_mut().zip(row) {
            *sum += scale * value;
        }
    }
}

/// In as many sums as there are lanes, so that the compiler may keep them in vectors.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; LANES];
    for (a, b) in a.as_chunks::<LANES>().0.iter().zip(b.as_chunks::<LANES>().0) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums.iter().sum()
}
