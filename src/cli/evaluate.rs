//! `ouzel evaluate`: what models are worth on a file.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Context;
use super::arguments::FileFormat;
use super::failure::Failure;
use crate::settings::{CANDIDATE_KINDS, Settings};

/// How a file is divided into train and test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EvaluateProtocol {
    /// Each user's last item is held out.
    LeaveLastOut,
    /// What came after a point in time is held out.
    Temporal,
    /// The rows of --test are held out.
    Holdout,
}

/// Fits models on a part of a file and judges their lists by the rest.
///
/// Ranking is over the whole catalogue, the user's own train items left out. The row marked chosen is picked on a
/// validation part of train, as a run would; the test rows are seen once.
#[derive(Debug, Args)]
pub struct EvaluateArgs {
    /// The file, as `ouzel import` reads it.
    #[arg(value_name = "FILE")]
    pub file: String,

    /// What the file holds.
    #[arg(long, value_enum, default_value_t = FileFormat::Events)]
    pub format: FileFormat,

    /// How the file is divided; without it by --test where that is given, else as training.protocol says.
    #[arg(long, value_enum)]
    pub protocol: Option<EvaluateProtocol>,

    /// The test rows of a published split; FILE is then all of train.
    #[arg(long, value_name = "FILE")]
    pub test: Option<String>,

    /// Negatives per user to rank against, for comparison with figures that were published so.
    #[arg(long, value_name = "FILE")]
    pub negatives: Option<PathBuf>,

    /// Leaves out items with fewer users.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub min_item_users: u32,

    /// Leaves out users with fewer items.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub min_user_items: u32,

    /// The kinds of model, joined by commas; default stands for what a run would train and choose from.
    #[arg(long, value_name = "KINDS", value_delimiter = ',', default_value = "default")]
    pub models: Vec<String>,

    /// Prints JSON instead of a table.
    #[arg(long)]
    pub json: bool,
}

impl EvaluateArgs {
    /// The protocol, with [`None`] for the settings' own.
    ///
    /// # Errors
    /// [`Failure::Usage`] when `--protocol` and `--test` contradict each other.
    pub fn split(&self) -> Result<Option<EvaluateProtocol>, Failure> {
        match (self.protocol, &self.test) {
            (Some(EvaluateProtocol::Holdout), None) => {
                Err(Failure::Usage("--protocol holdout needs the test rows: give --test FILE".to_owned()))
            }
            (Some(EvaluateProtocol::LeaveLastOut | EvaluateProtocol::Temporal), Some(_)) => {
                Err(Failure::Usage("--test gives the split: leave --protocol out, or say holdout".to_owned()))
            }
            (None, Some(_)) => Ok(Some(EvaluateProtocol::Holdout)),
            (protocol, _) => Ok(protocol),
        }
    }

    /// The kinds of model, `default` replaced by `candidates`, each once, in the order given.
    ///
    /// # Errors
    /// [`Failure::Usage`] for an unknown kind.
    pub fn kinds(&self, candidates: &[String]) -> Result<Vec<String>, Failure> {
        let mut kinds: Vec<String> = Vec::new();
        for name in self.models.iter().map(|name| name.trim()) {
            let named: Vec<String> = match name {
                "default" => candidates.to_vec(),
                kind if CANDIDATE_KINDS.contains(&kind) => vec![kind.to_owned()],
                other => {
                    let all = CANDIDATE_KINDS.join(", ");
                    return Err(Failure::Usage(format!("there is no kind {other:?}; kinds are {all}, default")));
                }
            };
            kinds.extend(named.into_iter().filter(|kind| !kinds.contains(kind)).collect::<Vec<_>>());
        }
        Ok(kinds)
    }
}

pub(super) fn run(args: &EvaluateArgs, context: &mut Context<'_>) -> anyhow::Result<()> {
    let split = args.split()?;
    let settings = context.settings()?;
    let kinds = args.kinds(&settings.training.candidates)?;
    evaluate_file(args, split, &kinds, &settings, context)
}

/// Evaluates `kinds` on the file with a progress bar and shows the table, or JSON.
fn evaluate_file(
    _args: &EvaluateArgs,
    _split: Option<EvaluateProtocol>,
    _kinds: &[String],
    _settings: &Settings,
    _context: &mut Context<'_>,
) -> anyhow::Result<()> {
    Err(Failure::Lacks("evaluation").into())
}
