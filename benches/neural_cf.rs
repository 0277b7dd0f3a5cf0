//! `neural_cf -- TRAIN TEST BATCH`: seconds per epoch of the original's network on the examples of `bench/data.py
//! purchases`, the tables' making and the folding included, and the loss on the held-out ones.

mod common;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use ouzel::model::training::job::Job;
use ouzel::model::training::network::{Example, Folded, HIDDEN, NetworkSettings, train};
use serde_json::json;

const EPOCHS: usize = 3;
/// The peer trains as often, and each tells its median.
const RUNS: usize = 5;
const THREADS: usize = 2;

fn main() -> anyhow::Result<()> {
    let arguments = common::arguments();
    let [learnt, held_out, batch] = arguments.as_slice() else {
        anyhow::bail!("give the file of examples to learn, that of held-out ones, and the batch");
    };
    let (learnt, held_out) = (examples(Path::new(learnt))?, examples(Path::new(held_out))?);
    let batch: usize = batch.parse().context("the batch is a number")?;
    let count = |index: fn(&Example) -> u32| {
        learnt.iter().chain(&held_out).map(index).max().map_or(0, |most| most as usize + 1)
    };
    let (users, items) = (count(|example| example.user), count(|example| example.item));
    let settings = NetworkSettings { epochs: EPOCHS, batch, learning_rate: 0.001, held_out: 0.0 };
    let job = Job::new(42, THREADS, Arc::default(), Arc::new(|_| ()));
    let mut folded = Folded::default();
    let mut seconds = Vec::new();
    for _ in 0..RUNS {
        let began = Instant::now();
        folded = train(&learnt, users, items, &settings, &job)?;
        seconds.push(began.elapsed().as_secs_f64() / EPOCHS as f64);
    }
    common::tell(&json!({
        "name": format!("ouzel on {}, batch {batch}", if cfg!(feature = "flex") { "burn-flex" } else { "burn-ndarray" }),
        "seconds": common::median(seconds),
        "held-out loss": loss(&folded, &held_out),
    }))
}

fn examples(path: &Path) -> anyhow::Result<Vec<Example>> {
    let words = common::words(path)?;
    let example = |&[user, item, target]: &[u32; 3]| Example { user, item, target: f32::from_bits(target) };
    Ok(words.as_chunks::<3>().0.iter().map(example).collect())
}

fn loss(folded: &Folded, examples: &[Example]) -> f64 {
    let row =
        |table: &[f32], at: u32| table.iter().skip(at as usize * HIDDEN).take(HIDDEN).copied().collect::<Vec<_>>();
    let squares = examples.iter().map(|example| {
        let (user, item) = (row(&folded.users, example.user), row(&folded.items, example.item));
        let hidden = user.iter().zip(&item).map(|(user, item)| (user + item).max(0.0));
        let score = hidden.zip(&folded.weights).map(|(value, weight)| value * weight).sum::<f32>() + folded.bias;
        f64::from(score.max(0.0).ln_1p() - example.target.ln_1p()).powi(2)
    });
    squares.sum::<f64>() / examples.len() as f64
}
