//! Who took what and how much, by user and by item, and how often two items were taken by one user.

#![expect(clippy::indexing_slicing, reason = "users and items are dense indices of the dataset")]

use crate::model::dataset::{Dataset, Pair};
use crate::model::interactions::starts;

/// The least strength of a pair that counts at all, so that products of two stay above 0.
const FAINTEST: f32 = 1e-6;

/// The pairs of positive weight in both directions; 16 bytes a pair.
pub struct Taken {
    /// `user_starts[u]..user_starts[u + 1]` are the items of user `u`.
    user_starts: Vec<usize>,
    /// By user, ascending.
    items: Vec<u32>,
    /// How much of a taking each of them is, above 0, 1 at most.
    strengths: Vec<f32>,
    /// `item_starts[i]..item_starts[i + 1]` are the takers of item `i`.
    item_starts: Vec<usize>,
    /// By item: the user and the item's place among that user's items.
    takers: Vec<(u32, u32)>,
}

impl Taken {
    /// Reads the pairs of positive weight; of a user with more than `most` of them only those taken last count,
    /// since the work grows with the square of a user's pairs.
    pub fn new(data: &Dataset, most: usize) -> Self {
        let mut user_starts = Vec::with_capacity(data.users() + 1);
        user_starts.push(0);
        let mut items: Vec<u32> = Vec::with_capacity(data.pairs.len());
        let mut strengths: Vec<f32> = Vec::with_capacity(data.pairs.len());
        for user in 0..data.users() {
            let positive = |pair: &Pair| pair.weight > 0.0;
            let mut pairs: Vec<Pair> = data.of(user).iter().copied().filter(positive).collect();
            if pairs.len() > most {
                let mut dated = data.dated(user);
                dated.retain(|(pair, _)| positive(pair));
                dated.sort_unstable_by_key(|&(pair, last_ms)| (std::cmp::Reverse(last_ms), pair.item));
                pairs = dated.into_iter().take(most).map(|(pair, _)| pair).collect();
            }
            pairs.sort_unstable_by_key(|pair| pair.item);
            for pair in pairs {
                items.push(pair.item);
                strengths.push(pair.strength().max(FAINTEST));
            }
            user_starts.push(items.len());
        }
        let item_starts = starts(&items, data.items());
        let mut next = item_starts.clone();
        let mut takers = vec![(0, 0); items.len()];
        for (user, bounds) in (0_u32..).zip(user_starts.windows(2)) {
            for (place, &item) in (0_u32..).zip(&items[bounds[0]..bounds[1]]) {
                takers[next[item as usize]] = (user, place);
                next[item as usize] += 1;
            }
        }
        Self { user_starts, items, strengths, item_starts, takers }
    }

    /// The squared strengths of `item`'s takings, summed: how many users took it, where all took it whole.
    pub fn mass(&self, item: usize) -> f64 {
        let takers = &self.takers[self.item_starts[item]..self.item_starts[item + 1]];
        let strength = |&(user, place): &(u32, u32)| self.strengths[self.user_starts[user as usize] + place as usize];
        takers.iter().map(|taker| f64::from(strength(taker)).powi(2)).sum()
    }

    /// Calls `add` with each item that a taker of `item` took and the product of the two strengths, once per such user;
    /// only items from `item` on where `half` is set.
    pub fn each_with(&self, item: usize, half: bool, mut add: impl FnMut(usize, f32)) {
        for &(user, place) in &self.takers[self.item_starts[item]..self.item_starts[item + 1]] {
            let user = user as usize;
            let own = self.user_starts[user] + place as usize;
            let others = if half { own } else { self.user_starts[user] }..self.user_starts[user + 1];
            let strength = self.strengths[own];
            for (&other, &with) in self.items[others.clone()].iter().zip(&self.strengths[others]) {
                add(other as usize, strength * with);
            }
        }
    }
}
