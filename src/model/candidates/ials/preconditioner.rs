//! What makes few steps of conjugate gradients enough.

use faer::linalg::solvers::DenseSolveCore;
use rayon::prelude::*;

use crate::model::kernels::Simd;

/// What rows will be like.
#[derive(Debug, Clone, PartialEq)]
pub struct Expected {
    /// A row's ridge, about.
    pub ridge: f32,
    /// The weight with which every row of the table pulls to 0; above 0.
    pub unobserved: f32,
    /// The most that the weights of a row sum up to.
    pub most: f32,
    /// How often each row of the table occurs, of 1 in all.
    pub shares: Vec<f32>,
}

/// About the inverse of every row's normal matrix `unobserved FᵀF + Σ |w| f fᵀ + ridge`: in it the sum is the row's weight
/// times the mean of `f fᵀ` over what occurs. One is kept for each power of four of the weight.
#[derive(Default)]
pub struct Preconditioner {
    /// `[width, width]` each, symmetric.
    inverses: Vec<Vec<f32>>,
}

impl Preconditioner {
    /// Of `FᵀF` and of the mean of `f fᵀ` over what occurs, both `[width, width]`.
    pub fn new(gramian: &[f32], mean: &[f32], width: usize, expected: &Expected) -> Self {
        let inverse = |class: usize| {
            let weight = 4.0_f32.powi(class as i32);
            let sums = gramian.iter().zip(mean).map(|(all, mean)| expected.unobserved * all + weight * mean);
            inverse(&sums.collect::<Vec<f32>>(), width, expected.ridge)
        };
        Self { inverses: (0..=class(expected.most)).into_par_iter().map(inverse).collect() }
    }

    /// `out = M⁻¹ vector` for a row whose weights sum up to `weight`.
    pub fn apply(&self, simd: Simd, weight: f32, vector: &[f32], out: &mut [f32]) {
        match self.inverses.get(class(weight)).or(self.inverses.last()) {
            Some(inverse) => {
                out.fill(0.0);
                simd.combine(inverse, vector, out);
            }
            None => out.copy_from_slice(vector),
        }
    }
}

fn class(weight: f32) -> usize {
    (weight.clamp(1.0, 1e12).log2() / 2.0).round() as usize
}

/// `(matrix + ridge)⁻¹` of a symmetric matrix, computed in 64 bits; the identity where there is none.
fn inverse(matrix: &[f32], width: usize, ridge: f32) -> Vec<f32> {
    let value = |at: usize| matrix.get(at).copied().map_or(0.0, f64::from);
    let at =
        |row: usize, column: usize| value(row * width + column) + if row == column { f64::from(ridge) } else { 0.0 };
    if let Ok(factor) = faer::Mat::from_fn(width, width, at).llt(faer::Side::Lower) {
        let inverse = factor.inverse();
        let numbers: Vec<f32> = (0..width * width).map(|at| inverse[(at / width, at % width)] as f32).collect();
        if numbers.iter().all(|number| number.is_finite()) {
            return numbers;
        }
    }
    (0..width * width).map(|at| f32::from(u8::from(at % (width + 1) == 0))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_inverts_the_expected_matrix_and_leaves_alone_what_has_no_inverse() {
        let width = crate::model::kernels::LANES;
        let diagonal = |value: f32| -> Vec<f32> {
            (0..width * width).map(|at| if at % (width + 1) == 0 { value } else { 0.0 }).collect()
        };
        let expected = Expected { ridge: 1.0, unobserved: 0.5, most: 100.0, shares: Vec::new() };
        let conditioner = Preconditioner::new(&diagonal(4.0), &diagonal(2.0), width, &expected);
        for (weight, class) in [(0.0, 1.0), (1.9, 1.0), (2.1, 4.0), (70.0, 64.0), (1e9, 64.0)] {
            let mut out = vec![7.0; width];
            conditioner.apply(Simd::widest(), weight, &vec![1.0; width], &mut out);
            let inverse = 1.0 / (0.5 * 4.0 + class * 2.0 + 1.0);
            assert!(out.iter().all(|value| (value - inverse).abs() < 1e-6), "{weight}: {out:?}");
        }
        let broken = Preconditioner::new(&diagonal(f32::NAN), &diagonal(0.0), width, &expected);
        let mut out = vec![7.0; width];
        broken.apply(Simd::widest(), 1.0, &vec![3.0; width], &mut out);
        assert_eq!(out, vec![3.0; width]);
    }
}
