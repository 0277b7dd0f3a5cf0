//! Published splits: train and test files, and held-out items with the negatives they are ranked among.
#![expect(clippy::indexing_slicing, reason = "rows index their own columns, users and items their id tables")]

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::split::{Dropped, Protocol, Split, TestUser, pairs, share};
use crate::model::ids::{ItemId, UserId};
use crate::model::interactions::Interactions;
use crate::model::selection::Selection;

/// Train and test as they are given, by id. A pair that both have is dropped from test, since lists leave train items
/// out; users and items that train never saw stay. The validation part is cut by time where all of test is later than
/// train, else each user's last item.
#[must_use]
pub fn holdout(train: &Interactions, test: &Interactions) -> Split {
    let mut ids = Ids::of(train);
    let known: HashSet<(u32, u32)> = train.users.iter().copied().zip(train.items.iter().copied()).collect();
    let (by_user, mut sorted) = (Selection::from(test.clone()), Vec::new());
    let mut held_out_of: Vec<TestUser> = Vec::new();
    let (mut wanted, mut dropped) = (0_u64, 0_u64);
    for user in 0..by_user.users() {
        let mut held_out = TestUser::default();
        for pair in pairs(&by_user, user, &mut sorted).filter(|pair| pair.liked(test)) {
            wanted += 1;
            held_out.user = ids.user(&test.user_ids[pair.user as usize]);
            let item = ids.item(&test.item_ids[pair.item as usize]);
            if known.contains(&(held_out.user, item)) {
                dropped += 1;
            } else {
                held_out.items.push(item);
            }
        }
        if !held_out.items.is_empty() {
            held_out_of.push(held_out);
        }
    }
    held_out_of.sort_unstable_by_key(|user| user.user);
    let later = match (train.time_range(), test.time_range()) {
        (Some((_, last)), Some((first, _))) => last <= first,
        _ => false,
    };
    let validation = if later { Protocol::Temporal } else { Protocol::LeaveLastOut };
    Split {
        protocol: Protocol::Holdout,
        validation,
        train: ids.with_rows(train).into(),
        test: held_out_of,
        dropped: Dropped { pairs: share(dropped, wanted), ..Dropped::default() },
    }
}

/// One row of a published comparison: the held-out item is ranked among the negatives only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Negatives {
    /// Who is asked for.
    pub user: UserId,
    /// The held-out item.
    pub positive: ItemId,
    /// The items it is ranked among, 99 in the published comparisons.
    pub negatives: Vec<ItemId>,
}

/// Each row's positive held out and ranked among the row's negatives only; the positives' rows are taken out of train.
#[must_use]
pub fn with_negatives(train: &Interactions, lists: &[Negatives]) -> Split {
    let mut ids = Ids::of(train);
    let mut test = Vec::with_capacity(lists.len());
    for list in lists {
        let positive = ids.item(&list.positive);
        let mut given: Vec<u32> = list.negatives.iter().map(|item| ids.item(item)).collect();
        given.push(positive);
        given.sort_unstable();
        given.dedup();
        test.push(TestUser { user: ids.user(&list.user), items: vec![positive], given });
    }
    test.sort_by_key(|user| user.user);
    let held_out: HashSet<(u32, u32)> =
        test.iter().flat_map(|user| user.items.iter().map(|&item| (user.user, item))).collect();
    let all = ids.with_rows(train);
    let (users, items) = (all.users.clone(), all.items.clone());
    let train = Selection::from(all).filtered(|row| !held_out.contains(&(users[row], items[row])));
    Split { protocol: Protocol::Holdout, validation: Protocol::LeaveLastOut, train, test, dropped: Dropped::default() }
}

/// Train's id tables, to which those of test are added at the end.
pub(super) struct Ids {
    users: Vec<UserId>,
    items: Vec<ItemId>,
    user_at: HashMap<UserId, u32>,
    item_at: HashMap<ItemId, u32>,
}

impl Ids {
    pub(super) fn of(rows: &Interactions) -> Self {
        Self {
            users: rows.user_ids.to_vec(),
            items: rows.item_ids.to_vec(),
            user_at: rows.user_ids.iter().cloned().zip(0..).collect(),
            item_at: rows.item_ids.iter().cloned().zip(0..).collect(),
        }
    }

    pub(super) fn user(&mut self, id: &UserId) -> u32 {
        place(&mut self.users, &mut self.user_at, id)
    }

    pub(super) fn item(&mut self, id: &ItemId) -> u32 {
        place(&mut self.items, &mut self.item_at, id)
    }

    pub(super) fn with_rows(self, rows: &Interactions) -> Interactions {
        Interactions { user_ids: Arc::new(self.users), item_ids: Arc::new(self.items), ..rows.clone() }
    }
}

fn place<Id: Clone + Eq + std::hash::Hash>(ids: &mut Vec<Id>, at: &mut HashMap<Id, u32>, id: &Id) -> u32 {
    if let Some(&known) = at.get(id) {
        return known;
    }
    let index = u32::try_from(ids.len()).unwrap_or(u32::MAX);
    ids.push(id.clone());
    at.insert(id.clone(), index);
    index
}
