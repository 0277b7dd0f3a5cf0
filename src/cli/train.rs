//! `ouzel train`: one run without the service.

use clap::Args;

use super::Context;
use super::arguments::RemoteArgs;
use super::failure::Failure;
use super::input::Watched;
use super::remote::wait_for;
use super::runs::{self, RunsAction, RunsArgs};
use super::versions::Asked;
use crate::actors::job::{Origin, registration};
use crate::actors::messages::Snapshot;
use crate::app::offline::{self, Offline};
use crate::model::clock::Clock;
use crate::model::evaluation::report;
use crate::model::run::{RunRecord, RunStatus, Trigger};
use crate::model::training::pipeline::{self, Plan};
use crate::settings::Settings;
use crate::store::log::EventLog;

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
fn train_once(args: &TrainArgs, settings: &Settings, context: &mut Context<'_>) -> anyhow::Result<()> {
    if args.remote.url.is_some() {
        return train_remotely(args, context);
    }
    let folder = Offline::open(settings)?;
    let plan = offline::run_plan(settings)?;
    let begun_ms = Clock::System.now_ms();
    let watched = Watched::new(settings);
    let mut record = RunRecord {
        id: run_id(&folder.log, begun_ms)?,
        status: RunStatus::Failed,
        trigger: Trigger::Manual,
        reason: None,
        queued_ms: begun_ms,
        started_ms: Some(begun_ms),
        finished_ms: None,
        version: None,
        steps: Vec::new(),
        candidates: Vec::new(),
        gate: None,
        error: None,
    };
    let worked = work(args, &folder, &plan, &watched, &mut record);
    record.steps = watched.end();
    record.finished_ms = Some(Clock::System.now_ms());
    if let Err(error) = &worked {
        record.error = Some(format!("{error:#}"));
    }
    if args.publish {
        folder.log.put_run(&record)?;
    }
    show(args, &record, context)?;
    worked?;
    match record.status {
        RunStatus::Refused => {
            let why = record.error.map(|why| format!(": {why}")).unwrap_or_default();
            Err(Failure::Ended(format!("the gate refused the chosen candidate{why}")).into())
        }
        _ => Ok(()),
    }
}

/// The run itself; `record` says how far it came.
fn work(
    args: &TrainArgs,
    folder: &Offline,
    plan: &Plan,
    watched: &Watched,
    record: &mut RunRecord,
) -> anyhow::Result<()> {
    let job = &watched.job;
    job.step("snapshot");
    let live = wait_for(async { Ok(folder.load_live().await?) })?;
    let Snapshot { rows, data } = folder.snapshot()?;
    job.log(format!("{} events of {} users on {} items", data.events, data.users, data.items));
    let (recipe, parent) = (live.as_ref().map(|live| &live.manifest.recipe), live.as_ref().map(|live| &live.fitted));
    let plan = live.as_ref().map_or_else(|| plan.clone(), |live| plan.remembering(&live.manifest.candidates));
    let outcome = pipeline::train(rows, &plan, recipe, parent, job)?;
    record.candidates.clone_from(&outcome.candidates);
    record.gate = Some(outcome.verdict.clone());
    let (parent, now_ms) = (live.as_ref().map(|live| live.version()), Clock::System.now_ms());
    let origin = Origin { run: Some(record.id.clone()), imported: None, parent, now_ms };
    let Some(registration) = registration(outcome, data, origin) else {
        record.status = RunStatus::Refused;
        record.error = record.gate.as_ref().and_then(|gate| gate.reasons.first().cloned());
        return Ok(());
    };
    if args.publish {
        job.step("publish");
        let manifest = wait_for(async { Ok(folder.publish(registration).await?) })?;
        job.step("activate");
        record.version = Some(manifest.version);
    }
    record.status = RunStatus::Succeeded;
    Ok(())
}

/// The table and what became of the chosen one, or the record as it is.
fn show(args: &TrainArgs, record: &RunRecord, context: &mut Context<'_>) -> anyhow::Result<()> {
    if args.json {
        writeln!(context.out, "{:#}", serde_json::to_value(record)?)?;
        return Ok(());
    }
    if !record.candidates.is_empty() {
        write!(context.out, "{}", report::table(&record.candidates))?;
    }
    for reason in record.gate.iter().flat_map(|gate| &gate.reasons) {
        writeln!(context.out, "{reason}")?;
    }
    match record.version {
        Some(version) => writeln!(context.out, "version {version} is live")?,
        None if record.status == RunStatus::Succeeded => {
            writeln!(context.out, "nothing was kept: --publish makes the chosen model a version")?;
        }
        None => {}
    }
    Ok(())
}

/// The time to the millisecond, which sorts; moved on while a run has it.
fn run_id(log: &EventLog, now_ms: i64) -> anyhow::Result<String> {
    let mut at_ms = now_ms;
    loop {
        let time = chrono::DateTime::from_timestamp_millis(at_ms).unwrap_or_default();
        let id = time.format("%Y%m%dT%H%M%S%3f").to_string();
        if log.run(&id)?.is_none() {
            return Ok(id);
        }
        at_ms += 1;
    }
}

/// Starts a run of the service and follows it.
fn train_remotely(args: &TrainArgs, context: &mut Context<'_>) -> anyhow::Result<()> {
    let asked = Asked { remote: args.remote.clone(), json: args.json };
    runs::run(&RunsArgs { action: RunsAction::Start { wait: true, asked } }, context)
}
