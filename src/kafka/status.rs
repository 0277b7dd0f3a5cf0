//! How far a stream is, for `/state`; read without waiting for the stream.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use rdkafka::statistics::Statistics;
use serde::Serialize;

use super::ends::Ends;
use super::record::Record;
use crate::model::clock::Clock;

/// One partition of a stream.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PartitionStatus {
    /// Its number.
    pub partition: i32,
    /// The next offset that will be handed on; none before it is known.
    pub next: Option<i64>,
    /// The offset that the broker will give to the next record; none before it is known.
    pub high: Option<i64>,
    /// Records that wait at the broker; none before it is known.
    pub lag: Option<i64>,
    /// How long the oldest record has waited that is not done with, in milliseconds; 0 where none waits, none where it is
    /// not known.
    pub lag_ms: Option<i64>,
}

/// How far a stream is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct StreamStatus {
    /// The topic's name.
    pub topic: String,
    /// Whether the reader is slower than the topic, so that the stream is paused.
    pub paused: bool,
    /// Whether the broker knows no such topic (yet).
    pub topic_missing: bool,
    /// Whether it is read no more, because an offset was not at the broker and the settings say to stop then.
    pub stopped: bool,
    /// How often a partition was begun elsewhere because the broker did not have the next offset.
    pub resets: u64,
    /// Records that the broker had deleted before they were read, as far as offsets tell.
    pub lost: u64,
    /// The partitions that this process reads, by number.
    pub partitions: Vec<PartitionStatus>,
    /// The sum of the known lags; none while one is unknown.
    pub lag: Option<i64>,
}

/// Where the stream's thread writes and everybody reads.
#[derive(Debug)]
pub(crate) struct Board {
    topic: String,
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    paused: bool,
    missing: bool,
    stopped: bool,
    resets: u64,
    lost: u64,
    next: BTreeMap<i32, Option<i64>>,
    marks: BTreeMap<i32, (i64, i64)>,
    ends: BTreeMap<i32, Ends>,
    times: Times,
}

/// The times of records, milliseconds of the epoch, by partition.
#[derive(Debug, Clone, Default)]
pub(crate) struct Times {
    /// Of the one read last.
    pub(crate) read: BTreeMap<i32, i64>,
    /// Of the first that was read and is not handed on.
    pub(crate) waiting: BTreeMap<i32, i64>,
}

impl Board {
    pub(crate) fn new(topic: &str, clock: Clock) -> Self {
        Self { topic: topic.to_owned(), clock, state: Mutex::default() }
    }

    /// What the client's statistics say of the watermarks; negative values mean unknown.
    pub(crate) fn learn(&self, statistics: &Statistics) {
        let Some(topic) = statistics.topics.get(&self.topic) else { return };
        let now_ms = self.clock.now_ms();
        let mut state = self.state.lock();
        for (&partition, known) in &topic.partitions {
            if partition >= 0 && known.hi_offset >= 0 {
                state.learn(partition, known.lo_offset.max(0), known.hi_offset, now_ms);
            }
        }
    }

    /// The partitions that are read, with the next offset of each, and the times of what was read.
    pub(crate) fn set_next(&self, next: BTreeMap<i32, Option<i64>>, times: Times) {
        let mut state = self.state.lock();
        state.next = next;
        state.times = times;
    }

    pub(crate) fn set_paused(&self, paused: bool) {
        self.state.lock().paused = paused;
    }

    /// Answers whether that is news.
    pub(crate) fn set_missing(&self, missing: bool) -> bool {
        std::mem::replace(&mut self.state.lock().missing, missing) != missing
    }

    /// A partition's next offset is not at the broker; `lost` records before the first that is there were never read.
    pub(crate) fn reset(&self, lost: u64) {
        let mut state = self.state.lock();
        state.resets += 1;
        state.lost += lost;
    }

    pub(crate) fn set_stopped(&self) {
        self.state.lock().stopped = true;
    }

    /// A copy of it all.
    pub(crate) fn status(&self) -> StreamStatus {
        let now_ms = self.clock.now_ms();
        let state = self.state.lock();
        let partitions: Vec<PartitionStatus> =
            state.next.iter().map(|(&partition, &next)| state.partition(partition, next, now_ms)).collect();
        let lag = partitions.iter().map(|known| known.lag).sum();
        StreamStatus {
            topic: self.topic.clone(),
            paused: state.paused,
            topic_missing: state.missing,
            stopped: state.stopped,
            resets: state.resets,
            lost: state.lost,
            partitions,
            lag,
        }
    }
}

impl StreamStatus {
    /// The same where `records` were handed on and are not done with: they are older than all that was not.
    #[must_use]
    pub fn holding(mut self, records: &[Record], now_ms: i64) -> Self {
        for known in &mut self.partitions {
            let times = records.iter().filter(|record| record.partition == known.partition);
            if let Some(oldest) = times.filter_map(|record| record.timestamp_ms).min() {
                known.lag_ms = Some((now_ms - oldest).max(0));
            }
        }
        self
    }
}

impl State {
    fn learn(&mut self, partition: i32, low: i64, high: i64, now_ms: i64) {
        self.marks.insert(partition, (low, high));
        let next = self.next.get(&partition).copied().flatten().unwrap_or(0);
        self.ends.entry(partition).or_default().learn(now_ms, high, next);
    }

    fn partition(&self, partition: i32, next: Option<i64>, now_ms: i64) -> PartitionStatus {
        let marks = self.marks.get(&partition);
        // The broker's mark may be older than the last record read.
        let high = marks.map(|&(_, high)| high.max(next.unwrap_or(0)));
        let from = next.or(marks.map(|&(low, _)| low));
        let lag = high.zip(from).map(|(high, from)| (high - from).max(0));
        let lag_ms = self.oldest(partition, from, lag).map(|oldest| oldest.map_or(0, |time| (now_ms - time).max(0)));
        PartitionStatus { partition, next, high, lag, lag_ms }
    }

    /// The time of the oldest record that is not handed on; `Some(None)` where all is, none where it is not known.
    fn oldest(&self, partition: i32, next: Option<i64>, lag: Option<i64>) -> Option<Option<i64>> {
        if let Some(&waiting) = self.times.waiting.get(&partition) {
            return Some(Some(waiting));
        }
        if lag? == 0 {
            return Some(None);
        }
        let since = self.ends.get(&partition).and_then(|ends| ends.waits_since(next?));
        // In what was there before the first look, the next record is hardly younger than the one before it.
        since.or_else(|| self.times.read.get(&partition).copied()).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn board(now_ms: i64) -> (Board, Clock) {
        let clock = Clock::held(now_ms);
        (Board::new("events", clock.clone()), clock)
    }

    fn at(next: impl IntoIterator<Item = (i32, i64)>) -> BTreeMap<i32, Option<i64>> {
        next.into_iter().map(|(partition, next)| (partition, Some(next))).collect()
    }

    #[test]
    fn lag_is_known_once_every_mark_is() {
        let (board, _) = board(0);
        board.set_next(BTreeMap::from([(0, Some(4)), (1, None)]), Times::default());
        assert_eq!(board.status().lag, None);
        board.state.lock().learn(0, 0, 10, 0);
        board.state.lock().learn(1, 2, 5, 0);
        let status = board.status();
        assert_eq!(status.lag, Some(6 + 3));
        let first = PartitionStatus { partition: 0, next: Some(4), high: Some(10), lag: Some(6), lag_ms: None };
        assert_eq!(status.partitions[0], first);
        board.set_next(at([(0, 12)]), Times::default());
        assert_eq!(board.status().lag, Some(0), "a stale mark does not make the lag negative");
    }

    #[test]
    fn the_age_of_the_oldest_record_is_told_where_it_is_known() {
        let (board, clock) = board(10_000);
        let age = || board.status().partitions[0].lag_ms;
        board.set_next(at([(0, 4)]), Times::default());
        assert_eq!(age(), None, "no mark is known");
        board.state.lock().learn(0, 0, 10, 10_000);
        assert_eq!(age(), None, "what was there before may be of any age");
        board.set_next(at([(0, 5)]), Times { read: BTreeMap::from([(0, 4_000)]), ..Times::default() });
        assert_eq!(age(), Some(6_000), "within a backlog the next is like the last");
        board.set_next(at([(0, 10)]), Times { read: BTreeMap::from([(0, 9_000)]), ..Times::default() });
        assert_eq!(age(), Some(0));
        board.state.lock().learn(0, 0, 11, 60_000);
        clock.advance_ms(57_000);
        assert_eq!(age(), Some(7_000), "since it was seen, not since the last one, long before");
        let waiting = BTreeMap::from([(0, 59_500)]);
        board.set_next(at([(0, 11)]), Times { waiting, ..Times::default() });
        assert_eq!(age(), Some(7_500), "read, and not handed on");
    }

    #[test]
    fn what_is_in_hand_is_the_oldest() {
        let (board, _) = board(10_000);
        board.set_next(at([(0, 4), (1, 4)]), Times::default());
        board.state.lock().learn(0, 0, 4, 0);
        board.state.lock().learn(1, 0, 4, 0);
        let record = |offset, timestamp_ms| Record {
            topic: "events".into(),
            partition: 1,
            offset,
            timestamp_ms,
            key: None,
            payload: None,
            headers: Vec::new(),
        };
        let held = [record(1, None), record(2, Some(9_000)), record(3, Some(8_000))];
        let ages = board.status().holding(&held, 10_000).partitions.into_iter().map(|known| known.lag_ms);
        assert_eq!(ages.collect::<Vec<_>>(), [Some(0), Some(2_000)]);
    }
}
