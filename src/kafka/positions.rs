//! Where each partition of a topic is read from when no consumer group says so.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset, TopicPartitionList};

use super::context::Context;
use super::outbox::Outbox;
use super::status::Board;
use crate::model::clock::Clock;
use crate::model::manifest::PartitionOffset;
use crate::settings::{OutOfRange, StartAt};

/// Longest wait for one answer of a broker; the stream does not poll meanwhile.
const ASK: Duration = Duration::from_secs(1);

/// What a look at the topic brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// The broker knows no such topic.
    Missing,
    /// It is there, with so many partitions that were not known before.
    There(usize),
}

/// A partition whose next offset is not between the broker's watermarks.
struct Astray {
    partition: i32,
    next: i64,
    low: i64,
    high: i64,
}

/// The partitions that are read by manual assignment.
pub(crate) struct Positions {
    topic: Arc<str>,
    start: StartAt,
    clock: Clock,
    stored: BTreeMap<i32, i64>,
    /// Whether partitions that appear now were there when the stream first began.
    first: bool,
    begins: BTreeMap<i32, Offset>,
}

impl Positions {
    /// Offsets in `stored` of other topics are left aside. With any of this topic, `start` is past: a partition without
    /// one has appeared since, or was never read, and is read from its beginning.
    pub(crate) fn new(topic: &Arc<str>, start: StartAt, stored: &[PartitionOffset], clock: Clock) -> Self {
        let ours = stored.iter().filter(|at| *at.topic == **topic);
        let stored: BTreeMap<i32, i64> = ours.map(|at| (at.partition, at.next.max(0))).collect();
        let first = stored.is_empty();
        Self { topic: Arc::clone(topic), start, clock, stored, first, begins: BTreeMap::new() }
    }

    /// The partitions that are read, with the next offset where it is known.
    pub(crate) fn next(&self, outbox: &Outbox) -> BTreeMap<i32, Option<i64>> {
        self.begins.keys().map(|&partition| (partition, outbox.next().get(&partition).copied())).collect()
    }

    /// Asks for the topic's partitions and takes new ones into the assignment.
    pub(crate) fn look_up(&mut self, consumer: &BaseConsumer<Context>, outbox: &mut Outbox) -> KafkaResult<Seen> {
        let Some(found) = self.partitions(consumer)? else {
            // What is produced into a topic made later all comes after this start.
            self.first = false;
            return Ok(Seen::Missing);
        };
        let new: Vec<i32> = found.into_iter().filter(|partition| !self.begins.contains_key(partition)).collect();
        if new.is_empty() {
            return Ok(Seen::There(0));
        }
        for (partition, offset) in self.resolve(consumer, &new)? {
            match (offset, self.stored.get(&partition)) {
                (Offset::Offset(next), Some(_)) => outbox.go_on(partition, next),
                (Offset::Offset(next), None) => outbox.begin(self.at(partition, next)),
                _ => {}
            }
            self.begins.insert(partition, offset);
        }
        self.first = false;
        self.assign(consumer, outbox)?;
        Ok(Seen::There(new.len()))
    }

    /// Finds the partitions whose next offset the broker does not have, says so loudly and on `board`, and goes on from
    /// where `policy` says; answers whether it does. Nothing may wait in the outbox.
    pub(crate) fn return_to_range(
        &self,
        consumer: &BaseConsumer<Context>,
        outbox: &mut Outbox,
        policy: OutOfRange,
        board: &Board,
    ) -> KafkaResult<bool> {
        let mut astray = Vec::new();
        for (&partition, begin) in &self.begins {
            let known = outbox.next().get(&partition).copied();
            let Some(next) = known.or(begin.to_raw().filter(|&offset| offset >= 0)) else { continue };
            let (low, high) = consumer.fetch_watermarks(&self.topic, partition, ASK)?;
            if (low..=high).contains(&next) {
                continue;
            }
            astray.push(Astray { partition, next, low, high });
        }
        for at in &astray {
            self.say(at, policy);
            board.reset(u64::try_from(at.low - at.next).unwrap_or(0));
            match policy {
                OutOfRange::Earliest => outbox.begin(self.at(at.partition, at.low)),
                OutOfRange::Latest => outbox.begin(self.at(at.partition, at.high)),
                OutOfRange::Stop => {}
            }
        }
        if !astray.is_empty() && policy == OutOfRange::Stop {
            board.set_stopped();
            return consumer.unassign().map(|()| false);
        }
        self.assign(consumer, outbox).map(|()| true)
    }

    fn say(&self, at: &Astray, policy: OutOfRange) {
        let &Astray { partition, next, low, high } = at;
        let topic = &*self.topic;
        let done = match policy {
            OutOfRange::Earliest => "going on from the earliest",
            OutOfRange::Latest => "going on from the end",
            OutOfRange::Stop => "reading no more of it: set kafka.out_of_range to earliest or latest and start anew",
        };
        if next < low {
            let lost = low - next;
            tracing::error!(
                topic,
                partition,
                next,
                low,
                lost,
                "records are gone before they were read: the topic's retention is shorter than this stream was behind; {done}"
            );
        } else {
            tracing::error!(
                topic,
                partition,
                next,
                high,
                "the topic has fewer records than were read: it was made again or has lost some; {done}"
            );
        }
    }

    fn at(&self, partition: i32, next: i64) -> PartitionOffset {
        PartitionOffset { topic: self.topic.to_string(), partition, next }
    }

    /// Assigns everything anew at where it stands; what the client has read ahead is read again.
    fn assign(&self, consumer: &BaseConsumer<Context>, outbox: &Outbox) -> KafkaResult<()> {
        let mut list = TopicPartitionList::new();
        for (&partition, &begin) in &self.begins {
            let offset = outbox.next().get(&partition).map_or(begin, |&next| Offset::Offset(next));
            list.add_partition_offset(&self.topic, partition, offset)?;
        }
        consumer.assign(&list)?;
        if outbox.paused() {
            outbox.pause(consumer);
        }
        Ok(())
    }

    /// The topic's partitions; none where there is no such topic.
    fn partitions(&self, consumer: &BaseConsumer<Context>) -> KafkaResult<Option<Vec<i32>>> {
        let metadata = consumer.fetch_metadata(Some(&self.topic), ASK)?;
        let Some(topic) = metadata.topics().iter().find(|topic| topic.name() == &*self.topic) else { return Ok(None) };
        match topic.error() {
            Some(RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) => Ok(None),
            Some(other) => Err(KafkaError::MetadataFetch(RDKafkaErrorCode::from(other))),
            None => Ok(Some(topic.partitions().iter().map(rdkafka::metadata::MetadataPartition::id).collect())),
        }
    }

    /// Where each of these partitions begins: a stored offset, the beginning, or what the broker says of `start`.
    fn resolve(&self, consumer: &BaseConsumer<Context>, new: &[i32]) -> KafkaResult<Vec<(i32, Offset)>> {
        let mut timed = TopicPartitionList::new();
        let mut resolved = Vec::with_capacity(new.len());
        for &partition in new {
            let time = self.start.time_ms(self.clock.now_ms());
            match self.stored.get(&partition) {
                Some(&next) => resolved.push((partition, Offset::Offset(next))),
                None if !self.first || self.start == StartAt::Earliest => resolved.push((partition, Offset::Beginning)),
                None => match time {
                    Some(time) => timed.add_partition_offset(&self.topic, partition, Offset::Offset(time))?,
                    None => resolved.push((partition, self.end(consumer, partition)?)),
                },
            }
        }
        if timed.count() > 0 {
            for at in consumer.offsets_for_times(timed, ASK)?.elements() {
                at.error()?;
                // No record that late: what comes from now on.
                let found = matches!(at.offset(), Offset::Offset(_));
                let offset = if found { at.offset() } else { self.end(consumer, at.partition())? };
                resolved.push((at.partition(), offset));
            }
        }
        Ok(resolved)
    }

    /// The end as a number, so that nothing is skipped when the partition is assigned again before its first record.
    fn end(&self, consumer: &BaseConsumer<Context>, partition: i32) -> KafkaResult<Offset> {
        consumer.fetch_watermarks(&self.topic, partition, ASK).map(|(_, high)| Offset::Offset(high))
    }
}
