//! Who took what, by user and by item, and how often two items were taken by one user.

#![expect(clippy::indexing_slicing, reason = "users and items are dense indices of the dataset")]

use crate::model::dataset::Dataset;

/// The pairs of positive weight in both directions; 12 bytes a pair.
pub struct Taken {
    /// `user_starts[u]..user_starts[u + 1]` are the items of user `u`.
    user_starts: Vec<usize>,
    /// By user, ascending.
    items: Vec<u32>,
    /// `item_starts[i]..item_starts[i + 1]` are the takers of item `i`.
    item_starts: Vec<usize>,
    /// By item: the user and the item's place among that user's items.
    takers: Vec<(u32, u32)>,
}

impl Taken {
    /// Reads the pairs of positive weight; of a user with more than `most` of them only the latest by `last_ms` count,
    /// since the work grows with the square of a user's pairs.
    pub fn new(data: &Dataset, most: usize) -> Self {
        let mut user_starts = Vec::with_capacity(data.users() + 1);
        user_starts.push(0);
        let mut items: Vec<u32> = Vec::with_capacity(data.pairs.len());
        let mut item_starts = vec![0_usize; data.items() + 1];
        for user in 0..data.users() {
            let mut pairs: Vec<(i64, u32)> =
                data.of(user).iter().filter(|pair| pair.weight > 0.0).map(|pair| (pair.last_ms, pair.item)).collect();
            if pairs.len() > most {
                pairs.sort_unstable_by_key(|&(last, item)| (std::cmp::Reverse(last), item));
                pairs.truncate(most);
            }
            let first = items.len();
            items.extend(pairs.iter().map(|&(_, item)| item));
            items[first..].sort_unstable();
            for &item in &items[first..] {
                item_starts[item as usize + 1] += 1;
            }
            user_starts.push(items.len());
        }
        for item in 0..data.items() {
            item_starts[item + 1] += item_starts[item];
        }
        let mut next = item_starts.clone();
        let mut takers = vec![(0, 0); items.len()];
        for (user, bounds) in (0_u32..).zip(user_starts.windows(2)) {
            for (place, &item) in (0_u32..).zip(&items[bounds[0]..bounds[1]]) {
                takers[next[item as usize]] = (user, place);
                next[item as usize] += 1;
            }
        }
        Self { user_starts, items, item_starts, takers }
    }

    /// How many users took `item`.
    pub fn takers(&self, item: usize) -> usize {
        self.item_starts[item + 1] - self.item_starts[item]
    }

    /// Calls `add` with each item that a taker of `item` took, once per such user; only items from `item` on where
    /// `half` is set.
    pub fn each_with(&self, item: usize, half: bool, mut add: impl FnMut(usize)) {
        for &(user, place) in &self.takers[self.item_starts[item]..self.item_starts[item + 1]] {
            let user = user as usize;
            let first = self.user_starts[user] + if half { place as usize } else { 0 };
            for &other in &self.items[first..self.user_starts[user + 1]] {
                add(other as usize);
            }
        }
    }
}
