//! The lists for those of whom nothing is known: trending, popular, newest.

use std::cmp::Reverse;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;

use super::answer::Source;
use crate::model::catalogue::{Catalogue, Entry};
use crate::model::histories::Histories;
use crate::model::ids::ItemIndex;
use crate::model::interactions::NO_TIME;

/// Catalogues up to this size are ordered anew as soon as anything has changed, which takes well under a millisecond.
const SMALL: usize = 2000;

/// How old the orders of a larger catalogue may be while things change, in milliseconds.
const STALE_MS: i64 = 1000;

/// An item of one rung, with its score.
pub(super) type Rung = (ItemIndex, f32);

/// The whole catalogue in each of the three orders, hidden and deleted items too: what may be shown is asked per question.
#[derive(Debug, Default)]
pub(super) struct Orders {
    trending: Vec<Rung>,
    popular: Vec<Rung>,
    newest: Vec<Rung>,
}

impl Orders {
    /// Orders `items`. Equal ones stand in order of first sight, the newest in the reverse.
    ///
    /// Trending: the trend at `now_ms`, without items whose trend has faded to nothing. Popular: the count, without items
    /// never taken. Newest: 1 for an item first seen now, halved per half-life since then, 0 for one without a time.
    pub(super) fn of(
        entries: &[Entry],
        items: impl Iterator<Item = ItemIndex>,
        now_ms: i64,
        half_life_ms: i64,
    ) -> Self {
        let (mut trending, mut popular, mut newest) = (Vec::new(), Vec::new(), Vec::new());
        for (item, entry) in items.filter_map(|item| entries.get(item.at()).map(|entry| (item, entry))) {
            let trend = (entry.trend_at(now_ms, half_life_ms) as f32).min(f32::MAX);
            // Erasing a user may leave a rounding error of a trend behind, but no count.
            if trend >= f32::MIN_POSITIVE && entry.count > 0 {
                // The bits of positive floats are in the order of the floats.
                trending.push(best_first(trend.to_bits(), item));
            }
            if entry.count > 0 {
                popular.push(best_first(u32::try_from(entry.count).unwrap_or(u32::MAX), item));
            }
            newest.push((entry.first_ms, item));
        }
        trending.sort_unstable();
        popular.sort_unstable();
        newest.sort_unstable_by_key(|&key| Reverse(key));
        let fresh = |first_ms: i64| match first_ms {
            NO_TIME => 0.0,
            _ => (-(now_ms.saturating_sub(first_ms).max(0) as f64) / half_life_ms.max(1) as f64).exp2() as f32,
        };
        Self {
            trending: trending.into_iter().map(|key| from_key(key, f32::from_bits)).collect(),
            popular: popular.into_iter().map(|key| from_key(key, |count| count as f32)).collect(),
            newest: newest.into_iter().map(|(first_ms, item)| (item, fresh(first_ms))).collect(),
        }
    }

    /// One rung, best first; empty for a source that is none.
    pub(super) fn rung(&self, source: Source) -> &[Rung] {
        match source {
            Source::Trending => &self.trending,
            Source::Popular => &self.popular,
            Source::Newest => &self.newest,
            Source::Personal | Source::Session | Source::Similar => &[],
        }
    }
}

/// A key that sorts high values before low ones, then low indices before high ones.
fn best_first(value: u32, item: ItemIndex) -> u64 {
    (u64::from(!value) << 32) | u64::from(item.0)
}

fn from_key(key: u64, score: impl Fn(u32) -> f32) -> Rung {
    (ItemIndex((key & 0xffff_ffff) as u32), score(!((key >> 32) as u32)))
}

/// What the orders depend on beside time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    changes: u64,
    applied_seq: u64,
    events: u64,
    items: usize,
}

#[derive(Debug)]
struct Cached {
    /// Which orders these are, counted from 1.
    number: u64,
    orders: Orders,
    stamp: Stamp,
    at_ms: i64,
}

impl Cached {
    fn serves(&self, stamp: Stamp, now_ms: i64, generation_ms: i64) -> bool {
        let age = now_ms.saturating_sub(self.at_ms).saturating_abs();
        if stamp == self.stamp { age < generation_ms } else { stamp.items > SMALL && age < STALE_MS }
    }
}

/// The three orders, kept until they are out of date.
#[derive(Debug, Default)]
pub(super) struct Ladder {
    cached: ArcSwapOption<Cached>,
    /// How often they were computed.
    computing: Mutex<u64>,
}

/// The orders as they were computed last.
pub(super) struct Current(Arc<Cached>);

impl Current {
    /// Which orders these are: others have another number.
    pub(super) fn number(&self) -> u64 {
        self.0.number
    }
}

impl std::ops::Deref for Current {
    type Target = Orders;
    fn deref(&self) -> &Orders {
        &self.0.orders
    }
}

impl Ladder {
    /// The orders at `now_ms`: as of now for a small catalogue, else at most a second behind; what depends on time alone
    /// is at most `generation_ms` behind. The caller holds no guard of the catalogue.
    pub(super) fn orders(
        &self,
        catalogue: &Catalogue,
        histories: &Histories,
        now_ms: i64,
        generation_ms: i64,
    ) -> Current {
        // Read before the entries are: what is applied meanwhile makes the stamp stale, never the orders.
        let stamp = Stamp {
            changes: catalogue.changes(),
            applied_seq: histories.applied_seq(),
            events: histories.events(),
            items: catalogue.len(),
        };
        let cached = self.cached.load_full();
        let mut computed = match cached {
            Some(cached) if cached.serves(stamp, now_ms, generation_ms) => return Current(cached),
            // One thread orders a large catalogue; the others go on with what there is.
            Some(cached) if stamp.items > SMALL => match self.computing.try_lock() {
                Some(guard) => guard,
                None => return Current(cached),
            },
            _ => self.computing.lock(),
        };
        if let Some(cached) = self.cached.load_full()
            && cached.serves(stamp, now_ms, generation_ms)
        {
            return Current(cached);
        }
        let half_life_ms = catalogue.half_life_ms();
        let entries = catalogue.entries();
        let items = (0..u32::try_from(entries.len()).unwrap_or(u32::MAX)).map(ItemIndex);
        let orders = Orders::of(&entries, items, now_ms, half_life_ms);
        drop(entries);
        *computed += 1;
        let fresh = Arc::new(Cached { number: *computed, orders, stamp, at_ms: now_ms });
        self.cached.store(Some(fresh.clone()));
        drop(computed);
        Current(fresh)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::item::ItemData;

    const NOW: i64 = 1_790_000_000_000;
    const GENERATION: i64 = 60_000;

    fn names(catalogue: &Catalogue, rung: &[Rung]) -> Vec<String> {
        rung.iter().filter_map(|(item, _)| catalogue.entry(*item)).map(|entry| entry.id.to_string()).collect()
    }

    fn take(catalogue: &Catalogue, id: &str, times: &[i64]) {
        let item = catalogue.index(&id.parse().unwrap());
        for &time in times {
            catalogue.count(item, 1.0, time);
        }
    }

    #[test]
    fn each_rung_has_its_order_and_leaves_out_what_it_has_nothing_to_say_of() {
        let catalogue = Catalogue::new(1000);
        take(&catalogue, "often", &[NOW - 500_000, NOW - 5000, NOW - 5000, NOW - 5000]);
        take(&catalogue, "lately", &[NOW - 100]);
        take(&catalogue, "long ago", &[NOW - 10_000_000]);
        take(&catalogue, "no time", &[NO_TIME]);
        catalogue.put(&"set".parse().unwrap(), ItemData::default(), NOW);
        let orders = Ladder::default().orders(&catalogue, &Histories::default(), NOW, GENERATION);
        assert_eq!(names(&catalogue, orders.rung(Source::Trending)), ["lately", "often"]);
        assert_eq!(names(&catalogue, orders.rung(Source::Popular)), ["often", "lately", "long ago", "no time"]);
        assert_eq!(names(&catalogue, orders.rung(Source::Newest)), ["set", "lately", "often", "long ago", "no time"]);
        assert_eq!(orders.rung(Source::Popular)[0].1, 4.0);
        assert_eq!(orders.rung(Source::Newest)[0].1, 1.0);
        assert!(orders.rung(Source::Personal).is_empty());
        assert!((orders.rung(Source::Trending)[0].1 - 0.933).abs() < 1e-3);
    }

    #[test]
    fn a_small_catalogue_is_never_behind_and_a_large_one_at_most_a_second() {
        let (catalogue, histories, ladder) = (Catalogue::new(1000), Histories::default(), Ladder::default());
        let newest = |now_ms| {
            let orders = ladder.orders(&catalogue, &histories, now_ms, GENERATION);
            names(&catalogue, orders.rung(Source::Newest)).first().cloned()
        };
        assert_eq!(newest(NOW), None);
        catalogue.put(&"first".parse().unwrap(), ItemData::default(), NOW);
        assert_eq!(newest(NOW).as_deref(), Some("first"));
        for item in 0..3000_i64 {
            catalogue.put(&item.into(), ItemData::default(), NOW + item);
        }
        assert_eq!(newest(NOW + 1000).as_deref(), Some("2999"));
        catalogue.put(&"late".parse().unwrap(), ItemData::default(), NOW + 5000);
        assert_eq!(newest(NOW + 1999).as_deref(), Some("2999"));
        assert_eq!(newest(NOW + 2000).as_deref(), Some("late"));
    }

    #[test]
    fn scores_that_depend_on_time_are_a_generation_behind_at_most() {
        let (catalogue, histories, ladder) = (Catalogue::new(GENERATION), Histories::default(), Ladder::default());
        take(&catalogue, "a", &[NOW]);
        let trend = |now_ms| ladder.orders(&catalogue, &histories, now_ms, GENERATION).rung(Source::Trending)[0].1;
        assert_eq!([trend(NOW), trend(NOW + GENERATION - 1), trend(NOW + GENERATION)], [1.0, 1.0, 0.5]);
    }
}
