//! `ouzel versions import`: factors that were trained elsewhere become a version, through the gate.

use clap::Args;
use serde_json::json;

use super::Context;
use super::arguments::{At, Positive};
use super::failure::Failure;
use super::input::{Input, Watched};
use super::remote::wait_for;
use super::table::clean;
use crate::actors::job::{Origin, registration};
use crate::actors::messages::Snapshot;
use crate::app::StartError;
use crate::app::offline::{self, Offline};
use crate::model::candidates::ials::{GivenFactors, SparkSettings};
use crate::model::clock::Clock;
use crate::model::evaluation::report;
use crate::model::manifest::{CandidateFigures, FactorsFile, GateVerdict, Imported};
use crate::model::training::given::{self, Given};
use crate::model::training::job::Job;
use crate::settings::Settings;
use crate::store::factors;
use crate::store::log::LogError;

/// Makes items' factors that were trained elsewhere a new version of kind ials, live if the gate lets it pass.
///
/// PATH is what Spark's ALSModel.itemFactors wrote (Parquet, a file or a folder) with the items' ids in a column item, or a
/// safetensors file: a tensor factors, and in the metadata the ids as a JSON array, items. Users need no factors: they are
/// folded in by their histories, as Spark's ALS with implicitPrefs folds them in. The service may not run on the same folder
/// meanwhile.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// The factors; s3://… for one file.
    #[arg(value_name = "PATH")]
    pub path: String,

    /// Spark's alpha in that training.
    #[arg(long, value_name = "NUMBER", default_value = "1.0")]
    pub alpha: Positive,

    /// Spark's regParam in that training.
    #[arg(long, value_name = "NUMBER", default_value = "0.1")]
    pub reg_param: Positive,

    /// How ratings were made of a pair's summed weight w: w to this power, within 1/8 and 8; 0: every rating is 1.
    #[arg(long, value_name = "0 TO 1", default_value = "0", value_parser = power)]
    pub weight_power: f64,

    /// The time of the last event that the factors were trained on, as 2026-11-29T12:00:00Z: they are judged by what came
    /// later. Without it they are judged by the usual holdout, with a note that they may have been trained on it.
    #[arg(long, value_name = "TIME")]
    pub trained_until: Option<At>,

    /// Factors of the same training, on events up to --trained-until only: the gate judges these, and PATH, which may be
    /// trained on all events, goes live.
    #[arg(long, value_name = "PATH", requires = "trained_until")]
    pub judge_by: Option<String>,

    /// Prints what came of it as JSON instead of a table.
    #[arg(long)]
    pub json: bool,
}

fn power(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|power| (0.0..=1.0).contains(power)).ok_or_else(|| "must be from 0 to 1".to_owned())
}

/// What came of an import.
struct Done {
    imported: Imported,
    candidates: Vec<CandidateFigures>,
    gate: GateVerdict,
    /// None where the gate refused it.
    version: Option<u64>,
}

pub(super) fn run(args: &ImportArgs, context: &mut Context<'_>) -> anyhow::Result<()> {
    let settings = context.settings()?;
    let folder = Offline::open(&settings).map_err(|error| match error {
        StartError::Log(LogError::Locked { folder }) => anyhow::Error::from(Failure::Ended(format!(
            "the data folder {} is in use by another process: stop the service while factors are imported, and start it \
             again",
            folder.display()
        ))),
        other => other.into(),
    })?;
    let watched = Watched::new(&settings);
    let done = import(args, &settings, &folder, &watched.job);
    watched.end();
    let done = done?;
    show(args, &done, context)?;
    match done.version {
        Some(_) => Ok(()),
        None => {
            let why = done.gate.reasons.first().map(|why| format!(": {why}")).unwrap_or_default();
            Err(Failure::Ended(format!("the gate refused the factors{why}")).into())
        }
    }
}

fn import(args: &ImportArgs, settings: &Settings, folder: &Offline, job: &Job) -> anyhow::Result<Done> {
    let plan = offline::run_plan(settings)?;
    let spark = SparkSettings { alpha: args.alpha.0, reg_param: args.reg_param.0, weight_power: args.weight_power };
    job.step("read");
    let live = wait_for(async { Ok(folder.load_live().await?) })?;
    let (factors, file) = read(&args.path, settings, folder)?;
    let judged = args.judge_by.as_deref().map(|path| read(path, settings, folder)).transpose()?;
    let (judged, judged_file) = judged.unzip();
    let imported = Imported {
        factors: file,
        judged: judged_file,
        trained_until_ms: args.trained_until.map(|at| at.0),
        settings: spark,
    };
    let recipe = spark.recipe(factors.factors());
    let given = Given { factors, judged, recipe, until_ms: imported.trained_until_ms };

    job.step("snapshot");
    let Snapshot { rows, mut data } = folder.snapshot()?;
    if given.judged.is_none() {
        // Of later events they know nothing.
        data.events_to_ms = data.events_to_ms.map(|last| last.min(given.until_ms.unwrap_or(last)));
    }
    let outcome = given::judge(&given, rows, &plan, live.as_ref().map(|live| &live.manifest.recipe), job)?;
    let (candidates, gate) = (outcome.candidates.clone(), outcome.verdict.clone());
    let (parent, now_ms) = (live.as_ref().map(|live| live.version()), Clock::System.now_ms());
    let origin = Origin { run: None, imported: Some(imported.clone()), parent, now_ms };
    let Some(registration) = registration(outcome, data, origin) else {
        return Ok(Done { imported, candidates, gate, version: None });
    };
    job.step("publish");
    let manifest = wait_for(async { Ok(folder.publish(registration).await?) })?;
    Ok(Done { imported, candidates, gate, version: Some(manifest.version.0) })
}

/// Reads factors and leaves those of items out that nobody knows here: nothing may be recommended that does not exist.
fn read(path: &str, settings: &Settings, folder: &Offline) -> anyhow::Result<(GivenFactors, FactorsFile)> {
    let input = Input::open(path, settings, &settings.storage.data_dir.join("fetched"))?;
    let read = factors::read(input.path())?;
    let known = read.factors.only(|item| folder.knows(item))?;
    let (items, kept) = (read.factors.items() as u64, known.items() as u64);
    let file = FactorsFile {
        from: path.to_owned(),
        format: read.format.to_owned(),
        sha256: read.sha256,
        bytes: read.bytes,
        items,
        unknown: items - kept,
    };
    Ok((known, file))
}

fn show(args: &ImportArgs, done: &Done, context: &mut Context<'_>) -> anyhow::Result<()> {
    let Done { imported, candidates, gate, version } = done;
    if args.json {
        let status = if version.is_some() { "succeeded" } else { "refused" };
        let body = json!({
            "status": status, "version": version, "imported": imported, "candidates": candidates, "gate": gate,
        });
        writeln!(context.out, "{body:#}")?;
        return Ok(());
    }
    write!(context.out, "{}", report::table(candidates))?;
    for reason in &gate.reasons {
        writeln!(context.out, "{reason}")?;
    }
    let FactorsFile { from, items, unknown, .. } = &imported.factors;
    let left_out =
        if *unknown == 0 { String::new() } else { format!(", {unknown} left out that no event or item data names") };
    writeln!(context.out, "{}: {items} items{left_out}", clean(from))?;
    if let Some(version) = version {
        writeln!(context.out, "version {version} is live")?;
    }
    Ok(())
}
