//! What may be shown, as sets of items: hidden or deleted ones, windows of availability, categories.
//!
//! A reader takes the sets as they are and keeps them for as long as it chooses items; whoever changes an item meanwhile
//! changes a copy. Nobody waits for anybody.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use roaring::RoaringBitmap;

use super::ids::ItemIndex;
use super::item::ItemData;

/// When an item is available, beside being hidden: from the first time to before the second, milliseconds of the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Window {
    from_ms: Option<i64>,
    until_ms: Option<i64>,
}

/// The sets.
#[derive(Debug, Clone, Default)]
pub struct Shelves {
    withheld: Arc<RoaringBitmap>,
    windows: Arc<HashMap<ItemIndex, Window>>,
    /// The times at which windows begin or end, with the item.
    edges: Arc<BTreeSet<(i64, u32)>>,
    categories: Arc<HashMap<String, Arc<RoaringBitmap>>>,
}

impl Shelves {
    /// Puts an item where its new data say, and takes it away from where the old ones did.
    pub(super) fn place(&mut self, item: ItemIndex, old: &ItemData, new: &ItemData, deleted: bool) {
        let withheld = new.hidden || deleted;
        if withheld != self.withheld.contains(item.0) {
            let set = Arc::make_mut(&mut self.withheld);
            if withheld {
                set.insert(item.0)
            } else {
                set.remove(item.0)
            };
        }
        let window = Window { from_ms: new.available_from_ms, until_ms: new.available_until_ms };
        let before = self.windows.get(&item).copied().unwrap_or(Window::ALWAYS);
        if before != window {
            let edges = Arc::make_mut(&mut self.edges);
            for edge in before.edges() {
                edges.remove(&(edge, item.0));
            }
            edges.extend(window.edges().map(|edge| (edge, item.0)));
            let windows = Arc::make_mut(&mut self.windows);
            if window == Window::ALWAYS {
                windows.remove(&item)
            } else {
                windows.insert(item, window)
            };
        }
        if old.categories != new.categories {
            let categories = Arc::make_mut(&mut self.categories);
            for category in &old.categories {
                if let Some(set) = categories.get_mut(category) {
                    Arc::make_mut(set).remove(item.0);
                    if set.is_empty() {
                        categories.remove(category);
                    }
                }
            }
            for category in &new.categories {
                Arc::make_mut(categories.entry(category.clone()).or_default()).insert(item.0);
            }
        }
    }

    /// The next time after `now_ms` at which a window begins or ends; [`i64::MAX`] where there is none.
    #[must_use]
    pub fn next_change_ms(&self, now_ms: i64) -> i64 {
        self.edges.range((now_ms.saturating_add(1), 0)..).next().map_or(i64::MAX, |&(edge, _)| edge)
    }

    /// What a question for items of at least one of `categories` may show at `now_ms`; no category means all.
    #[must_use]
    pub fn filter(&self, categories: &[String], now_ms: i64) -> Filter {
        let set = |category: &String| self.categories.get(category).cloned().unwrap_or_default();
        let wanted = match categories {
            [] => None,
            [one] => Some(set(one)),
            some => Some(Arc::new(some.iter().fold(RoaringBitmap::new(), |all, category| all | &*set(category)))),
        };
        Filter { withheld: self.withheld.clone(), windows: self.windows.clone(), wanted, now_ms }
    }
}

/// What one question may show.
#[derive(Debug, Clone)]
pub struct Filter {
    withheld: Arc<RoaringBitmap>,
    windows: Arc<HashMap<ItemIndex, Window>>,
    /// The items of the categories asked for, where some are.
    wanted: Option<Arc<RoaringBitmap>>,
    now_ms: i64,
}

impl Filter {
    /// Whether the item is available now and of a category asked for.
    #[must_use]
    pub fn keeps(&self, item: ItemIndex) -> bool {
        self.wanted.as_ref().is_none_or(|wanted| wanted.contains(item.0))
            && !self.withheld.contains(item.0)
            && self.windows.get(&item).is_none_or(|window| window.holds(self.now_ms))
    }

    /// The items of the categories asked for, where some are and they have at most `most` items.
    #[must_use]
    pub fn few(&self, most: usize) -> Option<Vec<ItemIndex>> {
        let wanted = self.wanted.as_ref().filter(|wanted| wanted.len() <= most as u64)?;
        Some(wanted.iter().map(ItemIndex).collect())
    }
}

impl Window {
    const ALWAYS: Self = Self { from_ms: None, until_ms: None };

    fn edges(self) -> impl Iterator<Item = i64> {
        self.from_ms.into_iter().chain(self.until_ms)
    }

    fn holds(self, now_ms: i64) -> bool {
        self.from_ms.is_none_or(|from| from <= now_ms) && self.until_ms.is_none_or(|until| now_ms < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn data() -> impl Strategy<Value = (ItemData, bool)> {
        let names = prop::sample::subsequence(vec!["a", "b", "c"], 0..=3);
        let time = || prop::option::of(0..6_i64);
        (names, prop::bool::ANY, time(), time(), prop::bool::weighted(0.2)).prop_map(
            |(names, hidden, from, until, gone)| {
                let categories = names.into_iter().map(str::to_owned).collect();
                let (available_from_ms, available_until_ms) = (from, until);
                (ItemData { categories, hidden, available_from_ms, available_until_ms, attributes: None }, gone)
            },
        )
    }

    proptest! {
        #[test]
        fn the_sets_say_what_the_data_say(
            changes in prop::collection::vec((0..5_u32, data()), 0..30),
            asked in prop::sample::subsequence(vec!["a", "b", "c", "d"], 0..=3),
            now in 0..6_i64,
        ) {
            let mut shelves = Shelves::default();
            let mut items = vec![(ItemData::default(), false); 5];
            for (item, (data, gone)) in changes {
                let old = std::mem::replace(&mut items[item as usize], (data.clone(), gone));
                shelves.place(ItemIndex(item), &old.0, &data, gone);
            }
            let asked: Vec<String> = asked.into_iter().map(str::to_owned).collect();
            let filter = shelves.filter(&asked, now);
            for (item, (data, gone)) in (0..).zip(&items) {
                let of_category = asked.is_empty() || data.categories.iter().any(|one| asked.contains(one));
                prop_assert_eq!(filter.keeps(ItemIndex(item)), of_category && !gone && data.available(now));
            }
            if let Some(few) = filter.few(2) {
                prop_assert!(!asked.is_empty() && few.len() <= 2);
            }
        }
    }
}
