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
        #[command(flatten)]
        asked: Asked,
    },
    /// Sends dead letters to the topics they came from, after their cause is gone.
    Replay {
        /// Only those that came from this topic.
        #[arg(long)]
        topic: Option<String>,
        /// How many at most (default: all).
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
        limit: Option<u32>,
        #[command(flatten)]
        asked: Asked,
    },
}

pub(super) fn run(args: &DeadLettersArgs, context: &mut Context<'_>) -> anyhow::Result<()> {
    let (DeadLettersAction::List { asked, .. } | DeadLettersAction::Replay { asked, .. }) = &args.action;
    let remote = Remote::new(&asked.remote, context)?;
    let body = wait_for(async {
        Ok(match &args.action {
            DeadLettersAction::List { limit, .. } => remote.get(&format!("/v1/dead-letters?limit={limit}")).await?,
            DeadLettersAction::Replay { topic, limit, .. } => {
                let topic = topic.as_ref().map(|topic| format!("topic={}", segment(topic)));
                let limit = limit.map(|limit| format!("limit={limit}"));
                let query: Vec<String> = topic.into_iter().chain(limit).collect();
                let mark = if query.is_empty() { "" } else { "?" };
                remote.post(&format!("/v1/dead-letters/replay{mark}{}", query.join("&")), None).await?
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
            let replayed = body.get("replayed").and_then(Value::as_u64).ok_or_else(|| unreadable("replayed"))?;
            writeln!(context.out, "replayed {replayed}")?;
        }
    }
    Ok(())
}

fn unreadable(field: &str) -> RemoteError {
    RemoteError::Unreadable { url: "/v1/dead-letters".to_owned(), reason: format!("its answer has no {field}") }
}

fn listed(body: &Value) -> Result<String, RemoteError> {
    let letters = shown::list(body, "dead_letters").ok_or_else(|| unreadable("dead_letters"))?;
    if letters.is_empty() {
        return Ok("no dead letter\n".to_owned());
    }
    let mut table = Table::new(&["TOPIC", "PARTITION", "OFFSET", "TIME", "REASON"]);
    for letter in letters {
        table.row([
            shown::plain(letter.get("topic")),
            shown::plain(letter.get("partition")),
            shown::plain(letter.get("offset")),
            shown::time(letter.get("timestamp")),
            shown::plain(letter.get("reason")),
        ]);
    }
    Ok(table.to_string())
}
