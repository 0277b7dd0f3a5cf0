//! What each item of a history gave to a score: in the solution of the user's normal equations `A u = Σ w f` a score
//! `u·g` is the sum of `w f·A⁻¹g` over the history (Hu, Koren and Volinsky, Collaborative Filtering for Implicit Feedback
//! Datasets, 2008, section 5).

use faer::Side;
use faer::linalg::solvers::Solve;

use super::factors::{Factors, Row};
use crate::model::recommender::{Origin, Summand};

/// The summands of `scores`, those that `row`'s user gives to `wanted`. None where the equations have no finite solution.
pub fn summands(items: &Factors, row: Row<'_>, wanted: &[u32], scores: &[f32]) -> Option<Vec<Vec<Summand>>> {
    let factor = items.normal_matrix(row).llt(Side::Lower).ok()?;
    wanted
        .iter()
        .zip(scores)
        .map(|(&item, &score)| {
            let mut column = vector(items.row(item as usize));
            factor.solve_in_place(&mut column);
            let given = |(&column_of, &weight): (&u32, &f32)| {
                let factors = items.row(column_of as usize).iter().map(|&value| f64::from(value));
                let dot: f64 = factors.zip(column.col(0).iter()).map(|(a, b)| a * b).sum();
                (column_of, f64::from(row.pull(weight)) * dot)
            };
            let given: Vec<(u32, f64)> = row.columns.iter().zip(row.weights).map(given).collect();
            let (sum, size) = given.iter().fold((0.0, 0.0), |(sum, size), (_, part)| (sum + part, size + part.abs()));
            if !(sum.is_finite() && size > 0.0) {
                return if size == 0.0 { Some(Vec::new()) } else { None };
            }
            // Conjugate gradients stop a little before the solution: each part has its share of what is missing.
            let missing = (f64::from(score) - sum) / size;
            let summand = |(item, part): (u32, f64)| Summand {
                origin: Origin::Item(item),
                score: (part + missing * part.abs()) as f32,
            };
            Some(given.into_iter().map(summand).collect())
        })
        .collect()
}

fn vector(values: &[f32]) -> faer::Mat<f64> {
    faer::Mat::from_fn(values.len(), 1, |at, _| values.get(at).copied().map_or(0.0, f64::from))
}
