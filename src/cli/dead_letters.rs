//! `ouzel dead-letters`: records from Kafka that could not be read.

use clap::{Args, Subcommand};
use serde_json::Value;

use super::remote::{Remote, RemoteError, segment, wait_for};
use super::table::Table;
use super::versions::Asked;
use super::{Context, shown};

/// Lists and replays records from Kafka that could not be read or applied.
///
/// Each lies on TOPIC.dlq, byte for byte as it came, with the headers dlq.topic, dlq.partition, dlq.offset, dlq.timestamp
/// and dlq.reason.
#[derive(Debug, Args)]
pub struct DeadLettersArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: DeadLettersAction,
}

/// What can be done with dead letters.
#[derive(Debug, Subcommand)]
pub enum DeadLettersAction {
    /// Lists dead letters with the reasons, newest first.
    List {
        /// How many at most.
        #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        limit: u32,
        /// Only those that came from this topic.
        #[arg(long)]
        topic: Option<String>,
        /// Only those that came from this partition.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(0..))]
        partition: Option<i32>,
        /// Only those whose reason holds this text, in any case.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        /// Only those that were not sent back.
        #[arg(long)]
        waiting: bool,
        /// Goes on behind a page, with what it named as next.
        #[arg(long, value_name = "PAGE")]
        next: Option<String>,
        #[command(flatten)]
        asked: Asked,
    },
    /// Sends dead letters to the topics they came from, after their cause is gone, oldest first.
    ///
    /// What was sent is not sent again. A record that still cannot be read comes back as a new dead letter.
    Replay {
        /// Only those that came from this topic.
        #[arg(long)]
        topic: Option<String>,
        /// How many at most (default: all).
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
        limit: Option<u32>,
        /// Only says how many could be read now, and why others could not.
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        asked: Asked,
    },
}

pub(super) fn run(args: &DeadLettersArgs, context: &mut Context<'_>) -> anyhow::Result<()> {
    let (DeadLettersAction::List { asked, .. } | DeadLettersAction::Replay { asked, .. }) = &args.action;
    let remote = Remote::new(&asked.remote, context)?;
    let body = wait_for(async {
        Ok(match &args.action {
            DeadLettersAction::List { limit, topic, partition, reason, waiting, next, .. } => {
                let query = [
                    Some(format!("limit={limit}")),
                    topic.as_ref().map(|topic| format!("topic={}", segment(topic))),
                    partition.map(|partition| format!("partition={partition}")),
                    reason.as_ref().map(|reason| format!("reason={}", segment(reason))),
                    waiting.then(|| "waiting=true".to_owned()),
                    next.as_ref().map(|next| format!("next={}", segment(next))),
                ];
                remote.get(&with_query("/v1/dead-letters", query)).await?
            }
            DeadLettersAction::Replay { topic, limit, dry_run, .. } => {
                let query = [
                    topic.as_ref().map(|topic| format!("topic={}", segment(topic))),
                    limit.map(|limit| format!("limit={limit}")),
                    dry_run.then(|| "dry_run=true".to_owned()),
                ];
                remote.post(&with_query("/v1/dead-letters/replay", query), None).await?
            }
        })
    })?;
    if asked.json {
        writeln!(context.out, "{body:#}")?;
        return Ok(());
    }
    match &args.action {
        DeadLettersAction::List { .. } => write!(context.out, "{}", listed(&body)?)?,
        DeadLettersAction::Replay { .. } => {
            if let Some(dry) = body.get("dry_run") {
                write!(context.out, "{}", checked(dry)?)?;
                return Ok(());
            }
            let replayed = body.get("replayed").and_then(Value::as_u64).ok_or_else(|| unreadable("replayed"))?;
            writeln!(context.out, "replayed {replayed}")?;
        }
    }
    Ok(())
}

fn with_query<const N: usize>(path: &str, query: [Option<String>; N]) -> String {
    let query: Vec<String> = query.into_iter().flatten().collect();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{}", query.join("&")) }
}

fn unreadable(field: &str) -> RemoteError {
    RemoteError::Unreadable { url: "/v1/dead-letters".to_owned(), reason: format!("its answer has no {field}") }
}

fn listed(body: &Value) -> Result<String, RemoteError> {
    let letters = shown::list(body, "dead_letters").ok_or_else(|| unreadable("dead_letters"))?;
    let mut text = if letters.is_empty() { "no dead letter\n".to_owned() } else { rows(letters) };
    if let Some(next) = body.get("next").and_then(Value::as_str) {
        text += &format!("more: --next {next}\n");
    }
    Ok(text)
}

fn checked(dry: &Value) -> Result<String, RemoteError> {
    let count = |name: &str| dry.get(name).and_then(Value::as_u64).ok_or_else(|| unreadable(name));
    let mut text = format!("{} can be read, {} cannot\n", count("readable")?, count("unreadable")?);
    match shown::list(dry, "named") {
        Some(named) if !named.is_empty() => text += &rows(named),
        _ => {}
    }
    Ok(text)
}

fn rows(letters: &[Value]) -> String {
    let mut table = Table::new(&["TOPIC", "PARTITION", "OFFSET", "TIME", "SENT BACK", "REASON"]);
    for letter in letters {
        let back = letter.get("replayed").and_then(Value::as_bool).unwrap_or(false);
        table.row([
            shown::plain(letter.get("topic")),
            shown::plain(letter.get("partition")),
            shown::plain(letter.get("offset")),
            shown::time(letter.get("timestamp")),
            if back { "yes" } else { "no" }.to_owned(),
            shown::plain(letter.get("reason")),
        ]);
    }
    table.to_string()
}
