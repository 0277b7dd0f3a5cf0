//! The protocols: which rows are learnt from, which items are held out.
//!
//! A pair's rows go together: the rows of a held-out pair are gone from train, every one of them, while a train pair keeps
//! all its rows, since repeats and weights are what some kinds learn from (`neural-cf` learns counts). Protocols speak of
//! pairs, so that how often a pair is repeated changes no figure by itself. Pairs that dislikes prevail in (a negative sum
//! of weights) are never held out: nobody should be recommended them.
#![expect(clippy::indexing_slicing, reason = "rows index their own columns, users and items their id tables")]

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::model::interactions::{Interactions, NO_TIME};
use crate::model::selection::Selection;

/// The seed of the draw where there are no times.
const DRAW_SEED: u64 = 42;

/// The fewest test users for which `auto` takes `temporal`.
const TEMPORAL_USERS: usize = 200;

/// Which rows are learnt from and which are held out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// `temporal` where there are times and at least 200 test users, else `leave-last-out`; never the protocol of a [`Split`].
    #[default]
    Auto,
    /// Each user's last item is held out.
    LeaveLastOut,
    /// What came after a point in time is held out.
    Temporal,
    /// Train and test were given.
    Holdout,
}

impl Protocol {
    /// Its name, as in `leave-last-out`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::LeaveLastOut => "leave-last-out",
            Self::Temporal => "temporal",
            Self::Holdout => "holdout",
        }
    }

    /// Divides `rows`; [`Self::Holdout`] divides like [`Self::Auto`], since its split is [`super::given::holdout`]'s.
    #[must_use]
    pub fn split(self, rows: impl Into<Selection>) -> Split {
        match self {
            Self::Auto | Self::Holdout => auto(rows),
            Self::LeaveLastOut => leave_last_out(rows),
            Self::Temporal => temporal(rows),
        }
    }
}

impl std::fmt::Display for Protocol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// One user's held-out items.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TestUser {
    /// Index into the train rows' `user_ids`.
    pub user: u32,
    /// Distinct indices into the train rows' `item_ids`; an item may have no row in train.
    pub items: Vec<u32>,
    /// The only items that are ranked, the held-out one among them (a published comparison); empty: the whole catalogue.
    pub given: Vec<u32>,
}

/// Rows to learn from and items held out, in the same ids.
#[derive(Debug, Clone)]
pub struct Split {
    /// How it was divided.
    pub protocol: Protocol,
    /// How a validation part is divided from train.
    pub validation: Protocol,
    /// What is learnt from.
    pub train: Selection,
    /// Users with something held out, in order of index.
    pub test: Vec<TestUser>,
    /// What was to be held out and was not.
    pub dropped: Dropped,
}

/// Shares of what was to be held out that were dropped, 0 to 1 each.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Dropped {
    /// Of the pairs: for a user or an item that train never saw (`temporal`), or because train has the pair itself
    /// (`holdout`).
    pub pairs: f64,
    /// Of the users of such pairs: those that train never saw (`temporal`).
    pub users: f64,
    /// Of the items of such pairs: those that train never saw (`temporal`).
    pub items: f64,
}

impl Split {
    /// A validation part: train divided anew by the same protocol.
    #[must_use]
    pub fn validation(&self) -> Self {
        self.validation.split(&self.train)
    }
}

/// One user's dealings with one item.
pub(super) struct PairRows<'a> {
    pub(super) user: u32,
    pub(super) item: u32,
    /// The rows' numbers, in the order of the file.
    rows: &'a [u32],
}

impl PairRows<'_> {
    fn first_row(&self) -> u32 {
        self.rows.first().copied().unwrap_or(0)
    }

    /// The earliest time; a row without one counts as earlier than all.
    fn first_time(&self, all: &Interactions) -> i64 {
        self.rows.iter().map(|&row| all.times[row as usize]).min().unwrap_or(NO_TIME)
    }

    pub(super) fn liked(&self, all: &Interactions) -> bool {
        self.rows.iter().map(|&row| f64::from(all.weights[row as usize])).sum::<f64>() >= 0.0
    }
}

/// User `user`'s pairs in order of item, their rows sorted in `rows`.
pub(super) fn pairs<'a>(all: &'a Selection, user: usize, rows: &'a mut Vec<u32>) -> impl Iterator<Item = PairRows<'a>> {
    let items = &all.table().items;
    rows.clear();
    rows.extend_from_slice(all.of(user));
    rows.sort_unstable_by_key(|&row| (items[row as usize], row));
    let pair = move |rows: &'a [u32]| PairRows { user: user as u32, item: items[rows[0] as usize], rows };
    rows.chunk_by(|&a, &b| items[a as usize] == items[b as usize]).map(pair)
}

/// Keeps each pair's first row of the file for the order, and holds out each user's last pair by (time, row); a user
/// with one pair has none. Where none of a user's rows has a time, the pair is drawn by a hash of the user's id with the
/// seed 42, so that the draw does not hang on the order of users.
#[must_use]
pub fn leave_last_out(rows: impl Into<Selection>) -> Split {
    let all = rows.into();
    let rows = all.table().as_ref();
    let mut held_out = vec![false; rows.len()];
    let mut test = Vec::new();
    let mut sorted = Vec::new();
    for user in 0..all.users() {
        let mut own: Vec<PairRows<'_>> = pairs(&all, user, &mut sorted).collect();
        if own.len() < 2 {
            continue;
        }
        own.retain(|pair| pair.liked(rows));
        let place = |pair: &PairRows<'_>| (rows.times[pair.first_row() as usize], pair.first_row());
        own.sort_unstable_by_key(place);
        let Some(last) = own.last() else { continue };
        let drawn = if place(last).0 == NO_TIME {
            let id = rows.user_ids[last.user as usize].as_str();
            &own[(xxh3_64_with_seed(id.as_bytes(), DRAW_SEED) % own.len() as u64) as usize]
        } else {
            last
        };
        for &row in drawn.rows {
            held_out[row as usize] = true;
        }
        test.push(TestUser { user: drawn.user, items: vec![drawn.item], given: Vec::new() });
    }
    Split {
        protocol: Protocol::LeaveLastOut,
        validation: Protocol::LeaveLastOut,
        train: all.filtered(|row| !held_out[row]),
        test,
        dropped: Dropped::default(),
    }
}

/// Cuts at the 90 % quantile of the pairs' first times, as [`after`] does.
#[must_use]
pub fn temporal(rows: impl Into<Selection>) -> Split {
    let all = rows.into();
    let rows = all.table().as_ref();
    let (mut times, mut sorted) = (Vec::with_capacity(all.len()), Vec::new());
    for user in 0..all.users() {
        let first = pairs(&all, user, &mut sorted).map(|pair| pair.first_time(rows));
        times.extend(first.filter(|&time| time != NO_TIME));
    }
    // The lower neighbour of the interpolated quantile divides the pairs as the quantile itself does.
    let at = times.len().saturating_sub(1) * 9 / 10;
    let cut = if times.is_empty() { i64::MAX } else { *times.select_nth_unstable(at).1 };
    drop(times);
    after(all, cut)
}

/// Rows up to the time `cut`, in milliseconds of the epoch, are train, and the test items of a user are those first taken
/// after it. Rows without a time count as before. What train never saw is dropped.
#[must_use]
pub fn after(rows: impl Into<Selection>, cut: i64) -> Split {
    let all = rows.into();
    let rows = all.table().as_ref();
    let mut sorted = Vec::new();
    let train = all.filtered(|row| rows.times[row] <= cut);
    let user_seen: Vec<bool> = (0..train.users()).map(|user| !train.of(user).is_empty()).collect();
    let item_seen = train.items_seen();
    let mut test: Vec<TestUser> = Vec::new();
    let (mut after, mut dropped) = (0_u64, 0_u64);
    let (mut users, mut items) = (vec![false; user_seen.len()], vec![false; item_seen.len()]);
    for user in 0..all.users() {
        let mut held_out = TestUser { user: user as u32, ..TestUser::default() };
        for pair in pairs(&all, user, &mut sorted).filter(|pair| pair.first_time(rows) > cut && pair.liked(rows)) {
            after += 1;
            users[user] = true;
            items[pair.item as usize] = true;
            if user_seen[user] && item_seen[pair.item as usize] {
                held_out.items.push(pair.item);
            } else {
                dropped += 1;
            }
        }
        if !held_out.items.is_empty() {
            test.push(held_out);
        }
    }
    let dropped =
        Dropped { pairs: share(dropped, after), users: unseen(&users, &user_seen), items: unseen(&items, &item_seen) };
    Split { protocol: Protocol::Temporal, validation: Protocol::Temporal, train, test, dropped }
}

/// [`temporal`] where there are times and at least 200 test users, else [`leave_last_out`].
#[must_use]
pub fn auto(rows: impl Into<Selection>) -> Split {
    let rows = rows.into();
    if rows.times().any(|time| time != NO_TIME) {
        let split = temporal(&rows);
        if split.test.len() >= TEMPORAL_USERS {
            return split;
        }
    }
    leave_last_out(rows)
}

/// The share of those `wanted` that were not `seen`.
fn unseen(wanted: &[bool], seen: &[bool]) -> f64 {
    let unseen = wanted.iter().zip(seen).filter(|&(&wanted, &seen)| wanted && !seen).count();
    share(unseen as u64, wanted.iter().filter(|&&wanted| wanted).count() as u64)
}

pub(super) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
#[path = "split_tests.rs"]
pub(crate) mod tests;
