//! Interactions made ready for training: one entry per (user, item) pair, by user.
#![expect(clippy::indexing_slicing, reason = "users and items are dense indices, and the tables have their lengths")]

use std::sync::Arc;

use super::ids::{ItemId, UserId};
use super::interactions::NO_TIME;
use super::selection::Selection;

/// One user's dealings with one item, all events joined.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// The item's index.
    pub item: u32,
    /// The sum of the weights; negative when dislikes prevail.
    pub weight: f32,
    /// The first time, or [`NO_TIME`]. The last is [`Dataset::dated`]'s, since few ask for it.
    pub first_ms: i64,
}

impl Pair {
    /// How much of a taking it is, 0 to 1: a purchase is a whole one however often it is repeated, a view a small part of
    /// one, a dislike none.
    #[must_use]
    pub const fn strength(&self) -> f32 {
        self.weight.clamp(0.0, 1.0)
    }
}

/// Pairs by user (compressed rows).
///
/// Only items and users with at least one row have an index: indices are dense, and the ids are those of the rows kept.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// `offsets[u]..offsets[u + 1]` are the pairs of user `u`; one longer than the users.
    pub offsets: Vec<usize>,
    /// The pairs, by user, then in order of the pair's first row.
    pub pairs: Vec<Pair>,
    /// The latest time of any row, or [`NO_TIME`].
    pub last_ms: i64,
    /// The users by index.
    pub user_ids: Arc<Vec<UserId>>,
    /// The items by index.
    pub item_ids: Arc<Vec<ItemId>>,
    /// `id_order[i]` is item `i`'s place among all items in string order of ids: how ties are broken.
    pub id_order: Vec<u32>,
    /// The rows that were joined.
    pub source: Selection,
    /// The index in the source's table of each user here.
    pub source_users: Vec<u32>,
    /// The index here of each item of the source's table, [`u32::MAX`] where it has no row.
    pub item_of_source: Vec<u32>,
}

impl Dataset {
    /// Joins the rows to pairs and makes the indices dense.
    #[must_use]
    pub fn new(source: impl Into<Selection>) -> Self {
        let source = source.into();
        let rows = source.table().clone();
        let occurs = |&user: &u32| !source.of(user as usize).is_empty();
        let source_users: Vec<u32> = (0..).take(rows.user_ids.len()).filter(occurs).collect();
        let (source_items, item_of_source) = dense(&source.items_seen());
        let user_ids: Vec<UserId> = source_users.iter().map(|&u| rows.user_ids[u as usize].clone()).collect();
        let item_ids: Vec<ItemId> = source_items.iter().map(|&i| rows.item_ids[i as usize].clone()).collect();

        let mut offsets = Vec::with_capacity(user_ids.len() + 1);
        offsets.push(0);
        let mut pairs: Vec<Pair> = Vec::with_capacity(source.len());
        let mut place = vec![usize::MAX; item_ids.len()];
        for &user in &source_users {
            let (user, first) = (user as usize, pairs.len());
            for &row in source.of(user) {
                let row = row as usize;
                let item = item_of_source[rows.items[row] as usize];
                join(&mut pairs, first, &mut place[item as usize], item, rows.weights[row], rows.times[row]);
            }
            for pair in &pairs[first..] {
                place[pair.item as usize] = usize::MAX;
            }
            offsets.push(pairs.len());
        }

        let id_order = string_order(&item_ids);
        Self {
            offsets,
            pairs,
            last_ms: source.times().max().unwrap_or(NO_TIME),
            user_ids: Arc::new(user_ids),
            item_ids: Arc::new(item_ids),
            id_order,
            source,
            source_users,
            item_of_source,
        }
    }

    /// Number of users.
    #[must_use]
    pub fn users(&self) -> usize {
        self.user_ids.len()
    }

    /// Number of items.
    #[must_use]
    pub fn items(&self) -> usize {
        self.item_ids.len()
    }

    /// The pairs of user `user`.
    #[must_use]
    pub fn of(&self, user: usize) -> &[Pair] {
        &self.pairs[self.offsets[user]..self.offsets[user + 1]]
    }

    /// The pairs of user `user`, each with its last time, or [`NO_TIME`]; read from the rows.
    #[must_use]
    pub fn dated(&self, user: usize) -> Vec<(Pair, i64)> {
        let mut dated: Vec<(Pair, i64)> = self.of(user).iter().map(|&pair| (pair, NO_TIME)).collect();
        let mut places: Vec<(u32, usize)> =
            dated.iter().zip(0..).map(|((pair, _), place)| (pair.item, place)).collect();
        places.sort_unstable();
        let rows = self.source.table();
        for &row in self.source.of(self.source_users[user] as usize) {
            let item = self.item_of_source[rows.items[row as usize] as usize];
            if let Ok(at) = places.binary_search_by_key(&item, |&(item, _)| item) {
                let last = &mut dated[places[at].1].1;
                *last = rows.times[row as usize].max(*last);
            }
        }
        dated
    }
}

/// Adds a row to the pair of its item, which begins at or after `first`; `place` is where that pair stands.
fn join(pairs: &mut Vec<Pair>, first: usize, place: &mut usize, item: u32, weight: f32, time: i64) {
    if *place == usize::MAX || *place < first {
        *place = pairs.len();
        pairs.push(Pair { item, weight, first_ms: time });
        return;
    }
    let pair = &mut pairs[*place];
    pair.weight += weight;
    if time != NO_TIME {
        pair.first_ms = if pair.first_ms == NO_TIME { time } else { pair.first_ms.min(time) };
    }
}

/// The sources that occur, in order of index, and the dense index of each source ([`u32::MAX`] where it does not occur).
fn dense(seen: &[bool]) -> (Vec<u32>, Vec<u32>) {
    let occurring: Vec<u32> = (0_u32..).zip(seen).filter_map(|(source, &seen)| seen.then_some(source)).collect();
    let mut dense_of = vec![u32::MAX; seen.len()];
    for (dense, &source) in (0_u32..).zip(&occurring) {
        dense_of[source as usize] = dense;
    }
    (occurring, dense_of)
}

/// Each item's place in the string order of the ids.
#[must_use]
pub fn string_order(ids: &[ItemId]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..u32::try_from(ids.len()).unwrap_or(u32::MAX)).collect();
    order.sort_by(|&a, &b| ids[a as usize].cmp(&ids[b as usize]));
    let mut places = vec![0; ids.len()];
    for (place, &item) in (0..).zip(&order) {
        places[item as usize] = place;
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::interactions::Interactions;

    #[test]
    fn rows_of_a_pair_are_joined_and_indices_are_dense() {
        let ids = |names: &[&str]| names.iter().map(|n| n.parse().unwrap()).collect::<Vec<ItemId>>();
        let mut rows = Interactions {
            user_ids: Arc::new(vec!["u".parse().unwrap(), "unseen".parse().unwrap(), "v".parse().unwrap()]),
            item_ids: Arc::new(ids(&["b", "unseen", "a"])),
            ..Interactions::default()
        };
        rows.push(2, 0, 1.0, 30);
        rows.push(0, 2, 1.0, 20);
        rows.push(0, 0, 1.0, 15);
        rows.push(0, 2, 2.0, 10);
        let data = Dataset::new(rows);
        assert_eq!(data.user_ids.iter().map(UserId::as_str).collect::<Vec<_>>(), ["u", "v"]);
        assert_eq!(data.item_ids.iter().map(ItemId::as_str).collect::<Vec<_>>(), ["b", "a"]);
        assert_eq!(data.of(0)[0], Pair { item: 1, weight: 3.0, first_ms: 10 });
        assert_eq!(data.dated(0).iter().map(|&(_, last_ms)| last_ms).collect::<Vec<_>>(), [20, 15]);
        assert_eq!(data.of(0).len(), 2);
        assert_eq!(data.last_ms, 30);
        assert_eq!(data.id_order, [1, 0]);
    }
}
