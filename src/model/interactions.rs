//! Interactions in columns: what a snapshot freezes, a file holds and a split divides.
#![expect(clippy::indexing_slicing, reason = "the columns have one length")]

use std::sync::Arc;

use super::ids::{ItemId, UserId};

/// The time of an interaction that came without one.
pub const NO_TIME: i64 = i64::MIN;

/// Rows of (user, item, weight, time), a column each, with the ids that the indices stand for.
///
/// Rows of one user stand in the order in which they arrived; between users the order means nothing unless the
/// rows came from a file. 20 bytes a row, ids aside.
#[derive(Debug, Clone, Default)]
pub struct Interactions {
    /// Index into `user_ids`.
    pub users: Vec<u32>,
    /// Index into `item_ids`.
    pub items: Vec<u32>,
    /// Type weight times value; finite, negative for a dislike.
    pub weights: Vec<f32>,
    /// Milliseconds of the epoch, or [`NO_TIME`].
    pub times: Vec<i64>,
    /// The users, by index.
    pub user_ids: Arc<Vec<UserId>>,
    /// The items, by index.
    pub item_ids: Arc<Vec<ItemId>>,
}

impl Interactions {
    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.users.len()
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// No rows, with room for `rows`. Room that is never used costs addresses only; columns that grow by doubling would
    /// be held twice at each step.
    #[must_use]
    pub fn with_room(rows: usize, user_ids: Arc<Vec<UserId>>, item_ids: Arc<Vec<ItemId>>) -> Self {
        Self {
            users: Vec::with_capacity(rows),
            items: Vec::with_capacity(rows),
            weights: Vec::with_capacity(rows),
            times: Vec::with_capacity(rows),
            user_ids,
            item_ids,
        }
    }

    /// Adds a row.
    pub fn push(&mut self, user: u32, item: u32, weight: f32, time: i64) {
        self.users.push(user);
        self.items.push(item);
        self.weights.push(weight);
        self.times.push(time);
    }

    /// The rows for which `keep` holds, with the same ids and indices.
    #[must_use]
    pub fn filtered(&self, mut keep: impl FnMut(usize) -> bool) -> Self {
        let mut kept = Self::with_room(self.len(), self.user_ids.clone(), self.item_ids.clone());
        for row in 0..self.len() {
            if keep(row) {
                kept.push(self.users[row], self.items[row], self.weights[row], self.times[row]);
            }
        }
        kept
    }

    /// The earliest and the latest time, of the rows that have one.
    #[must_use]
    pub fn time_range(&self) -> Option<(i64, i64)> {
        let timed = || self.times.iter().copied().filter(|&time| time != NO_TIME);
        Some((timed().min()?, timed().max()?))
    }
}

/// Where each of `groups` groups begins when entries stand by group, `of` naming the group of each; one longer than the
/// groups.
#[must_use]
pub fn starts(of: &[u32], groups: usize) -> Vec<usize> {
    let mut starts = vec![0; groups + 1];
    for &group in of {
        starts[group as usize + 1] += 1;
    }
    for group in 0..groups {
        starts[group + 1] += starts[group];
    }
    starts
}

/// The places of the entries by group, those of one group in their order, `of` naming the group of each: [`starts`], and
/// the places from each start on. Sorted by counting.
#[must_use]
pub fn grouped(of: &[u32], groups: usize) -> (Vec<usize>, Vec<u32>) {
    let starts = starts(of, groups);
    let mut next = starts.clone();
    let mut places = vec![0; of.len()];
    for (place, &group) in (0..).zip(of) {
        let slot = &mut next[group as usize];
        places[*slot] = place;
        *slot += 1;
    }
    (starts, places)
}

/// Gives ids their indices, dense from 0 in order of first sight.
#[derive(Debug)]
pub struct Interner<Id> {
    ids: Vec<Id>,
    by_id: std::collections::HashMap<Id, u32>,
}

// Derived, it would ask for a default id, and there is none.
impl<Id> Default for Interner<Id> {
    fn default() -> Self {
        Self { ids: Vec::new(), by_id: std::collections::HashMap::new() }
    }
}

impl<Id: Clone + Eq + std::hash::Hash> Interner<Id> {
    /// The id's index, new or known.
    pub fn index(&mut self, id: &Id) -> u32 {
        if let Some(&known) = self.by_id.get(id) {
            return known;
        }
        let index = u32::try_from(self.ids.len()).unwrap_or(u32::MAX);
        self.ids.push(id.clone());
        self.by_id.insert(id.clone(), index);
        index
    }

    /// The ids by index.
    #[must_use]
    pub fn into_ids(self) -> Vec<Id> {
        self.ids
    }
}
