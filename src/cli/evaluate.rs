//! `ouzel evaluate`: what models are worth on a file.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use super::Context;
use super::arguments::FileFormat;
use super::failure::Failure;
use super::input::{Input, Watched, tell_bad_lines};
use crate::app::offline;
use crate::app::plan::{options as options_of, search as search_of};
use crate::model::candidates::CandidateOptions;
use crate::model::evaluation::compare::{EvaluationOptions, evaluate};
use crate::model::evaluation::filters::Filters;
use crate::model::evaluation::given::Negatives;
use crate::model::evaluation::lists::ListWriter;
use crate::model::evaluation::split::Protocol;
use crate::model::ids::{ItemId, UserId};
use crate::model::interactions::Interactions;
use crate::settings::{CANDIDATE_KINDS, Settings};
use crate::store::import::load_interactions;

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

    /// Writes the ranked lists and held-out items behind the figures to this file, a line of JSON for each model and user.
    #[arg(long, value_name = "FILE")]
    pub lists: Option<PathBuf>,

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
    args: &EvaluateArgs,
    split: Option<EvaluateProtocol>,
    kinds: &[String],
    settings: &Settings,
    context: &mut Context<'_>,
) -> anyhow::Result<()> {
    let rows = load(&args.file, args.format, settings, context)?;
    let test = args.test.as_deref().map(|file| load(file, args.format, settings, context)).transpose()?;
    let negatives = args.negatives.as_deref().map(read_negatives).transpose()?;
    let lists = args.lists.as_deref().map(list_writer).transpose()?;
    let plan = offline::run_plan(settings)?;
    let options = EvaluationOptions {
        protocol: match split {
            None => plan.protocol,
            Some(EvaluateProtocol::LeaveLastOut) => Protocol::LeaveLastOut,
            Some(EvaluateProtocol::Temporal) => Protocol::Temporal,
            Some(EvaluateProtocol::Holdout) => Protocol::Holdout,
        },
        filters: Filters { min_item_users: args.min_item_users, min_user_items: args.min_user_items },
        test: test.as_ref(),
        negatives: negatives.as_deref(),
        search: search_of(settings, CandidateOptions { kinds: kinds.to_vec(), ..options_of(settings) })?,
        metric: plan.metric,
        lists: lists.clone(),
    };
    let watched = Watched::new(settings);
    let report = evaluate(rows, &options, &watched.job);
    watched.end();
    let report = report?;
    if let (Some(lists), Some(path)) = (lists, &args.lists) {
        lists.finish().with_context(|| format!("{} cannot be written", path.display()))?;
    }
    if args.json {
        writeln!(context.out, "{:#}", report.json())?;
    } else {
        write!(context.out, "{}", report.table())?;
    }
    Ok(())
}

fn list_writer(path: &Path) -> anyhow::Result<Arc<ListWriter>> {
    let file = File::create(path).with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(Arc::new(ListWriter::new(Box::new(BufWriter::new(file)))))
}

/// Reads a file of events, a folder's or S3's, and tells its bad lines.
fn load(
    name: &str,
    format: FileFormat,
    settings: &Settings,
    context: &mut Context<'_>,
) -> anyhow::Result<Interactions> {
    let input = Input::open(name, settings, &std::env::temp_dir())?;
    let ingest = &settings.ingest;
    let weight = |kind: &str, value: f32| ingest.weights.get(kind).copied().unwrap_or(ingest.default_weight) * value;
    let (rows, bad) = load_interactions(input.path(), name, format.into(), &weight)?;
    tell_bad_lines(name, &bad, bad.len() as u64, context.err)?;
    Ok(rows)
}

/// Reads lines `(user,item)<tab>negative<tab>negative…`, as the published comparisons have them.
fn read_negatives(path: &Path) -> anyhow::Result<Vec<Negatives>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let lines = (1_u64..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    lines.map(|(number, line)| negatives(line).with_context(|| format!("{}: line {number}", path.display()))).collect()
}

fn negatives(line: &str) -> anyhow::Result<Negatives> {
    let mut fields = line.split_whitespace();
    let pair = fields.next().and_then(|pair| pair.strip_prefix('(')?.strip_suffix(')')?.split_once(','));
    let (user, item) = pair.context("it must begin with (user,item), without blanks")?;
    let negatives = fields.map(ItemId::new).collect::<Result<Vec<_>, _>>()?;
    anyhow::ensure!(!negatives.is_empty(), "it names no negatives");
    Ok(Negatives { user: UserId::new(user)?, positive: ItemId::new(item)?, negatives })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negatives_stand_behind_their_pair() {
        let read = negatives("(0,25)\t1064\t174 2791").unwrap();
        assert_eq!((read.user.as_str(), read.positive.as_str()), ("0", "25"));
        assert_eq!(read.negatives.iter().map(ItemId::as_str).collect::<Vec<_>>(), ["1064", "174", "2791"]);
        for line in ["0,25\t1", "(0 25)\t1", "(0,25)", "(,25)\t1"] {
            assert!(negatives(line).is_err(), "{line}");
        }
    }
}
