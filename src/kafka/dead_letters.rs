//! Dead letters read: listed, and sent back to where they came from.
//!
//! Each call makes a client of its own on a blocking thread, reads by manual assignment between the watermarks that it
//! finds at the start, and closes it. How far letters were sent back is kept at the broker, as offsets of the consumer
//! group `<requests_group>-dead-letters`, which nobody joins. The broker forgets them `offsets.retention.minutes` after
//! the last replay (7 days by default); letters that it keeps for longer would then be sent again.

mod check;
mod list;
mod replay;
mod session;

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::{Mutex, oneshot};

pub use self::check::Checked;
pub use self::list::{DeadPage, Wanted};
use self::replay::Replay;
use self::session::Session;
use super::broker::{BrokerState, Link};
use super::context::Context;
use super::options::{ClientError, Options};
use super::producer::{ProduceError, Producer};
use super::record::Record;
use crate::model::clock::Clock;
use crate::settings::{Kafka, WireFormat};

/// Why dead letters were not listed or sent back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeadLettersError {
    /// No broker answered in time.
    #[error("Kafka is away, the dead letters cannot be read, try again: {0}")]
    Away(String),
    /// The broker or the client refuses; so it would at another attempt.
    #[error("Kafka refuses to have the dead letters read: {0}")]
    Refused(String),
    /// The settings make no client.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Dead letters of another topic than those that are read here.
    #[error("no dead letters are kept of the topic {topic:?}: name one of {known}")]
    UnknownTopic {
        /// The topic asked for.
        topic: String,
        /// The topics that have dead letters.
        known: String,
    },
    /// One could not be sent; it and what comes after it in its partition stay to be replayed.
    #[error("{replayed} dead letters were sent, then one was not: {error}")]
    Unsent {
        /// How many were sent by then.
        replayed: u64,
        /// Why that one was not.
        #[source]
        error: ProduceError,
    },
    /// The place to list on from is none that a page named.
    #[error("there is no page {0:?} of dead letters: give `next` as the page before gave it")]
    Page(String),
    /// The process is stopping.
    #[error("the dead letters are not read any more, the service is stopping")]
    Stopped,
}

/// A record among the dead letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadRecord {
    /// The topic it came from.
    pub topic: String,
    /// The partition there.
    pub partition: i32,
    /// Its offset there.
    pub offset: i64,
    /// Its time there, milliseconds of the epoch.
    pub timestamp_ms: Option<i64>,
    /// Why it was set aside.
    pub reason: String,
    /// Its value as it was; empty for a tombstone.
    pub value: Vec<u8>,
    /// Whether it was sent back.
    pub replayed: bool,
}

/// A topic of ours and its dead letters' topic.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Source {
    origin: Arc<str>,
    dead: Arc<str>,
    /// Whether its records are events; else they are requests.
    events: bool,
}

/// How records are read.
#[derive(Debug, Clone, Copy)]
struct Reading {
    events: WireFormat,
    requests: WireFormat,
    now_ms: i64,
}

/// Reads the dead letters of `events_topic` and `requests_topic`.
pub struct DeadLetterReader {
    options: Arc<Options>,
    /// Kept from call to call, so that a broker that is away is told once; apart from the state that others look at,
    /// since nothing of the service rests on it.
    link: Arc<Link>,
    producer: Producer,
    sources: Vec<Source>,
    formats: (WireFormat, WireFormat),
    clock: Clock,
    replaying: Arc<Mutex<()>>,
}

impl DeadLetterReader {
    /// A reader that sends back by `producer`. Asks no broker yet.
    ///
    /// # Errors
    /// [`ClientError`] when `kafka.brokers` is empty.
    pub fn new(kafka: &Kafka, producer: Producer, broker: &BrokerState) -> Result<Self, ClientError> {
        let group = format!("{}-dead-letters", kafka.requests_group);
        // The end of a partition has to be heard of: its last offsets may belong to no record.
        let fixed =
            [("enable.partition.eof", "true"), ("auto.offset.reset", "earliest"), ("statistics.interval.ms", "0")];
        let options = Arc::new(Options::consumer(kafka, &group, &fixed)?);
        let link = BrokerState::new(broker.clock().clone()).link("dead-letters");
        let mut sources: Vec<Source> = [(&kafka.events_topic, true), (&kafka.requests_topic, false)]
            .map(|(topic, events)| {
                let dead = format!("{topic}{}", kafka.dead_letter_suffix);
                Source { origin: Arc::from(topic.as_str()), dead: Arc::from(dead), events }
            })
            .into();
        sources.dedup_by(|one, other| one.origin == other.origin);
        let (formats, clock) = ((kafka.events_format, kafka.requests_format), broker.clock().clone());
        Ok(Self { options, link, producer, sources, formats, clock, replaying: Arc::default() })
    }

    /// A page of dead letters, by the time at which they became such, newest first, at most `limit`, going on where the page
    /// that named `next` ended. A page also ends after 32 MiB of values or 100,000 records looked at, and may then hold few
    /// letters and still name another. A topic that is not there is empty. A record that is no dead letter but lies among
    /// them is shown at its place there, with a reason that says so.
    ///
    /// # Errors
    /// [`DeadLettersError::Away`] after at most 20 s, [`DeadLettersError::Refused`], [`DeadLettersError::UnknownTopic`],
    /// [`DeadLettersError::Page`].
    pub async fn page(&self, wanted: Wanted, limit: usize, next: Option<&str>) -> Result<DeadPage, DeadLettersError> {
        let begin = next.map(list::read_place).transpose()?;
        self.sources_of(wanted.topic.as_deref())?;
        let sources = self.sources.clone();
        self.with_session(move |session, _| list::page(session, &sources, &wanted, limit, begin.as_deref())).await
    }

    /// Sends dead letters that were not sent before back to their topic, those of `topic` alone where it is given, oldest
    /// first and at most `limit`: key, value and headers as the record had them, and behind these `dlq.replay-of`, the place
    /// it had first, by which events of a letter that was sent twice are known. Answers how many were sent. A record that
    /// still cannot be read comes back as a new letter.
    ///
    /// Each is delivered before it counts as sent and the next hundred follow; then it is not sent again, unless the
    /// process or the broker fails in between. One replay runs at a time, another waits for it; several processes must not
    /// replay at once. A caller that drops the future ends the replay behind the letters that are under way. Letters that
    /// come while it runs are left for another time. A letter that does not say that it came from the topic whose dead
    /// letters these are is passed over.
    ///
    /// # Errors
    /// [`DeadLettersError`]; what was sent by then is remembered.
    pub async fn replay(&self, topic: Option<&str>, limit: usize) -> Result<u64, DeadLettersError> {
        let sources = self.sources_of(topic)?;
        let alone = Arc::clone(&self.replaying).lock_owned().await;
        let (producer, runtime) = (self.producer.clone(), Handle::current());
        self.with_session(move |session, deserted| {
            let replayed = Replay::begin(session, &producer, &runtime, &sources)?.run(limit, deserted);
            drop(alone);
            replayed
        })
        .await
    }

    /// What would become of the letters that a replay would send: each is decoded, none is sent.
    ///
    /// # Errors
    /// [`DeadLettersError`].
    pub async fn check(&self, topic: Option<&str>, limit: usize) -> Result<Checked, DeadLettersError> {
        let sources = self.sources_of(topic)?;
        let (events, requests) = self.formats;
        let reading = Reading { events, requests, now_ms: self.clock.now_ms() };
        self.with_session(move |session, deserted| check::check(session, &sources, reading, limit, deserted)).await
    }

    fn sources_of(&self, topic: Option<&str>) -> Result<Vec<Source>, DeadLettersError> {
        let sources: Vec<Source> =
            self.sources.iter().filter(|source| topic.is_none_or(|topic| *source.origin == *topic)).cloned().collect();
        match topic {
            Some(topic) if sources.is_empty() => {
                let known: Vec<&str> = self.sources.iter().map(|source| &*source.origin).collect();
                Err(DeadLettersError::UnknownTopic { topic: topic.to_owned(), known: known.join(", ") })
            }
            _ => Ok(sources),
        }
    }

    /// Runs `work` on a blocking thread, with a way to ask whether nobody waits for it any more. The answer does not wait
    /// for the client to close, which takes long without a broker.
    async fn with_session<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Session, &dyn Fn() -> bool) -> Result<T, DeadLettersError> + Send + 'static,
    ) -> Result<T, DeadLettersError> {
        let (options, link) = (Arc::clone(&self.options), Arc::clone(&self.link));
        let (answer, answered) = oneshot::channel();
        tokio::task::spawn_blocking(move || {
            let context = Context::new(link, &options, None);
            let session = match options.create(context) {
                Ok(consumer) => Session::new(consumer, options.tokens.is_some()),
                Err(error) => return report(answer, Err(error.into())),
            };
            let result = work(&session, &|| answer.is_closed());
            report(answer, result);
        });
        answered.await.unwrap_or(Err(DeadLettersError::Stopped))
    }
}

/// What dead letters are ordered by: their own time among the dead letters, then their place.
fn age(letter: &Record) -> (i64, i64, &str, i32) {
    (letter.timestamp_ms.unwrap_or(-1), letter.offset, &*letter.topic, letter.partition)
}

fn report<T>(answer: oneshot::Sender<Result<T, DeadLettersError>>, result: Result<T, DeadLettersError>) {
    if answer.send(result).is_err() {
        tracing::debug!("nobody waits for the dead letters any more");
    }
}
