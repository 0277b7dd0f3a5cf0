//! The client's loop: a record each interval, replies as they come.

use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::{ClientArgs, ClientKind, Generator, Message, shown};
use crate::cli::Context;
use crate::cli::failure::Failure;
use crate::cli::serve::stop_signal;
use crate::kafka::StreamHandle;
use crate::kafka::broker::BrokerState;
use crate::kafka::producer::{OutRecord, Producer};
use crate::kafka::record::Record;
use crate::kafka::replies;
use crate::model::clock::Clock;
use crate::settings::Settings;
use crate::settings::StartAt;

/// How long the topic of replies is looked for before the first request goes out.
const FIND: Duration = Duration::from_secs(15);
/// How long the replies to a bounded number of requests are waited for after the last.
const ANSWER: Duration = Duration::from_secs(60);
/// How long clients may take to close.
const CLOSE: Duration = Duration::from_secs(3);
/// Records on their way at once.
const ON_THE_WAY: usize = 1000;

/// Publishes what `generator` draws, one record each `interval_ms`, and prints the replies until `--count` or ctrl-C.
pub(super) async fn publish(
    args: &ClientArgs,
    interval_ms: f64,
    generator: Generator,
    settings: &Settings,
    context: &mut Context<'_>,
) -> anyhow::Result<()> {
    let kafka = &settings.kafka;
    let broker = BrokerState::new(Clock::System);
    let producer = Producer::new(kafka, &broker)?;
    // Only what is answered from now on, and before the first request, so that none is missed.
    let (stream, mut replies) = replies::follow(kafka, StartAt::Latest, &broker)?;
    let topic = match args.kind {
        ClientKind::Requests => &kafka.requests_topic,
        ClientKind::Events => &kafka.events_topic,
    };
    let mut work = Work {
        topic: Arc::from(topic.as_str()),
        kind: args.kind,
        generator,
        asked: HashMap::new(),
        run: rand::random(),
        sent: 0,
        done: 0,
        failed: 0,
    };
    let stop = stop_signal();
    tokio::pin!(stop);
    if args.kind == ClientKind::Requests {
        tokio::select! {
            () = found(&stream) => {}
            signal = &mut stop => return Ok(signal.map(drop)?),
        }
    }
    let mut ticks = interval(Duration::from_secs_f64((interval_ms / 1000.0).clamp(1e-4, 86_400.0 * 365.0)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut on_the_way = FuturesUnordered::new();
    let mut last_sent = Instant::now();
    let ended = loop {
        let all_sent = args.count.is_some_and(|count| work.sent >= count);
        if all_sent && args.count.is_some_and(|count| work.done + work.failed >= count) {
            break Ok(());
        }
        tokio::select! {
            signal = &mut stop => break signal.map(drop).map_err(anyhow::Error::from),
            _ = ticks.tick(), if !all_sent && on_the_way.len() < ON_THE_WAY => {
                last_sent = Instant::now();
                let (id, message, record) = work.next();
                let sending = producer.send(record);
                on_the_way.push(async move { (id, message, sending.await) });
            }
            Some((id, message, sent)) = on_the_way.next() => match sent {
                Ok(()) if work.kind == ClientKind::Events => {
                    work.done += 1;
                    writeln!(context.out, "{}", message.shown)?;
                    context.out.flush()?;
                }
                Ok(()) => {}
                Err(error) => {
                    work.failed += 1;
                    work.asked.remove(&id);
                    writeln!(context.err, "{}: {error}", message.shown)?;
                }
            },
            batch = replies.recv() => match batch {
                Some(batch) => batch.records.iter().try_for_each(|record| work.answer(record, context.out))?,
                None => break Err(Failure::Ended("the stream of replies ended".to_owned()).into()),
            },
            () = sleep_until(last_sent + ANSWER), if all_sent => break Ok(()),
        }
    };
    drop(on_the_way);
    stream.stop();
    if !producer.flush(CLOSE).await || !stream.ended(CLOSE).await {
        tracing::warn!("a Kafka client did not end in time and is left");
    }
    ended?;
    work.end(args.count, context.out)
}

/// Waits until the end of the topic of replies is known, or it is known that there is no such topic yet.
async fn found(stream: &StreamHandle) {
    let until = Instant::now() + FIND;
    let mut looks = interval(Duration::from_millis(20));
    while Instant::now() < until {
        looks.tick().await;
        let status = stream.status();
        let known = !status.partitions.is_empty() && status.partitions.iter().all(|at| at.next.is_some());
        if known || status.topic_missing {
            return;
        }
    }
    tracing::warn!("no broker has answered yet, requests are sent all the same");
}

struct Work {
    topic: Arc<str>,
    kind: ClientKind,
    generator: Generator,
    /// What each request was, by its correlation id.
    asked: HashMap<Vec<u8>, String>,
    run: u64,
    sent: u64,
    /// Requests that were answered, or events that the broker has.
    done: u64,
    failed: u64,
}

impl Work {
    fn next(&mut self) -> (Vec<u8>, Message, OutRecord) {
        let message = self.generator.next_message(Clock::System.now_ms());
        self.sent += 1;
        let id = format!("client-{:016x}-{}", self.run, self.sent).into_bytes();
        let mut headers = vec![("content-type".to_owned(), message.content_type.as_bytes().to_vec())];
        if self.kind == ClientKind::Requests {
            headers.push(("correlation-id".to_owned(), id.clone()));
            self.asked.insert(id.clone(), message.shown.clone());
        }
        let record = OutRecord {
            topic: self.topic.clone(),
            key: Some(message.key.clone().into_bytes()),
            payload: Some(message.value.clone()),
            headers,
        };
        (id, message, record)
    }

    /// Prints a reply to one of our own requests; others' are left.
    fn answer(&mut self, record: &Record, out: &mut dyn Write) -> std::io::Result<()> {
        let Some(asked) = record.header("correlation-id").and_then(|id| self.asked.remove(id)) else { return Ok(()) };
        self.done += 1;
        writeln!(out, "{asked} -> {}", shown::reply(record))?;
        out.flush()
    }

    fn end(&self, count: Option<u64>, out: &mut dyn Write) -> anyhow::Result<()> {
        let done = match self.kind {
            ClientKind::Requests => "answered",
            ClientKind::Events => "delivered",
        };
        writeln!(out, "{} sent, {} {done}, {} failed", self.sent, self.done, self.failed)?;
        match count {
            Some(count) if self.sent >= count && self.done < count => Err(Failure::Ended(format!(
                "{} of {count} were not {done}: is the service up, with the same broker and topics?",
                count - self.done
            ))
            .into()),
            _ => Ok(()),
        }
    }
}
