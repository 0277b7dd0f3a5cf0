//! Which requests are answered: a committed offset never passes one that is not.

use std::collections::{BTreeMap, VecDeque};

/// Keeps, for each partition that is held, what was handed out and what of it is done.
#[derive(Debug, Default)]
pub struct OffsetTracker {
    held: BTreeMap<i32, Held>,
}

#[derive(Debug, Default)]
struct Held {
    /// The assignment that brought it.
    since: u64,
    /// Offsets handed out and not yet passed, in order, each with whether it is done.
    out: VecDeque<(i64, bool)>,
    /// One more than the last offset up to which all is done.
    reached: Option<i64>,
    /// What was given to be committed last.
    given: Option<i64>,
}

impl OffsetTracker {
    /// A partition is held from now on, under this assignment; nothing of it is handed out yet.
    pub fn assign(&mut self, partition: i32, epoch: u64) {
        self.held.insert(partition, Held { since: epoch, ..Held::default() });
    }

    /// A partition is no longer held; what comes for it later means nothing.
    pub fn revoke(&mut self, partition: i32) {
        self.held.remove(&partition);
    }

    /// Whether a partition is held, and was under the assignment `epoch`.
    #[must_use]
    pub fn holds(&self, partition: i32, epoch: u64) -> bool {
        self.held.get(&partition).is_some_and(|held| epoch >= held.since)
    }

    /// The partitions that are held.
    pub fn partitions(&self) -> impl Iterator<Item = i32> + '_ {
        self.held.keys().copied()
    }

    /// A record goes out. Offsets of a partition go out in rising order, with gaps where the log has some.
    pub fn hand_out(&mut self, partition: i32, offset: i64) {
        let Some(held) = self.held.get_mut(&partition) else { return };
        if held.out.back().is_none_or(|&(last, _)| last < offset)
            && held.reached.is_none_or(|reached| reached <= offset)
        {
            held.out.push_back((offset, false));
        }
    }

    /// A record handed out under the assignment `epoch` is done with. Answers whether that counted.
    pub fn done(&mut self, partition: i32, offset: i64, epoch: u64) -> bool {
        let Some(held) = self.held.get_mut(&partition).filter(|held| epoch >= held.since) else { return false };
        let Ok(at) = held.out.binary_search_by_key(&offset, |&(out, _)| out) else { return false };
        if let Some(entry) = held.out.get_mut(at) {
            entry.1 = true;
        }
        while let Some((passed, _)) = held.out.pop_front_if(|&mut (_, done)| done) {
            held.reached = Some(passed + 1);
        }
        true
    }

    /// The offset that may be committed for a partition: one more than the last before the first that is not done.
    #[must_use]
    pub fn reached(&self, partition: i32) -> Option<i64> {
        self.held.get(&partition).and_then(|held| held.reached)
    }

    /// What has moved since it was given last, and counts as given from now on.
    pub fn take_moved(&mut self) -> Vec<(i32, i64)> {
        let mut moved = Vec::new();
        for (&partition, held) in &mut self.held {
            if let Some(reached) = held.reached.filter(|_| held.reached != held.given) {
                held.given = Some(reached);
                moved.push((partition, reached));
            }
        }
        moved
    }

    /// A commit failed: what is reached is to be given again.
    pub fn give_again(&mut self) {
        for held in self.held.values_mut() {
            held.given = None;
        }
    }

    /// How many records of these partitions are out and not done.
    #[must_use]
    pub fn waiting(&self, of: impl Fn(i32) -> bool) -> usize {
        let held = self.held.iter().filter(|&(&partition, _)| of(partition));
        held.map(|(_, held)| held.out.iter().filter(|(_, done)| !done).count()).sum()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_gap_holds_the_offset_back() {
        let mut tracker = OffsetTracker::default();
        tracker.assign(0, 1);
        for offset in [5, 6, 9] {
            tracker.hand_out(0, offset);
        }
        assert!(tracker.done(0, 6, 1) && tracker.done(0, 9, 1));
        assert_eq!((tracker.reached(0), tracker.waiting(|_| true)), (None, 1));
        assert!(tracker.done(0, 5, 1));
        assert_eq!(tracker.take_moved(), [(0, 10)]);
        assert_eq!(tracker.take_moved(), []);
        tracker.give_again();
        assert_eq!(tracker.take_moved(), [(0, 10)]);
    }

    #[test]
    fn an_answer_from_before_the_partition_was_lost_does_not_count() {
        let mut tracker = OffsetTracker::default();
        tracker.assign(0, 1);
        tracker.hand_out(0, 5);
        tracker.revoke(0);
        assert!(!tracker.done(0, 5, 1));
        tracker.assign(0, 3);
        tracker.hand_out(0, 5);
        assert!(!tracker.done(0, 5, 1) && !tracker.holds(0, 2));
        assert!(tracker.done(0, 5, 4) && tracker.holds(0, 3));
        assert_eq!(tracker.reached(0), Some(6));
    }

    proptest! {
        #[test]
        fn a_committed_offset_never_passes_a_gap(
            offsets in prop::collection::btree_set(0_i64..200, 1..60),
            order in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..120),
        ) {
            let offsets: Vec<i64> = offsets.into_iter().collect();
            let mut tracker = OffsetTracker::default();
            tracker.assign(7, 1);
            let mut out: Vec<i64> = Vec::new();
            let mut done = BTreeSet::new();
            for (pick, hand_out) in order {
                if hand_out && out.len() < offsets.len() {
                    tracker.hand_out(7, offsets[out.len()]);
                    out.push(offsets[out.len()]);
                } else if !out.is_empty() {
                    let offset = out[pick.index(out.len())];
                    prop_assert_eq!(tracker.done(7, offset, 1), done.insert(offset) || tracker.held[&7].out.iter().any(|at| at.0 == offset));
                }
                let first_open = out.iter().find(|offset| !done.contains(*offset)).copied();
                let before = out.iter().take_while(|&&offset| first_open.is_none_or(|open| offset < open));
                prop_assert_eq!(tracker.reached(7), before.last().map(|last| last + 1));
                prop_assert_eq!(tracker.waiting(|_| true), out.len() - done.len());
            }
        }
    }
}
