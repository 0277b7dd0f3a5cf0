//! Dead letters read: listed, and sent back to where they came from.
//!
//! Each call makes a client of its own on a blocking thread, reads by manual assignment between the watermarks that it
//! finds at the start, and closes it. How far letters were sent back is kept at the broker, as offsets of the consumer
//! group `<requests_group>-dead-letters`, which nobody joins. The broker forgets them `offsets.retention.minutes` after
//! the last replay (7 days by default); letters that it keeps for longer would then be sent again.

mod replay;
mod session;

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Mutex, oneshot};

use self::replay::Replay;
use self::session::{Lane, Session, Until};
use super::broker::{BrokerState, Link};
use super::context::Context;
use super::dead_letter::{self, Said};
use super::options::{ClientError, Options};
use super::producer::{ProduceError, Producer};
use super::record::Record;
use crate::settings::Kafka;

/// Longest time that a list may take.
const LIST: Duration = Duration::from_secs(20);

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
}

/// Reads the dead letters of `events_topic` and `requests_topic`.
pub struct DeadLetterReader {
    options: Arc<Options>,
    /// Kept from call to call, so that a broker that is away is told once; apart from the state that others look at,
    /// since nothing of the service rests on it.
    link: Arc<Link>,
    producer: Producer,
    sources: Vec<Source>,
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
        let mut sources: Vec<Source> = [&kafka.events_topic, &kafka.requests_topic]
            .map(|topic| {
                let dead = format!("{topic}{}", kafka.dead_letter_suffix);
                Source { origin: Arc::from(topic.as_str()), dead: Arc::from(dead) }
            })
            .into();
        sources.dedup();
        Ok(Self { options, link, producer, sources, replaying: Arc::default() })
    }

    /// The latest dead letters, by the time at which they became such, newest first, at most `limit`. Reads the last
    /// `limit` records of each partition; a topic that is not there is empty. A record that is no dead letter but lies
    /// among them is shown at its place there, with a reason that says so.
    ///
    /// # Errors
    /// [`DeadLettersError::Away`] after at most 20 s, [`DeadLettersError::Refused`].
    pub async fn list(&self, limit: usize) -> Result<Vec<DeadRecord>, DeadLettersError> {
        let sources = self.sources.clone();
        self.with_session(move |session, _| list(session, &sources, limit)).await
    }

    /// Sends dead letters that were not sent before back to their topic, those of `topic` alone where it is given, oldest
    /// first and at most `limit`: key, value and headers as the record had them. Answers how many were sent.
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
        let sources: Vec<Source> =
            self.sources.iter().filter(|source| topic.is_none_or(|topic| *source.origin == *topic)).cloned().collect();
        if let (Some(topic), true) = (topic, sources.is_empty()) {
            let known: Vec<&str> = self.sources.iter().map(|source| &*source.origin).collect();
            return Err(DeadLettersError::UnknownTopic { topic: topic.to_owned(), known: known.join(", ") });
        }
        let alone = Arc::clone(&self.replaying).lock_owned().await;
        let (producer, runtime) = (self.producer.clone(), Handle::current());
        self.with_session(move |session, deserted| {
            let replayed = Replay::begin(session, &producer, &runtime, &sources)?.run(limit, deserted);
            drop(alone);
            replayed
        })
        .await
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
            let context = Context::new(link, options.redact.clone(), None);
            let session = match options.create(context) {
                Ok(consumer) => Session::new(consumer),
                Err(error) => return report(answer, Err(error.into())),
            };
            let result = work(&session, &|| answer.is_closed());
            report(answer, result);
        });
        answered.await.unwrap_or(Err(DeadLettersError::Stopped))
    }
}

fn report<T>(answer: oneshot::Sender<Result<T, DeadLettersError>>, result: Result<T, DeadLettersError>) {
    if answer.send(result).is_err() {
        tracing::debug!("nobody waits for the dead letters any more");
    }
}

fn list(session: &Session, sources: &[Source], limit: usize) -> Result<Vec<DeadRecord>, DeadLettersError> {
    let until = Until::after(LIST);
    let mut latest: Vec<(Record, DeadRecord)> = Vec::new();
    for source in sources {
        for lane in session.lanes(&source.dead, &until)? {
            let from = lane.high.saturating_sub_unsigned(u64::try_from(limit).unwrap_or(u64::MAX)).max(lane.low);
            let read = session.read(&lane, from, (usize::MAX, usize::MAX), &until)?;
            latest.extend(read.records.into_iter().map(|record| show(record, source, &lane)));
            latest.sort_by(|(one, _), (other, _)| age(other).cmp(&age(one)));
            latest.truncate(limit);
        }
    }
    Ok(latest.into_iter().map(|(_, shown)| shown).collect())
}

/// What dead letters are ordered by: their own time among the dead letters, then their place.
fn age(letter: &Record) -> (i64, i64, &str, i32) {
    (letter.timestamp_ms.unwrap_or(-1), letter.offset, &*letter.topic, letter.partition)
}

/// What is shown of a letter, beside the letter itself without its value.
fn show(mut letter: Record, source: &Source, lane: &Lane) -> (Record, DeadRecord) {
    let value = letter.payload.take().unwrap_or_default();
    let opened = dead_letter::open(&letter.headers).map(|(_, said)| said);
    let unsaid = Said {
        topic: &source.origin,
        partition: letter.partition,
        offset: letter.offset,
        timestamp_ms: letter.timestamp_ms,
        reason: "no dead letter: it lacks the dlq headers and is never sent back",
    };
    let said = opened.unwrap_or(unsaid);
    let shown = DeadRecord {
        topic: said.topic.to_owned(),
        partition: said.partition,
        offset: said.offset,
        timestamp_ms: said.timestamp_ms,
        reason: said.reason.to_owned(),
        value,
        replayed: opened.is_some_and(|said| *said.topic == *source.origin) && letter.offset < lane.next,
    };
    (letter, shown)
}
