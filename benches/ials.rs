//! `ials -- PAIRS`: seconds of some iterations of `ials` on the pairs of a file, on each instruction set of the machine, with
//! the objective of `bench/peers/ials.py`. An iteration here gets further than the peer's: four are as good as five there.

mod common;

use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use ouzel::model::candidates::ials::{Alternation, Entries, Factors, Ials, Positives, Rows, drawn};
use ouzel::model::kernels::Simd;
use ouzel::model::training::job::Job;
use ouzel::model::training::pool;
use rayon::prelude::*;
use serde_json::json;

const FACTORS: usize = 64;
/// The peer's weight of a pair, against 1 of one that was not taken.
const CONFIDENCE: f64 = 11.0;
const REGULARIZATION: f64 = 5.0;
const ITERATIONS: usize = 4;
const THREADS: usize = 2;
/// Ours adds a pair's weight to the 1 that every pair has, with a target of 1 for the part that is added. That is the
/// peer's problem with scores, and so both sides' products, at this share.
const SHARE: f64 = (CONFIDENCE - 1.0) / CONFIDENCE;

fn main() -> anyhow::Result<()> {
    let arguments = common::arguments();
    let data = common::pairs(Path::new(arguments.first().context("which file of pairs?")?))?;
    let recipe = Ials {
        factors: FACTORS,
        unobserved: 1.0,
        regularization: REGULARIZATION * SHARE,
        nu: 0.0,
        iterations: ITERATIONS,
        ..Ials::default()
    };
    let positives = Positives::new(&data, |_, _| (CONFIDENCE - 1.0) as f32).context("no pair")?;
    for simd in Simd::available() {
        let job = Job::quiet(42);
        let (seconds, reached) = pool::within(THREADS, || {
            let mut alternation = Alternation::new(&recipe, &positives, simd, drawn(data.items(), FACTORS, 42));
            let mut seconds = Vec::new();
            for _ in 0..ITERATIONS {
                let began = Instant::now();
                alternation.step(&job)?;
                seconds.push(began.elapsed().as_secs_f64());
            }
            anyhow::Ok((seconds, objective(&positives, &alternation)))
        })??;
        common::tell(&json!({
            "name": format!("ouzel, {}", simd.name()),
            "seconds": seconds.iter().sum::<f64>(),
            "per iteration": common::median(seconds),
            "objective": reached,
            "peak MB": common::peak_megabytes()?,
        }))?;
    }
    Ok(())
}

/// The peer's objective of our factors, brought to its scale.
fn objective(positives: &Positives<'_>, alternation: &Alternation<'_>) -> f64 {
    let (users, items) = (&alternation.users, &alternation.items);
    let score = |user: &[f32], item: &[f32]| f64::from(users.dot(user, item)) / SHARE;
    let of_pairs: f64 = (0..users.rows())
        .into_par_iter()
        .map(|user| {
            let mut entries = Entries::default();
            let liked = positives.by_user.of(user, &mut entries).0;
            let scores = liked.iter().map(|&item| score(users.row(user), items.row(item as usize)));
            scores.map(|score| CONFIDENCE * (1.0 - score).powi(2) - score.powi(2)).sum::<f64>()
        })
        .sum();
    let (of_users, of_items) = (products(users), products(items));
    let of_all: f64 = of_users.iter().zip(&of_items).map(|(user, item)| user * item).sum();
    let lengths: f64 =
        [&of_users, &of_items].map(|products| products.iter().step_by(FACTORS + 1).sum::<f64>()).iter().sum();
    of_pairs + of_all / SHARE / SHARE + REGULARIZATION * lengths / SHARE
}

/// `FᵀF`, row-major.
fn products(factors: &Factors) -> Vec<f64> {
    let mut sum = vec![0.0; FACTORS * FACTORS];
    for row in 0..factors.rows() {
        let row = factors.row(row);
        for (a, sums) in row.iter().zip(sum.chunks_exact_mut(FACTORS)) {
            for (b, sum) in row.iter().zip(sums) {
                *sum += f64::from(*a) * f64::from(*b);
            }
        }
    }
    sum
}
