//! `ouzel import`: files into the event log.

use clap::Args;
use serde_json::{Value, json};

use super::Context;
use super::arguments::{FileFormat, RemoteArgs};
use super::failure::Failure;
use super::input::{Input, SHOWN, bar_of_bytes, tell_bad_lines};
use super::remote::{Remote, wait_for};
use super::shown;
use super::table::clean;
use crate::app::offline;
use crate::model::clock::Clock;
use crate::model::event::{Event, ImportedEvent};
use crate::settings::Settings;
use crate::store::import::{BadLine, ImportOptions, ImportReport, LineError, Source, Times, content_hash, import};

/// Bytes sent to a service at once, about.
const BODY: usize = 1 << 20;

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
fn import_files(args: &ImportArgs, settings: &Settings, context: &mut Context<'_>) -> anyhow::Result<()> {
    if args.remote.url.is_some() {
        let remote = Remote::new(&args.remote, context)?;
        for name in &args.files {
            let input = Input::open(name, settings, &std::env::temp_dir())?;
            let told = wait_for(send(args, settings, &remote, &input))?;
            tell(name, &told, context)?;
        }
        return Ok(());
    }
    let log = offline::open_log(settings)?;
    for name in &args.files {
        let input = Input::open(name, settings, &settings.storage.data_dir.join("fetched"))?;
        let bar = bar_of_bytes(name);
        let options = ImportOptions { strict: args.strict, ..ImportOptions::new(Clock::System.now_ms()) };
        let told = import(&log, input.path(), name, args.format.into(), options, &|at| {
            bar.set_length(at.bytes);
            bar.set_position(at.bytes_read);
        });
        bar.finish_and_clear();
        tell(name, &told?, context)?;
    }
    Ok(())
}

/// A line on stdout for the file, and its bad lines on stderr.
fn tell(name: &str, report: &ImportReport, context: &mut Context<'_>) -> anyhow::Result<()> {
    tell_bad_lines(name, &report.bad, report.bad_lines, context.err)?;
    let ImportReport { rows, accepted, duplicates, bad_lines, .. } = report;
    writeln!(
        context.out,
        "{}: {rows} events, {accepted} added, {duplicates} known already, {bad_lines} bad lines",
        clean(name)
    )?;
    Ok(())
}

/// Sends a file's events to the service. Events without an id get one made of the file's bytes and their line, by which a
/// second sending is known.
async fn send(args: &ImportArgs, settings: &Settings, remote: &Remote, input: &Input) -> anyhow::Result<ImportReport> {
    let content = content_hash(input.path(), input.name())?;
    let times = Times::Checked { now_ms: Clock::System.now_ms() };
    let mut source = Source::open(input.path(), input.name(), args.format.into(), times)?;
    let bar = bar_of_bytes(input.name());
    bar.set_length(source.bytes());
    let mut sending = Sending { remote, body: String::new(), lines: Vec::new(), report: ImportReport::default() };
    let most = settings.ingest.batch.max(1);
    let mut events = Vec::new();
    loop {
        events.clear();
        match source.next_line(&mut events) {
            None => break,
            Some(Ok(line)) => {
                for (place, event) in events.iter().enumerate() {
                    sending.push(line, event, || ImportedEvent { content: &content, line, place }.id());
                }
                if sending.lines.len() >= most || sending.body.len() >= BODY {
                    sending.flush().await?;
                    bar.set_position(source.bytes_read());
                }
            }
            Some(Err(LineError::Bad(bad))) if args.strict => {
                let (name, accepted) = (input.name(), sending.report.accepted);
                let told = format!("{name}: {bad}; {accepted} events of the lines before were added");
                return Err(Failure::Ended(told).into());
            }
            Some(Err(LineError::Bad(bad))) => sending.bad(bad),
            Some(Err(LineError::Failed(error))) => return Err(error.into()),
        }
    }
    sending.flush().await?;
    bar.finish_and_clear();
    if args.strict && sending.report.bad_lines > 0 {
        let refused = sending.report.bad.first().map(ToString::to_string).unwrap_or_default();
        return Err(Failure::Ended(format!("{}: {refused}", input.name())).into());
    }
    Ok(ImportReport { complete: true, ..sending.report })
}

/// Events on their way to the service.
struct Sending<'a> {
    remote: &'a Remote,
    body: String,
    /// The line of each event in the body.
    lines: Vec<u64>,
    report: ImportReport,
}

impl Sending<'_> {
    fn push(&mut self, line: u64, event: &Event, id: impl FnOnce() -> String) {
        let mut body = json!({ "user": event.user, "item": event.item, "type": event.kind, "value": event.value });
        if let Some(object) = body.as_object_mut() {
            let id = event.id.as_deref().map_or_else(id, str::to_owned);
            object.insert("id".to_owned(), json!(id));
            // As text: a number of the epoch could be taken for seconds.
            if let Some(time) = event.timestamp_ms.and_then(chrono::DateTime::from_timestamp_millis) {
                object.insert("timestamp".to_owned(), json!(time.to_rfc3339()));
            }
            if let Some(recommendation) = &event.recommendation_id {
                object.insert("recommendation_id".to_owned(), json!(recommendation));
            }
        }
        self.body.push_str(&body.to_string());
        self.body.push('\n');
        self.lines.push(line);
        self.report.rows += 1;
    }

    fn bad(&mut self, bad: BadLine) {
        self.report.bad_lines += 1;
        if self.report.bad.len() < SHOWN {
            self.report.bad.push(bad);
        }
    }

    async fn flush(&mut self) -> anyhow::Result<()> {
        if self.lines.is_empty() {
            return Ok(());
        }
        let mut answer = Value::Null;
        self.remote
            .post_lines("/v1/events", Some(std::mem::take(&mut self.body)), &mut |line| {
                answer = serde_json::from_slice(line)?;
                Ok(())
            })
            .await?;
        let count = |name| answer.get(name).and_then(Value::as_u64).unwrap_or(0);
        self.report.accepted += count("accepted");
        self.report.duplicates += count("duplicates");
        let lines = std::mem::take(&mut self.lines);
        for refused in shown::list(&answer, "rejected").unwrap_or_default() {
            let place = refused.get("index").and_then(Value::as_u64).and_then(|place| usize::try_from(place).ok());
            let line = place.and_then(|place| lines.get(place)).copied().unwrap_or(0);
            self.bad(BadLine { line, reason: clean(&shown::plain(refused.get("error"))) });
        }
        self.report.bad_lines += count("rejected_unlisted");
        Ok(())
    }
}
