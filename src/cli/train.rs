//! `ouzel train`: one run without the service.

use clap::Args;

use super::Context;
use super::arguments::RemoteArgs;
use super::failure::Failure;
use crate::settings::Settings;

/// Trains every candidate on the events in storage.data_dir, once, and shows what each is worth.
///
/// The candidates and their settings are those of the section training; the chosen one and its gate are judged as in a run
/// of the service. Nothing is kept unless --publish.
#[derive(Debug, Args)]
pub struct TrainArgs {
    /// Writes the chosen model to the registry as a new version and makes it live, if the gate lets it pass.
    #[arg(long)]
    pub publish: bool,

    /// Prints the run's record as JSON instead of a table.
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    pub remote: RemoteArgs,
}

pub(super) fn run(args: &TrainArgs, context: &mut Context<'_>) -> anyhow::Result<()> {
    if args.remote.url.is_some() && !args.publish {
        let message = "--url starts a run of the service, which publishes: give --publish too, or leave --url out";
        return Err(Failure::Usage(message.to_owned()).into());
    }
    let settings = context.settings()?;
    train_once(args, &settings, context)
}

/// Trains with a progress bar and shows the table of candidates.
fn train_once(_args: &TrainArgs, _settings: &Settings, _context: &mut Context<'_>) -> anyhow::Result<()> {
    Err(Failure::Lacks("training").into())
}
