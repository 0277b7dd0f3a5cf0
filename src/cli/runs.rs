//! `ouzel runs`: training runs of a running service.

use std::io::Write;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::failure::Failure;
use super::remote::{Remote, RemoteError, segment, wait_for};
use super::table::{Table, clean};
use super::versions::{Asked, candidates};
use super::{Context, shown};

/// How often a run is looked at while it is followed.
const LOOK: Duration = Duration::from_millis(500);

/// Lists, starts and cancels training runs of a running service.
///
/// A run takes a snapshot of the events, trains every candidate, chooses one on a validation part, lets the gate compare it
/// with the popularities and the live model, and makes it live.
#[derive(Debug, Args)]
pub struct RunsArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: RunsAction,
}

/// What can be done with runs.
#[derive(Debug, Subcommand)]
pub enum RunsAction {
    /// Lists the runs, newest first.
    List {
        /// How many at most.
        #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        #[command(flatten)]
        asked: Asked,
    },
    /// Starts a run; while one is at work, it is queued, and further ones join the queued one.
    Start {
        /// Follows the run until it is over; exit code 1 unless its version went live.
        #[arg(long)]
        wait: bool,
        #[command(flatten)]
        asked: Asked,
    },
    /// Cancels a run that is queued or at work; the live version stays.
    Cancel {
        /// The run's id.
        id: String,
        #[command(flatten)]
        asked: Asked,
    },
}

pub(super) fn run(args: &RunsArgs, context: &mut Context<'_>) -> anyhow::Result<()> {
    let asked = match &args.action {
        RunsAction::List { asked, .. } | RunsAction::Start { asked, .. } | RunsAction::Cancel { asked, .. } => asked,
    };
    let remote = Remote::new(&asked.remote, context)?;
    wait_for(async {
        match &args.action {
            RunsAction::List { limit, .. } => {
                let body = remote.get(&format!("/v1/runs?limit={limit}")).await?;
                answer(asked.json, &body, listed, context.out)
            }
            RunsAction::Cancel { id, .. } => {
                let body = remote.post(&format!("/v1/runs/{}/cancel", segment(id)), None).await?;
                answer(asked.json, &body, started, context.out)
            }
            RunsAction::Start { wait: false, .. } => {
                let body = remote.post("/v1/runs", None).await?;
                answer(asked.json, &body, started, context.out)
            }
            RunsAction::Start { wait: true, .. } => {
                let body = remote.post("/v1/runs", None).await?;
                let id = body.get("id").and_then(Value::as_str).ok_or_else(|| unreadable("it names no run"))?;
                let over = follow(&remote, id, LOOK, context.err).await?;
                answer(asked.json, &over, finished, context.out)?;
                outcome(&over)
            }
        }
    })
}

fn unreadable(reason: &str) -> RemoteError {
    RemoteError::Unreadable { url: "/v1/runs".to_owned(), reason: reason.to_owned() }
}

fn answer(
    json: bool,
    body: &Value,
    show: fn(&Value) -> Result<String, RemoteError>,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    if json {
        writeln!(out, "{body:#}")?;
    } else {
        write!(out, "{}", show(body)?)?;
    }
    Ok(())
}

/// Looks at the run every `look` until it is over, and tells each step and line of its log as it comes.
pub(super) async fn follow(remote: &Remote, id: &str, look: Duration, err: &mut dyn Write) -> anyhow::Result<Value> {
    let path = format!("/v1/runs/{}", segment(id));
    let mut told = 0;
    loop {
        let record = remote.get(&path).await?;
        let status = record.get("status").and_then(Value::as_str).ok_or_else(|| unreadable("the run has no status"))?;
        let lines = progress(&record);
        for line in lines.iter().skip(told) {
            writeln!(err, "{line}")?;
        }
        told = lines.len().max(told);
        if !matches!(status, "queued" | "running") {
            return Ok(record);
        }
        tokio::time::sleep(look).await;
    }
}

/// What the run's steps said so far; it only ever grows at its end.
fn progress(record: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    for step in shown::list(record, "steps").unwrap_or_default() {
        let name = clean(&shown::plain(step.get("name")));
        lines.push(name.clone());
        for line in shown::list(step, "log").unwrap_or_default() {
            lines.push(format!("  {name}: {}", clean(&shown::plain(Some(line)))));
        }
    }
    lines
}

/// An error unless the run's version went live.
fn outcome(record: &Value) -> anyhow::Result<()> {
    let status = shown::plain(record.get("status"));
    if status == "succeeded" {
        return Ok(());
    }
    let why = record.get("error").and_then(Value::as_str).map(|why| format!(": {}", clean(why))).unwrap_or_default();
    Err(Failure::Ended(format!("run {} was over as {}{why}", shown::plain(record.get("id")), clean(&status))).into())
}

fn started(body: &Value) -> Result<String, RemoteError> {
    let (id, status) = (shown::plain(body.get("id")), shown::plain(body.get("status")));
    Ok(format!("run {} is {}\n", clean(&id), clean(&status)))
}

fn listed(body: &Value) -> Result<String, RemoteError> {
    let runs = shown::list(body, "runs").ok_or_else(|| unreadable("its answer has no runs"))?;
    if runs.is_empty() {
        return Ok("no run yet: `ouzel runs start` starts one\n".to_owned());
    }
    let mut table = Table::new(&["RUN", "STATUS", "TRIGGER", "QUEUED", "SECONDS", "VERSION", "WHY"]);
    for run in runs {
        table.row([
            shown::plain(run.get("id")),
            shown::plain(run.get("status")),
            shown::plain(run.get("trigger")),
            shown::time(run.get("queued_ms")),
            shown::seconds(run.get("started_ms"), run.get("finished_ms")),
            shown::plain(run.get("version")),
            run.get("error").and_then(Value::as_str).unwrap_or_default().to_owned(),
        ]);
    }
    Ok(table.to_string())
}

fn finished(record: &Value) -> Result<String, RemoteError> {
    let mut text = listed(&serde_json::json!({ "runs": [record] }))?;
    let candidates = candidates(record);
    if !candidates.is_empty() {
        text.push('\n');
        text.push_str(&candidates);
    }
    Ok(text)
}
