//! `ouzel import`: files into the event log.

use clap::Args;

use super::Context;
use super::arguments::{FileFormat, RemoteArgs};
use super::failure::Failure;
use crate::settings::Settings;

/// Puts files into the event log.
///
/// Formats: CSV user,item,timestamp,weight[,type], NDJSON and Parquet (--format events), or the original system's CSV
/// customerId,products (--format transactions). Names that end in .gz or .zst are read through; a path may be s3://….
/// Importing a file twice adds nothing.
///
/// The service may not run on the same folder meanwhile; with --url the events go through it instead.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// The files, in the order in which they are read.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<String>,

    /// What the files hold.
    #[arg(long, value_enum, default_value_t = FileFormat::Events)]
    pub format: FileFormat,

    /// Stops at the first bad line; otherwise bad lines are reported with their numbers and counted.
    #[arg(long)]
    pub strict: bool,

    #[command(flatten)]
    pub remote: RemoteArgs,
}

pub(super) fn run(args: &ImportArgs, context: &mut Context<'_>) -> anyhow::Result<()> {
    let settings = context.settings()?;
    import_files(args, &settings, context)
}

/// Imports the files with a progress bar and tells what came of them.
fn import_files(_args: &ImportArgs, _settings: &Settings, _context: &mut Context<'_>) -> anyhow::Result<()> {
    Err(Failure::Lacks("the event log").into())
}
