//! What a request costs, as ratios to the server's own `/health/live` in the same run.
//!
//!     cargo bench --bench serving -- BINARY FOLDER [ROUNDS [CASE…]]
//!
//! BINARY is the release build; FOLDER keeps the generated shops between runs. Prints a table; fails nothing.
#![allow(clippy::indexing_slicing, reason = "the bench indexes its own tables")]

mod cases;
#[path = "../common/mod.rs"]
mod common;
mod growth;
mod load;
mod peer;
mod rates;
mod service;
mod shop;
mod stream;
mod volume;
mod while_busy;

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, bail};

/// What the cases share.
pub struct Bench {
    pub binary: PathBuf,
    pub folder: PathBuf,
    /// How often each figure is taken; the median counts.
    pub rounds: usize,
}

impl Bench {
    /// A line of the table.
    pub fn tell(&self, case: &str, figure: &str, goal: &str, told: &str) -> anyhow::Result<()> {
        writeln!(std::io::stdout(), "| {case} | {figure} | {goal} | {told} |").context("the table cannot be printed")
    }
}

fn main() -> anyhow::Result<()> {
    let mut arguments = common::arguments().into_iter();
    let (Some(binary), Some(folder)) = (arguments.next(), arguments.next()) else {
        bail!("usage: serving BINARY FOLDER [ROUNDS [CASE…]], the cases being {}", names().join(", "));
    };
    let rounds = arguments.next().map_or(Ok(5), |rounds| rounds.parse()).context("ROUNDS must be a number")?;
    let bench = Bench { binary: binary.into(), folder: folder.into(), rounds };
    let asked: Vec<String> = arguments.collect();
    if let Some(unknown) = asked.iter().find(|case| !names().contains(&case.as_str())) {
        bail!("no case is named {unknown}; there are {}", names().join(", "));
    }
    bench.tell("case", "measured", "goal", "beside it")?;
    bench.tell("---", "---", "---", "---")?;
    for (name, case) in cases::CASES {
        if asked.is_empty() || asked.iter().any(|asked| asked == name) {
            case(&bench).with_context(|| format!("case {name}"))?;
        }
    }
    Ok(())
}

fn names() -> Vec<&'static str> {
    cases::CASES.iter().map(|(name, _)| *name).collect()
}
