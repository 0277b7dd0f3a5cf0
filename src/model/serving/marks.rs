//! A set of items that is emptied in no time.

use crate::model::ids::ItemIndex;

/// A set of catalogue items, four bytes for each item of the catalogue; made for one thread that uses it again and again.
#[derive(Debug, Default)]
pub(super) struct Marks {
    stamps: Vec<u32>,
    now: u32,
}

impl Marks {
    /// Empties the set; there is room for `items` items.
    pub(super) fn clear(&mut self, items: usize) {
        if self.stamps.len() < items {
            self.stamps.resize(items, 0);
        }
        self.now = self.now.wrapping_add(1);
        if self.now == 0 {
            self.stamps.fill(0);
            self.now = 1;
        }
    }

    /// Adds an item; answers whether it is new.
    pub(super) fn insert(&mut self, item: ItemIndex) -> bool {
        if self.stamps.len() <= item.at() {
            // An item that came after the set was emptied.
            self.stamps.resize(item.at() + 1, 0);
        }
        self.stamps.get_mut(item.at()).is_some_and(|stamp| std::mem::replace(stamp, self.now) != self.now)
    }

    /// Whether the item is in it.
    pub(super) fn contains(&self, item: ItemIndex) -> bool {
        self.stamps.get(item.at()) == Some(&self.now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clearing_empties_it_also_when_the_count_wraps() {
        let mut marks = Marks { stamps: vec![1; 3], now: u32::MAX };
        marks.clear(2);
        assert!(!marks.contains(ItemIndex(0)));
        assert!(marks.insert(ItemIndex(7)) && !marks.insert(ItemIndex(7)));
        assert!(marks.contains(ItemIndex(7)) && !marks.contains(ItemIndex(6)) && !marks.contains(ItemIndex(99)));
        marks.clear(0);
        assert!(!marks.contains(ItemIndex(7)));
    }
}
