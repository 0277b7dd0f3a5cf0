//! `ouzel demo`: the whole system on one machine, with a shop that is made up.

pub mod shop;
mod tastes;

use std::path::PathBuf;

use clap::Args;

use super::Context;
use super::arguments::Positive;
use super::failure::Failure;
use crate::settings::{Settings, Span};

/// Runs the whole system on this machine, with nothing to install.
///
/// An embedded broker, a made-up shop of 2,000 shoppers and 500 products whose tastes drift, 60 days of past purchases,
/// then live events and requests over Kafka, and a new model each minute. It prints the broker's address, the page's URL,
/// lines to try next, and a line per run and swap. The broker is for trying out: it keeps little and forgets all at the end.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Keeps the data in this folder (default: a temporary one, gone at the end).
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// The port of the service; 0 takes any free one.
    #[arg(long, default_value_t = 5500)]
    pub port: u16,

    /// Events a second.
    #[arg(long, value_name = "N", default_value = "20")]
    pub rate: Positive,

    /// Time between the starts of runs.
    #[arg(long, value_name = "SPAN", default_value = "60s")]
    pub every: Span,

    /// Makes another shop, and the same one again.
    #[arg(long, value_name = "N", default_value_t = 42)]
    pub seed: u64,
}

pub(super) fn run(args: &DemoArgs, context: &mut Context<'_>) -> anyhow::Result<()> {
    let port = args.port.to_string();
    let mine = [
        ("OUZEL__SERVER__PORT", port.as_str()),
        // The demo is this machine's own, whatever the settings of a service beside it say.
        ("OUZEL__SERVER__ADDRESS", "127.0.0.1"),
        ("OUZEL__SERVER__ROLE", "all"),
    ];
    for (name, value) in mine {
        context.environment.insert(name.to_owned(), value.to_owned());
    }
    let settings = context.settings()?;
    run_the_shop(args, settings, context)
}

/// Starts broker, service and shop, and returns when ctrl-C has ended them.
fn run_the_shop(_args: &DemoArgs, _settings: Settings, _context: &mut Context<'_>) -> anyhow::Result<()> {
    Err(Failure::Lacks("the service and the embedded broker").into())
}
