//! `ease -- PAIRS`: seconds of a whole fit of `ease` on the pairs of a file, with its memory.

mod common;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use ouzel::model::candidates;
use ouzel::model::recommender::RecipeSpec;
use ouzel::model::training::job::Job;
use serde_json::json;

const THREADS: usize = 2;
/// The peer's.
const LAMBDA: f64 = 500.0;

fn main() -> anyhow::Result<()> {
    let arguments = common::arguments();
    let data = common::pairs(Path::new(arguments.first().context("which file of pairs?")?))?;
    let settings = json!({ "lambda": LAMBDA, "max_items": data.items(), "half_life_days": 0.0 });
    let recipe = candidates::recipe(&RecipeSpec { kind: "ease".into(), settings })?;
    let job = Job::new(42, THREADS, Arc::default(), Arc::new(|_| ()));
    let before = common::peak_megabytes()?;
    let began = Instant::now();
    let fitted = candidates::fit(recipe.as_ref(), &data, None, &job)?;
    let seconds = began.elapsed().as_secs_f64();
    let peak = common::peak_megabytes()?;
    let items = data.items();
    let mut row = vec![0.0; items];
    let squares: f64 = (0..items as u32)
        .map(|item| {
            fitted.recommender.similar(item, &mut row);
            row.iter().map(|&weight| f64::from(weight).powi(2)).sum::<f64>()
        })
        .sum();
    common::tell(&json!({
        "name": "ouzel",
        "seconds": seconds,
        "sum of squares": squares,
        "peak MB": peak,
        "matrices": (peak - before) * 1024.0 * 1024.0 / (items * items * 4) as f64,
    }))
}
