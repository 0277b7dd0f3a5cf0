//! Every item, in memory, by dense index: ids, item data, how often it was taken and how lately.
//!
//! One writer, the ingestor; any number of readers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dashmap::DashMap;
use parking_lot::{RwLock, RwLockReadGuard};

use super::ids::{ItemId, ItemIndex};
use super::interactions::NO_TIME;
use super::item::ItemData;
use super::shelves::Shelves;

/// An item as the catalogue holds it.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The item's id.
    pub id: ItemId,
    /// What was set for it.
    pub data: Arc<ItemData>,
    /// Taken out by `DELETE`; never recommended until it is set again.
    pub deleted: bool,
    /// Events of positive weight.
    pub count: u64,
    /// The sum of these events' weights, each halved per half-life since it happened, as of `trend_ms`.
    pub trend: f64,
    /// The time that `trend` is as of, milliseconds of the epoch; [`NO_TIME`] before the first event with a time.
    pub trend_ms: i64,
    /// The first time it was seen, milliseconds of the epoch, or [`NO_TIME`].
    pub first_ms: i64,
}

impl Entry {
    /// Whether it may be recommended at `now_ms`.
    #[must_use]
    pub fn available(&self, now_ms: i64) -> bool {
        !self.deleted && self.data.available(now_ms)
    }

    fn count(&mut self, weight: f32, time_ms: i64, half_life_ms: i64) {
        if time_ms != NO_TIME && (self.first_ms == NO_TIME || time_ms < self.first_ms) {
            self.first_ms = time_ms;
        }
        if weight <= 0.0 {
            return;
        }
        self.count += 1;
        if time_ms == NO_TIME {
            return;
        }
        let weight = f64::from(weight);
        if self.trend_ms == NO_TIME || time_ms >= self.trend_ms {
            self.trend = self.trend_at(time_ms, half_life_ms) + weight;
            self.trend_ms = time_ms;
        } else {
            self.trend += weight * halvings(self.trend_ms - time_ms, half_life_ms);
        }
    }

    /// The trend as of `at_ms`.
    #[must_use]
    pub fn trend_at(&self, at_ms: i64, half_life_ms: i64) -> f64 {
        if self.trend_ms == NO_TIME { 0.0 } else { self.trend * halvings(at_ms - self.trend_ms, half_life_ms) }
    }
}

/// What is left after `elapsed_ms`: 1 at once, 0.5 after a half-life.
fn halvings(elapsed_ms: i64, half_life_ms: i64) -> f64 {
    (-(elapsed_ms as f64) / half_life_ms.max(1) as f64).exp2()
}

/// The catalogue.
#[derive(Debug)]
pub struct Catalogue {
    by_id: DashMap<ItemId, ItemIndex>,
    entries: RwLock<Vec<Entry>>,
    changes: AtomicU64,
    shelves: RwLock<Shelves>,
    half_life_ms: i64,
    /// Bytes of ids and item data.
    held: AtomicU64,
}

impl Catalogue {
    /// An empty catalogue whose trends halve every `half_life_ms` milliseconds.
    #[must_use]
    pub fn new(half_life_ms: i64) -> Self {
        Self {
            by_id: DashMap::new(),
            entries: RwLock::default(),
            changes: AtomicU64::new(0),
            shelves: RwLock::default(),
            half_life_ms,
            held: AtomicU64::new(0),
        }
    }

    /// The item's index, new or known.
    pub fn index(&self, id: &ItemId) -> ItemIndex {
        if let Some(known) = self.by_id.get(id) {
            return *known;
        }
        let mut entries = self.entries.write();
        *self.by_id.entry(id.clone()).or_insert_with(|| {
            let index = ItemIndex(u32::try_from(entries.len()).unwrap_or(u32::MAX));
            self.held.fetch_add(id.heap_bytes() as u64, Ordering::Relaxed);
            entries.push(Entry {
                id: id.clone(),
                data: Arc::default(),
                deleted: false,
                count: 0,
                trend: 0.0,
                trend_ms: NO_TIME,
                first_ms: NO_TIME,
            });
            index
        })
    }

    /// The item's index, if it was seen.
    #[must_use]
    pub fn known(&self, id: &ItemId) -> Option<ItemIndex> {
        self.by_id.get(id).map(|index| *index)
    }

    /// Counts an event of weight `weight` at `time_ms`; a dislike (a negative weight) is not counted.
    pub fn count(&self, item: ItemIndex, weight: f32, time_ms: i64) {
        self.count_all([(item, weight, time_ms)]);
    }

    /// Counts events as [`Self::count`] does, without letting others in between.
    pub fn count_all(&self, events: impl IntoIterator<Item = (ItemIndex, f32, i64)>) {
        let mut entries = self.entries.write();
        for (item, weight, time_ms) in events {
            if let Some(entry) = entries.get_mut(item.at()) {
                entry.count(weight, time_ms, self.half_life_ms);
            }
        }
    }

    /// Takes back what [`Self::count`] counted, for a user who is erased.
    pub fn uncount(&self, item: ItemIndex, weight: f32, time_ms: i64) {
        let mut entries = self.entries.write();
        let Some(entry) = entries.get_mut(item.at()) else { return };
        if weight <= 0.0 {
            return;
        }
        entry.count = entry.count.saturating_sub(1);
        if time_ms != NO_TIME && entry.trend_ms != NO_TIME {
            let part = f64::from(weight) * halvings(entry.trend_ms - time_ms, self.half_life_ms);
            entry.trend = (entry.trend - part).max(0.0);
        }
    }

    /// Sets an item's data; `first_ms` is when it was first heard of, if by this.
    pub fn put(&self, id: &ItemId, data: ItemData, first_ms: i64) {
        let index = self.index(id);
        if let Some(entry) = self.entries.write().get_mut(index.at()) {
            self.shelves.write().place(index, &entry.data, &data, false);
            self.hold(&entry.data, &data);
            entry.data = Arc::new(data);
            entry.deleted = false;
            if entry.first_ms == NO_TIME {
                entry.first_ms = first_ms;
            }
        }
        self.changes.fetch_add(1, Ordering::Release);
    }

    /// Takes an item out of every list until it is set again.
    pub fn delete(&self, id: &ItemId) {
        let index = self.index(id);
        if let Some(entry) = self.entries.write().get_mut(index.at()) {
            self.shelves.write().place(index, &entry.data, &ItemData::default(), true);
            self.hold(&entry.data, &ItemData::default());
            entry.data = Arc::default();
            entry.deleted = true;
        }
        self.changes.fetch_add(1, Ordering::Release);
    }

    /// Counts the bytes of item data that takes the place of other data.
    fn hold(&self, old: &ItemData, new: &ItemData) {
        self.held.fetch_add(new.bytes() as u64, Ordering::Relaxed);
        self.held.fetch_sub(old.bytes() as u64, Ordering::Relaxed);
    }

    /// About how many bytes all of it takes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let entries = self.entries.read().capacity() * size_of::<Entry>();
        let table = self.by_id.capacity() * (size_of::<(ItemId, ItemIndex)>() + 1);
        self.held.load(Ordering::Relaxed) + (entries + table) as u64
    }

    /// The entries by index; writers wait while the guard is held.
    pub fn entries(&self) -> RwLockReadGuard<'_, Vec<Entry>> {
        self.entries.read()
    }

    /// One entry.
    #[must_use]
    pub fn entry(&self, item: ItemIndex) -> Option<Entry> {
        self.entries.read().get(item.at()).cloned()
    }

    /// Number of items.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.read().len()
    }

    /// Whether there is no item.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Counts the changes of item data, so that what was derived from them is known to be stale.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// What may be shown, as it is now.
    #[must_use]
    pub fn shelves(&self) -> Shelves {
        self.shelves.read().clone()
    }

    /// The next time after `now_ms` at which an item may come to be available, or cease to, by its window alone;
    /// [`i64::MAX`] where there is none.
    #[must_use]
    pub fn next_change_ms(&self, now_ms: i64) -> i64 {
        self.shelves.read().next_change_ms(now_ms)
    }

    /// The half-life of trends, milliseconds.
    #[must_use]
    pub const fn half_life_ms(&self) -> i64 {
        self.half_life_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trend_is_the_same_whatever_the_order_of_arrival() {
        let (early, late) = (Catalogue::new(1000), Catalogue::new(1000));
        let id: ItemId = "a".parse().unwrap();
        let times = [0, 1000, 3000];
        for time in times {
            early.count(early.index(&id), 1.0, time);
        }
        for time in times.into_iter().rev() {
            late.count(late.index(&id), 1.0, time);
        }
        let trend = |c: &Catalogue| c.entry(ItemIndex(0)).map(|e| e.trend_at(3000, 1000)).unwrap_or_default();
        assert!((trend(&early) - 1.375).abs() < 1e-12);
        assert!((trend(&early) - trend(&late)).abs() < 1e-12);
    }

    #[test]
    fn a_deleted_item_comes_back_when_it_is_set_again() {
        let catalogue = Catalogue::new(1000);
        let id: ItemId = "a".parse().unwrap();
        catalogue.delete(&id);
        assert!(catalogue.entry(ItemIndex(0)).is_some_and(|e| !e.available(0)));
        catalogue.put(&id, ItemData::default(), 5);
        assert!(catalogue.entry(ItemIndex(0)).is_some_and(|e| e.available(0)));
    }

    #[test]
    fn bytes_are_those_of_the_data_that_is_there() {
        let catalogue = Catalogue::new(1000);
        let id: ItemId = "a".parse().unwrap();
        catalogue.index(&id);
        let bare = catalogue.bytes();
        let data = ItemData {
            categories: vec!["kitchen".to_owned()],
            attributes: Some(serde_json::json!({ "title": "a mug", "sizes": [1, 2, null], "in": { "stock": true } })),
            ..ItemData::default()
        };
        let bytes = data.bytes() as u64;
        assert!(bytes > 60, "{bytes}");
        for _ in 0..3 {
            catalogue.put(&id, data.clone(), 0);
            assert_eq!(catalogue.bytes(), bare + bytes);
        }
        catalogue.delete(&id);
        assert_eq!(catalogue.bytes(), bare);
    }
}
