//! One client's calls: partitions with their watermarks and progress, records between offsets, commits. All of it blocks.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset, TopicPartitionList};

use super::DeadLettersError;
use crate::kafka::context::Context;
use crate::kafka::record::Record;

/// Longest wait for one answer of a broker.
const ASK: Duration = Duration::from_secs(5);

/// Longest wait for a record between looks at the time.
const POLL: Duration = Duration::from_millis(50);

/// Pause before a broker is asked again that was not ready to answer for the group.
const AGAIN: Duration = Duration::from_millis(100);

/// A time by which something has to be done.
#[derive(Debug, Clone, Copy)]
pub(super) struct Until(Instant);

impl Until {
    pub(super) fn after(within: Duration) -> Self {
        Self(Instant::now() + within)
    }

    /// How long one answer may be waited for.
    fn ask(self) -> Result<Duration, DeadLettersError> {
        let left = self.0.saturating_duration_since(Instant::now());
        let late = || DeadLettersError::Away("it did not answer in time".to_owned());
        if left.is_zero() { Err(late()) } else { Ok(left.min(ASK)) }
    }
}

/// One partition of dead letters, as it was when the session asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lane {
    pub(super) topic: Arc<str>,
    pub(super) partition: i32,
    /// The first offset that the broker has.
    pub(super) low: i64,
    /// The offset behind the last one.
    pub(super) high: i64,
    /// The first one that was not sent back, within the two.
    pub(super) next: i64,
}

/// Records of one partition in the order of their offsets, and where to read on.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) records: Vec<Record>,
    pub(super) next: i64,
}

/// A client for one call.
pub(super) struct Session {
    consumer: BaseConsumer<Context>,
}

impl Session {
    /// `asks_for_token`: its token is asked for while it polls, and nothing else here polls before the first answer.
    pub(super) fn new(consumer: BaseConsumer<Context>, asks_for_token: bool) -> Self {
        if asks_for_token && let Some(Err(error)) = consumer.poll(POLL) {
            tracing::debug!(%error, "the client of the dead letters has no token yet");
        }
        Self { consumer }
    }

    /// The topic's partitions; none where there is no such topic.
    pub(super) fn lanes(&self, topic: &Arc<str>, until: &Until) -> Result<Vec<Lane>, DeadLettersError> {
        let mut wanted = TopicPartitionList::new();
        for partition in self.partitions(topic, until)? {
            wanted.add_partition(topic, partition);
        }
        if wanted.count() == 0 {
            return Ok(Vec::new());
        }
        let committed = while_elected(*until, || {
            let committed = self.consumer.committed_offsets(wanted.clone(), until.ask()?);
            committed.map_err(|error| Refusal::from(&error))
        })?;
        let lane = |partition: i32, committed: i64| -> Result<Lane, DeadLettersError> {
            let watermarks = self.consumer.fetch_watermarks(topic, partition, until.ask()?);
            let (low, high) = watermarks.map_err(|error| judge(&error))?;
            // Beyond the end: the topic was made again, so that nothing of it was sent back.
            let next = if committed > high { low } else { committed.max(low) };
            Ok(Lane { topic: Arc::clone(topic), partition, low, high, next })
        };
        let mut lanes = Vec::new();
        for at in committed.elements() {
            at.error().map_err(|error| judge(&error))?;
            let offset = if let Offset::Offset(offset) = at.offset() { offset } else { 0 };
            lanes.push(lane(at.partition(), offset)?);
        }
        Ok(lanes)
    }

    fn partitions(&self, topic: &str, until: &Until) -> Result<Vec<i32>, DeadLettersError> {
        let metadata = match self.consumer.fetch_metadata(Some(topic), until.ask()?) {
            Err(error) if is_missing(&error) => return Ok(Vec::new()),
            asked => asked.map_err(|error| judge(&error))?,
        };
        let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else { return Ok(Vec::new()) };
        match found.error() {
            Some(RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) => Ok(Vec::new()),
            Some(other) => Err(judge(&KafkaError::MetadataFetch(RDKafkaErrorCode::from(other)))),
            None => Ok(found.partitions().iter().map(rdkafka::metadata::MetadataPartition::id).collect()),
        }
    }

    /// Reads a lane from an offset to its end, or until so many records or bytes are there.
    pub(super) fn read(
        &self,
        lane: &Lane,
        from: i64,
        (most, most_bytes): (usize, usize),
        until: &Until,
    ) -> Result<Read, DeadLettersError> {
        let mut read = Read { records: Vec::new(), next: from };
        let mut bytes = 0;
        if from < lane.high && most > 0 {
            self.assign(lane, from).map_err(|error| judge(&error))?;
        }
        while read.next < lane.high && read.records.len() < most && bytes < most_bytes {
            match self.consumer.poll(until.ask()?.min(POLL)) {
                Some(Ok(message)) if message.topic() == &*lane.topic && message.partition() == lane.partition => {
                    if message.offset() >= lane.high {
                        read.next = lane.high;
                        break;
                    }
                    let record = Record::copy(&lane.topic, &message);
                    bytes += record.bytes();
                    read.next = record.offset + 1;
                    read.records.push(record);
                }
                Some(Err(KafkaError::PartitionEOF(partition))) if partition == lane.partition => read.next = lane.high,
                // The topic was removed since; there is nothing more in it.
                Some(Err(error)) if is_missing(&error) => read.next = lane.high,
                Some(Err(error)) => {
                    if let refused @ DeadLettersError::Refused(_) = judge(&error) {
                        return Err(refused);
                    }
                    tracing::debug!(%error, "dead letters cannot be read yet");
                }
                Some(Ok(_)) | None => {}
            }
        }
        Ok(read)
    }

    fn assign(&self, lane: &Lane, from: i64) -> KafkaResult<()> {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&lane.topic, lane.partition, Offset::Offset(from))?;
        self.consumer.assign(&list)
    }

    /// Remembers that lanes were sent back up to, but without, these offsets.
    pub(super) fn commit<'a>(
        &self,
        reached: impl IntoIterator<Item = (&'a Lane, i64)>,
    ) -> Result<(), DeadLettersError> {
        let listed: KafkaResult<TopicPartitionList> =
            reached.into_iter().try_fold(TopicPartitionList::new(), |mut list, (lane, next)| {
                list.add_partition_offset(&lane.topic, lane.partition, Offset::Offset(next))?;
                Ok(list)
            });
        let list = listed.map_err(|error| judge(&error))?;
        if list.count() == 0 {
            return Ok(());
        }
        while_elected(Until::after(ASK), || {
            self.consumer.commit(&list, CommitMode::Sync).map_err(|error| Refusal::from(&error))
        })
    }
}

/// Why the group's coordinator did not do what was asked.
struct Refusal {
    /// Whether the group has no coordinator yet, as on a broker that has just started or moves it.
    unelected: bool,
    why: DeadLettersError,
}

impl From<&KafkaError> for Refusal {
    fn from(error: &KafkaError) -> Self {
        let unelected = matches!(
            error.rdkafka_error_code(),
            Some(
                RDKafkaErrorCode::NotCoordinator
                    | RDKafkaErrorCode::CoordinatorNotAvailable
                    | RDKafkaErrorCode::CoordinatorLoadInProgress
            )
        );
        Self { unelected, why: judge(error) }
    }
}

impl From<DeadLettersError> for Refusal {
    fn from(why: DeadLettersError) -> Self {
        Self { unelected: false, why }
    }
}

/// Asks the group's coordinator until there is one, or the time is over.
fn while_elected<T>(until: Until, mut ask: impl FnMut() -> Result<T, Refusal>) -> Result<T, DeadLettersError> {
    loop {
        match ask() {
            Ok(answer) => return Ok(answer),
            Err(refusal) if refusal.unelected && until.ask().is_ok() => std::thread::sleep(AGAIN),
            Err(refusal) => return Err(refusal.why),
        }
    }
}

fn is_missing(error: &KafkaError) -> bool {
    let code = error.rdkafka_error_code();
    matches!(code, Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic))
}

fn judge(error: &KafkaError) -> DeadLettersError {
    let text = || error.rdkafka_error_code().map_or_else(|| error.to_string(), |code| code.to_string());
    match error.rdkafka_error_code() {
        Some(
            RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::GroupAuthorizationFailed
            | RDKafkaErrorCode::ClusterAuthorizationFailed
            | RDKafkaErrorCode::InvalidTopic
            | RDKafkaErrorCode::InvalidGroupId
            | RDKafkaErrorCode::InvalidArgument
            | RDKafkaErrorCode::Fatal,
        )
        | None => DeadLettersError::Refused(text()),
        Some(_) => DeadLettersError::Away(text()),
    }
}
