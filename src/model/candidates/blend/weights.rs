//! The weights of a blend: a conditional logit, and how much of the trend the lists take.
//!
//! What a user took next is one choice among the catalogue, with the probability `exp(w·f(i)) / Σ exp(w·f(j))` over the
//! items `j` that the user did not have. The log-likelihood, a mean over each user's held-out items and summed over
//! users, is concave, and Newton's method finds its top in a few steps. A ridge towards taste alone holds the weights
//! where few users speak. What is most likely is not yet what ranks best: likelihood counts every place of the list,
//! NDCG the first ten. So the trend as a whole is then scaled by that factor of a few whose lists have the best
//! NDCG@10.

#![expect(clippy::indexing_slicing, reason = "features are as many as the weights, items lie in the catalogue")]

use rayon::prelude::*;

use crate::model::evaluation::metrics::{HeldOut, ndcg};
use crate::model::evaluation::top::top_n;
use crate::model::training::job::{FitError, Job};

/// The pull towards taste alone, as strong as that of one user's choice.
const RIDGE: f64 = 1.0;

/// Newton steps at most; five to eight suffice.
const STEPS: usize = 25;

/// A step no greater than this in any weight is the last.
const CLOSE: f64 = 1e-4;

/// How much of the fitted trend is tried; 1 first, which wins where others are no better.
const SHARES: [f64; 7] = [1.0, 0.75, 0.5, 0.25, 0.0, 1.25, 1.5];

/// The places of the list that the trend's share is chosen by.
const PLACES: usize = 10;

/// One user's choice.
pub struct Case<'a> {
    /// What each part says of each item, on the blend's scale.
    pub tastes: Vec<Vec<f32>>,
    /// The items that the user had.
    pub own: Vec<u32>,
    /// What was taken next.
    pub held_out: &'a HeldOut,
}

/// The weights of the tastes, then of the trends; `trends` has a row per item.
///
/// # Errors
/// [`FitError::Cancelled`]; [`FitError::NotFinite`] when a part's scores leave no finite weights.
pub fn fit(cases: &[Case<'_>], trends: &[Vec<f64>], id_order: &[u32], job: &Job) -> Result<Vec<f32>, FitError> {
    let tastes = cases.first().map_or(0, |case| case.tastes.len());
    let all = tastes + trends.first().map_or(0, Vec::len);
    let start: Vec<f64> = (0..all).map(|at| if at < tastes { 1.0 / tastes as f64 } else { 0.0 }).collect();
    let mut weights = start.clone();
    let mut now = Slope::at(&weights, &start, cases, trends, job)?;
    for _ in 0..STEPS {
        let Some(step) = solve(now.curvature.clone(), now.gradient.clone()) else { break };
        let largest = step.iter().fold(0.0_f64, |most, part| most.max(part.abs()));
        // Far from the top a whole step may overshoot; half of it, and half of that, climb.
        let mut scale = 1.0;
        let climbed = loop {
            let tried: Vec<f64> = weights.iter().zip(&step).map(|(weight, part)| weight + scale * part).collect();
            let there = Slope::at(&tried, &start, cases, trends, job)?;
            if there.height >= now.height {
                break Some((tried, there));
            }
            scale /= 2.0;
            if scale < 1e-3 {
                break None;
            }
        };
        let Some((there, slope)) = climbed else { break };
        (weights, now) = (there, slope);
        if largest * scale < CLOSE {
            break;
        }
    }
    let share = best_share(&weights, cases, trends, id_order, job)?;
    weights[tastes..].iter_mut().for_each(|weight| *weight *= share);
    if weights.iter().all(|weight| (*weight as f32).is_finite()) {
        return Ok(weights.into_iter().map(|weight| weight as f32).collect());
    }
    Err(FitError::NotFinite("a weight of the blend".into()))
}

/// The penalised log-likelihood at some weights.
struct Slope {
    height: f64,
    gradient: Vec<f64>,
    /// The negative second derivative, `[weights][weights]`.
    curvature: Vec<Vec<f64>>,
}

impl Slope {
    fn at(
        weights: &[f64],
        start: &[f64],
        cases: &[Case<'_>],
        trends: &[Vec<f64>],
        job: &Job,
    ) -> Result<Self, FitError> {
        let tastes = cases.first().map_or(0, |case| case.tastes.len());
        let lift: Vec<f64> = trends.iter().map(|logs| dot(logs, &weights[tastes..])).collect();
        let of_case = |case: &Case<'_>| {
            job.check()?;
            Ok(Self::of(case, weights, trends, &lift))
        };
        let parts = cases.par_iter().map(of_case).collect::<Result<Vec<Self>, FitError>>()?;
        let off: Vec<f64> = weights.iter().zip(start).map(|(weight, start)| weight - start).collect();
        let mut sum = Self {
            height: -0.5 * RIDGE * dot(&off, &off),
            gradient: off.iter().map(|off| -RIDGE * off).collect(),
            curvature: (0..off.len())
                .map(|row| (0..off.len()).map(|at| if at == row { RIDGE } else { 0.0 }).collect())
                .collect(),
        };
        // In the order of users, so that threads change no bit.
        for part in parts {
            sum.height += part.height;
            add(&mut sum.gradient, 1.0, &part.gradient);
            for (row, part) in sum.curvature.iter_mut().zip(&part.curvature) {
                add(row, 1.0, part);
            }
        }
        Ok(sum)
    }

    /// One user's part.
    fn of(case: &Case<'_>, weights: &[f64], trends: &[Vec<f64>], lift: &[f64]) -> Self {
        let tastes = case.tastes.len();
        let mut scores = lift.to_vec();
        for (taste, &weight) in case.tastes.iter().zip(weights) {
            scores.iter_mut().zip(taste).for_each(|(score, &says)| *score += weight * f64::from(says));
        }
        for &item in &case.own {
            scores[item as usize] = f64::NEG_INFINITY;
        }
        let top = scores.iter().copied().fold(f64::MIN, f64::max);
        let (mut total, mut mean) = (0.0, vec![0.0; weights.len()]);
        let mut curvature = vec![vec![0.0; weights.len()]; weights.len()];
        let mut features = vec![0.0; weights.len()];
        let read = |features: &mut [f64], item: usize| {
            features.iter_mut().zip(&case.tastes).for_each(|(feature, taste)| *feature = f64::from(taste[item]));
            features[tastes..].copy_from_slice(&trends[item]);
        };
        for (item, &score) in scores.iter().enumerate() {
            let chance = (score - top).exp();
            // What is a billion times less likely than the first changes nothing.
            if chance < 1e-9 {
                continue;
            }
            total += chance;
            read(&mut features, item);
            add(&mut mean, chance, &features);
            for (at, row) in curvature.iter_mut().enumerate() {
                add(&mut row[at..], chance * features[at], &features[at..]);
            }
        }
        let taken = case.held_out.known();
        let each = 1.0 / taken.len().max(1) as f64;
        let mut slope =
            Self { height: -top - total.ln(), gradient: mean.iter().map(|sum| -sum / total).collect(), curvature };
        for &item in taken {
            read(&mut features, item as usize);
            slope.height += each * dot(&features, weights);
            add(&mut slope.gradient, each, &features);
        }
        for row in 0..weights.len() {
            for column in row..weights.len() {
                let value = slope.curvature[row][column] / total - mean[row] * mean[column] / (total * total);
                slope.curvature[row][column] = value;
                slope.curvature[column][row] = value;
            }
        }
        slope
    }
}

/// The factor of the trend with the best NDCG@10 over the cases.
fn best_share(
    weights: &[f64],
    cases: &[Case<'_>],
    trends: &[Vec<f64>],
    id_order: &[u32],
    job: &Job,
) -> Result<f64, FitError> {
    let tastes = cases.first().map_or(0, |case| case.tastes.len());
    let lift: Vec<f32> = trends.iter().map(|logs| dot(logs, &weights[tastes..]) as f32).collect();
    let of_case = |case: &Case<'_>| {
        job.check()?;
        let mut taste = vec![0.0_f32; lift.len()];
        for (says, &weight) in case.tastes.iter().zip(weights) {
            taste.iter_mut().zip(says).for_each(|(taste, says)| *taste += weight as f32 * says);
        }
        let mut own = vec![false; lift.len()];
        case.own.iter().for_each(|&item| own[item as usize] = true);
        let mut list = Vec::new();
        Ok(SHARES.map(|share| {
            let scores: Vec<f32> = taste.iter().zip(&lift).map(|(taste, lift)| taste + share as f32 * lift).collect();
            top_n(&scores, id_order, &own, PLACES, &mut list);
            ndcg(&list, case.held_out, PLACES)
        }))
    };
    let figures = cases.par_iter().map(of_case).collect::<Result<Vec<_>, FitError>>()?;
    let mut best = (f64::NEG_INFINITY, 1.0);
    for (at, &share) in SHARES.iter().enumerate() {
        let sum: f64 = figures.iter().map(|figures| figures[at]).sum();
        if sum > best.0 {
            best = (sum, share);
        }
    }
    Ok(best.1)
}

/// The solution of `matrix x = right` for a positive definite matrix, by Cholesky's factors; none where it is not.
fn solve(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> Option<Vec<f64>> {
    let size = right.len();
    for row in 0..size {
        for column in 0..=row {
            let below: f64 = (0..column).map(|at| matrix[row][at] * matrix[column][at]).sum();
            let left = matrix[row][column] - below;
            matrix[row][column] = if column < row {
                left / matrix[column][column]
            } else if left > 0.0 {
                left.sqrt()
            } else {
                return None;
            };
        }
        let known: f64 = (0..row).map(|at| matrix[row][at] * right[at]).sum();
        right[row] = (right[row] - known) / matrix[row][row];
    }
    for row in (0..size).rev() {
        let known: f64 = (row + 1..size).map(|at| matrix[at][row] * right[at]).sum();
        right[row] = (right[row] - known) / matrix[row][row];
    }
    right.iter().all(|value| value.is_finite()).then_some(right)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(to: &mut [f64], factor: f64, values: &[f64]) {
    to.iter_mut().zip(values).for_each(|(to, value)| *to += factor * value);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cases of users who each took item `user % 3`, of which taste says the truth to every second.
    fn cases(held_out: &[HeldOut]) -> Vec<Case<'_>> {
        fn case((user, held_out): (usize, &HeldOut)) -> Case<'_> {
            let mut taste = vec![0.0; 6];
            taste[if user % 2 == 0 { user % 3 } else { 5 - user % 3 }] = 1.0;
            Case { tastes: vec![taste], own: vec![3], held_out }
        }
        held_out.iter().enumerate().map(case).collect()
    }

    #[test]
    fn the_slope_is_that_of_the_height() {
        let held_out: Vec<HeldOut> = (0..30).map(|user| HeldOut::new(vec![user % 3], 0)).collect();
        let cases = cases(&held_out);
        let trends: Vec<Vec<f64>> = (0..6).map(|item| vec![f64::from(5 - item) * 0.3, f64::from(item % 2)]).collect();
        let (weights, start) = ([0.7, 0.4, -0.2], [1.0, 0.0, 0.0]);
        let at = |weights: &[f64]| Slope::at(weights, &start, &cases, &trends, &Job::quiet(1)).unwrap();
        let slope = at(&weights);
        for along in 0..3 {
            let moved = |by: f64| {
                let mut moved = weights;
                moved[along] += by;
                at(&moved)
            };
            let (up, down) = (moved(1e-4), moved(-1e-4));
            let gradient = (up.height - down.height) / 2e-4;
            assert!((gradient - slope.gradient[along]).abs() < 1e-6, "{gradient} {:?}", slope.gradient);
            for other in 0..3 {
                let curvature = (down.gradient[other] - up.gradient[other]) / 2e-4;
                assert!((curvature - slope.curvature[along][other]).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn the_fit_stands_on_the_top_and_finds_what_tells() {
        let held_out: Vec<HeldOut> = (0..60).map(|user| HeldOut::new(vec![user % 3], 0)).collect();
        let cases = cases(&held_out);
        // The first trend says that the first three items sell, the second nothing.
        let trends: Vec<Vec<f64>> =
            (0..6).map(|item| vec![if item < 3 { 1.0 } else { 0.0 }, f64::from(item % 2)]).collect();
        let weights = fit(&cases, &trends, &[0, 1, 2, 3, 4, 5], &Job::quiet(1)).unwrap();
        assert!(weights[0] > 0.5 && weights[1] > 1.0 && weights[2].abs() < 0.8, "{weights:?}");
    }

    #[test]
    fn a_trend_that_misleads_the_first_places_is_left_out() {
        // Taste is right; the trend is likely for most, and always wrong at the top of a list.
        let held_out: Vec<HeldOut> = (0..20).map(|user| HeldOut::new(vec![1 + user % 4], 0)).collect();
        let cases: Vec<Case<'_>> = (0..20_usize)
            .zip(&held_out)
            .map(|(user, held_out)| {
                let mut taste = vec![0.0; 40];
                taste[1 + user % 4] = 0.1;
                Case { tastes: vec![taste], own: vec![], held_out }
            })
            .collect();
        let trends: Vec<Vec<f64>> = (0..40).map(|item| vec![if item > 4 { 1.0 } else { 0.0 }]).collect();
        let order: Vec<u32> = (0..40).collect();
        assert_eq!(best_share(&[1.0, 3.0], &cases, &trends, &order, &Job::quiet(1)).unwrap(), 0.0);
        assert_eq!(
            best_share(&[1.0, 0.0], &cases, &trends, &order, &Job::quiet(1)).unwrap(),
            1.0,
            "the first of equals"
        );
    }

    #[test]
    fn equations_are_solved_and_impossible_ones_are_none() {
        let solved = solve(vec![vec![4.0, 2.0], vec![2.0, 3.0]], vec![10.0, 9.0]).unwrap();
        assert!((solved[0] - 1.5).abs() < 1e-12 && (solved[1] - 2.0).abs() < 1e-12, "{solved:?}");
        assert_eq!(solve(vec![vec![0.0]], vec![1.0]), None);
        assert_eq!(solve(vec![vec![1.0]], vec![f64::NAN]), None);
    }
}
