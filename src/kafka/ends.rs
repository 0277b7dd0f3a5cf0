//! How a partition's end moved, from which it is known since when a record waits there that was not read.

use std::collections::VecDeque;

/// Most sightings that are kept; beyond it every other one is let go, and what they tell is that much less exact.
const MOST: usize = 256;

/// The sightings of one partition's end.
#[derive(Debug, Default)]
pub(super) struct Ends {
    /// The end when it was first seen: records before it may be of any age.
    first: Option<i64>,
    /// When the end was first seen at an offset, milliseconds of the epoch, and the offset; both rising.
    seen: VecDeque<(i64, i64)>,
}

impl Ends {
    /// The end is at `high`, and all before `next` is read.
    pub(super) fn learn(&mut self, now_ms: i64, high: i64, next: i64) {
        let last = self.seen.back().map(|&(_, high)| high).or(self.first);
        if last.is_none_or(|last| high < last) {
            // The first look, or a topic that was made again.
            *self = Self { first: Some(high), seen: VecDeque::new() };
        } else if last.is_some_and(|last| high > last) {
            self.seen.push_back((now_ms, high));
        }
        while self.seen.len() > 1 && self.seen.front().is_some_and(|&(_, high)| high <= next) {
            self.seen.pop_front();
        }
        if self.seen.len() > MOST {
            let mut keep = false;
            self.seen.retain(|_| {
                keep = !keep;
                keep
            });
        }
    }

    /// Since when at least the record at `next` has waited; none for one that was there before the first look.
    pub(super) fn waits_since(&self, next: i64) -> Option<i64> {
        let known = self.first.is_some_and(|first| next >= first);
        self.seen.iter().find(|&&(_, high)| known && high > next).map(|&(since, _)| since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_waits_since_the_end_was_first_seen_behind_it() {
        let mut ends = Ends::default();
        ends.learn(1_000, 5, 0);
        assert_eq!(ends.waits_since(3), None, "it was there before the first look");
        assert_eq!(ends.waits_since(5), None, "nothing is there");
        ends.learn(2_000, 8, 5);
        ends.learn(3_000, 8, 5);
        ends.learn(4_000, 9, 5);
        assert_eq!(
            (ends.waits_since(5), ends.waits_since(7), ends.waits_since(8)),
            (Some(2_000), Some(2_000), Some(4_000))
        );
        assert_eq!(ends.waits_since(9), None);
        ends.learn(5_000, 2, 0);
        assert_eq!(ends.waits_since(0), None, "the topic was made again");
    }

    #[test]
    fn what_is_let_go_makes_a_wait_shorter_and_never_longer() {
        let mut ends = Ends::default();
        ends.learn(0, 0, 0);
        for n in 1..=10_000 {
            ends.learn(n * 1_000, n, 0);
        }
        assert!(ends.seen.len() <= MOST);
        for next in [0, 5_000, 9_000] {
            let since = ends.waits_since(next).unwrap();
            assert!(since > next * 1_000 && since <= 10_000_000, "{next}: {since}");
        }
    }
}
