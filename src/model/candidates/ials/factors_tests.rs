//! Solutions of single rows, beside the normal equations in 64 bits.

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
    for (&column, _) in row.columns.iter().zip(row.weights).filter(|(_, weight)| **weight > 0.0) {
        for a in 0..width {
            right[(a, 0)] += f64::from(row.again) * at(column as usize, a);
        }
    }
    let solution = matrix.partial_piv_lu().solve(&right);
    (0..width).map(|at| solution[(at, 0)]).collect()
}

#[test]
fn enough_steps_give_the_exact_solution_however_many_entries() {
    let (width, rows) = (16, 2_500);
    let mut rng = StdRng::seed_from_u64(7);
    let table: Vec<f32> = (0..rows * width).map(|_| rng.random_range(-0.3..0.3)).collect();
    let shares = vec![1.0 / rows as f32; rows];
    let expected = Expected { ridge: 1.0, unobserved: 0.1, most: 1_000.0, shares };
    for (entries, again) in
        [(0, 0.0), (1, 0.1), (9, 0.0), (100, 0.1), (GATHERED, 0.0), (GATHERED + 1, 0.1), (2_400, 0.0), (2_400, 0.1)]
    {
        let columns: Vec<u32> = (0..entries as u32).map(|at| (at * 7) % rows as u32).collect();
        let weights: Vec<f32> =
            columns.iter().map(|&at| if at % 5 == 0 { -0.5 } else { 1.0 + (at % 3) as f32 }).collect();
        let row = Row { columns: &columns, weights: &weights, unobserved: 0.1, again, ridge: 2.0 };
        let solution = exact(&table, width, row);
        let length = solution.iter().map(|value| value * value).sum::<f64>().sqrt();
        for simd in Simd::available() {
            let factors = Factors::new(simd, width, table.clone(), expected.clone());
            let mut x: Vec<f32> = (0..width).map(|_| rng.random_range(-1.0..1.0)).collect();
            factors.solve(row, Limit { steps: 200, tolerance: 1e-6 }, &mut x, &mut Work::default());
            for (got, wanted) in x.iter().zip(&solution) {
                let off = (f64::from(*got) - wanted).abs();
                assert!(off <= 1e-4 * length.max(0.01), "{}, {entries} entries: {got} {wanted}", simd.name());
            }
        }
    }
}
