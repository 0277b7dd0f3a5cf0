//! How far a stream is, for `/state`; read without waiting for the stream.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use rdkafka::statistics::Statistics;
use serde::Serialize;

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
    /// The partitions that this process reads, by number.
    pub partitions: Vec<PartitionStatus>,
    /// The sum of the known lags; none while one is unknown.
    pub lag: Option<i64>,
}

/// Where the stream's thread writes and everybody reads.
#[derive(Debug)]
pub(crate) struct Board {
    topic: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    paused: bool,
    missing: bool,
    next: BTreeMap<i32, Option<i64>>,
    marks: BTreeMap<i32, (i64, i64)>,
}

impl Board {
    pub(crate) fn new(topic: &str) -> Self {
        Self { topic: topic.to_owned(), state: Mutex::default() }
    }

    /// What the client's statistics say of the watermarks; negative values mean unknown.
    pub(crate) fn learn(&self, statistics: &Statistics) {
        let Some(topic) = statistics.topics.get(&self.topic) else { return };
        let mut state = self.state.lock();
        for (&partition, known) in &topic.partitions {
            if partition >= 0 && known.hi_offset >= 0 {
                state.marks.insert(partition, (known.lo_offset.max(0), known.hi_offset));
            }
        }
    }

    /// The partitions that are read, with the next offset of each.
    pub(crate) fn set_next(&self, next: BTreeMap<i32, Option<i64>>) {
        self.state.lock().next = next;
    }

    pub(crate) fn set_paused(&self, paused: bool) {
        self.state.lock().paused = paused;
    }

    /// Answers whether that is news.
    pub(crate) fn set_missing(&self, missing: bool) -> bool {
        std::mem::replace(&mut self.state.lock().missing, missing) != missing
    }

    /// A copy of it all.
    pub(crate) fn status(&self) -> StreamStatus {
        let state = self.state.lock();
        let partitions: Vec<PartitionStatus> =
            state.next.iter().map(|(&partition, &next)| state.partition(partition, next)).collect();
        let lag = partitions.iter().map(|known| known.lag).sum();
        let (paused, topic_missing) = (state.paused, state.missing);
        StreamStatus { topic: self.topic.clone(), paused, topic_missing, partitions, lag }
    }
}

impl State {
    fn partition(&self, partition: i32, next: Option<i64>) -> PartitionStatus {
        let marks = self.marks.get(&partition);
        // The broker's mark may be older than the last record read.
        let high = marks.map(|&(_, high)| high.max(next.unwrap_or(0)));
        let from = next.or(marks.map(|&(low, _)| low));
        let lag = high.zip(from).map(|(high, from)| (high - from).max(0));
        PartitionStatus { partition, next, high, lag }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lag_is_known_once_every_mark_is() {
        let board = Board::new("events");
        board.set_next(BTreeMap::from([(0, Some(4)), (1, None)]));
        assert_eq!(board.status().lag, None);
        board.state.lock().marks = BTreeMap::from([(0, (0, 10)), (1, (2, 5))]);
        let status = board.status();
        assert_eq!(status.lag, Some(6 + 3));
        assert_eq!(status.partitions[0], PartitionStatus { partition: 0, next: Some(4), high: Some(10), lag: Some(6) });
        board.set_next(BTreeMap::from([(0, Some(12))]));
        assert_eq!(board.status().lag, Some(0), "a stale mark does not make the lag negative");
    }
}
