//! What is learnt from: parts of users' sequences, drawn anew each epoch.

#![expect(clippy::indexing_slicing, reason = "users and pairs are indices of the dataset")]

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, RngExt};

use super::steps::Step;
use crate::model::dataset::{Dataset, Pair};
use crate::model::interactions::NO_TIME;

/// A row is drawn per so many pairs of a user whose order counts, and at least one.
const PAIRS_PER_ROW: usize = 8;
/// As many where it does not count: what a row is to foretell is then a draw out of many, and more draws teach more.
const UNORDERED_PAIRS_PER_ROW: usize = 4;
/// Where the order does not count, at least this share of a user's pairs is the history of a row; on the original's data
/// both 0.5 and 0.9 were worse.
const LEAST_KNOWN: f64 = 0.7;
/// The most rows of one user in an epoch.
const MOST_ROWS: usize = 64;
/// The most items a row has to foretell.
const MOST_TARGETS: usize = 64;
/// The batches that are cut from one stretch of rows sorted by length, so that a batch is little padded.
const STRETCH: usize = 16;

/// What a history is asked to foretell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// What the user took next, up to so many items; users without times are learnt as by [`Self::Any`].
    Next(usize),
    /// Any part of what the user took, from the rest of it.
    Any,
}

/// A part of a user's sequence: the first `cut` of its pairs are the history.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    user: u32,
    cut: u32,
}

/// The users' pairs in order of their first time; pairs of weight 0 are left out.
pub struct Sequences<'a> {
    data: &'a Dataset,
    /// `starts[u]..starts[u + 1]` are the places in `pairs` of user `u`.
    starts: Vec<usize>,
    /// Indices into the dataset's pairs.
    pairs: Vec<u32>,
    /// By the dataset's pairs: the last time.
    last_ms: Vec<i64>,
    order: Order,
    /// The longest history.
    longest: usize,
}

impl<'a> Sequences<'a> {
    pub fn new(data: &'a Dataset, order: Order, longest: usize) -> Self {
        let (mut starts, mut pairs) = (vec![0], Vec::with_capacity(data.pairs.len()));
        let mut last_ms = Vec::with_capacity(data.pairs.len());
        for user in 0..data.users() {
            let from = pairs.len();
            let own = data.offsets[user]..data.offsets[user + 1];
            pairs.extend(own.filter(|&pair| weighs(&data.pairs[pair])).map(|pair| pair as u32));
            pairs[from..].sort_by_key(|&pair| data.pairs[pair as usize].first_ms);
            starts.push(pairs.len());
            last_ms.extend(data.dated(user).into_iter().map(|(_, last_ms)| last_ms));
        }
        Self { data, starts, pairs, last_ms, order, longest }
    }

    fn of(&self, user: usize) -> &[u32] {
        &self.pairs[self.starts[user]..self.starts[user + 1]]
    }

    fn pair(&self, index: u32) -> &Pair {
        &self.data.pairs[index as usize]
    }

    /// How often each item was liked.
    pub fn takers(&self) -> Vec<u32> {
        let mut takers = vec![0; self.data.items()];
        for pair in self.pairs.iter().map(|&pair| self.pair(pair)).filter(|pair| pair.weight > 0.0) {
            takers[pair.item as usize] += 1;
        }
        takers
    }

    /// The geometric mean of the weights, without their signs; 1 without a pair.
    pub fn typical(&self) -> f32 {
        let sum: f64 = self.pairs.iter().map(|&pair| f64::from(self.pair(pair).weight.abs()).ln()).sum();
        ((sum / self.pairs.len().max(1) as f64).exp() as f32).max(f32::MIN_POSITIVE)
    }

    /// Whether what the user takes next is foretold: where that is asked for and there are times.
    fn ordered(&self, user: usize) -> bool {
        let timed = self.of(user).last().is_some_and(|&last| self.pair(last).first_ms != NO_TIME);
        timed && self.order != Order::Any
    }

    /// An epoch's rows in batches of at most `batch`, of like length each, in random order.
    pub fn epoch(&self, batch: usize, rng: &mut StdRng) -> Vec<Vec<Row>> {
        let mut rows = Vec::new();
        for user in 0..self.data.users() {
            let length = self.of(user).len();
            if length >= 2 {
                let (least, per_row) = if self.ordered(user) {
                    (1, PAIRS_PER_ROW)
                } else {
                    (((length as f64 * LEAST_KNOWN) as usize).clamp(1, length - 1), UNORDERED_PAIRS_PER_ROW)
                };
                for _ in 0..length.div_ceil(per_row).min(MOST_ROWS) {
                    rows.push(Row { user: user as u32, cut: rng.random_range(least..length) as u32 });
                }
            }
        }
        rows.shuffle(rng);
        for stretch in rows.chunks_mut(batch * STRETCH) {
            stretch.sort_by_key(|row| (row.cut as usize).min(self.longest));
        }
        let mut batches: Vec<Vec<Row>> = rows.chunks(batch).map(<[Row]>::to_vec).collect();
        batches.shuffle(rng);
        batches
    }

    /// The history of a row and the items it is to foretell, of which there may be none.
    pub fn read(&self, row: Row, rng: &mut impl Rng) -> (Vec<Step>, Vec<u32>) {
        let own = self.of(row.user as usize);
        let cut = row.cut as usize;
        let mut mixed;
        let (before, after, at) = match self.order {
            Order::Next(most) if self.ordered(row.user as usize) => {
                let (before, after) = own.split_at(cut);
                let at = after.first().map_or(NO_TIME, |&next| self.pair(next).first_ms);
                (before, &after[..most.min(after.len())], at)
            }
            Order::Next(_) | Order::Any => {
                mixed = own.to_vec();
                mixed.shuffle(rng);
                let (before, after) = mixed.split_at(cut);
                (before, after, i64::MAX)
            }
        };
        // Of a pair only the first and the last time are kept: what is known of it at the cut is the later of them that
        // is not after the cut.
        let mut steps: Vec<Step> = before
            .iter()
            .map(|&index| (self.pair(index), self.last_ms[index as usize]))
            .map(|(pair, last_ms)| Step {
                item: pair.item,
                weight: pair.weight,
                time_ms: if last_ms <= at { last_ms } else { pair.first_ms },
            })
            .collect();
        steps.sort_by_key(|step| step.time_ms);
        steps.drain(..steps.len().saturating_sub(self.longest));
        let liked = after.iter().map(|&pair| self.pair(pair)).filter(|pair| pair.weight > 0.0);
        (steps, liked.map(|pair| pair.item).take(MOST_TARGETS).collect())
    }
}

fn weighs(pair: &Pair) -> bool {
    pair.weight != 0.0 && pair.weight.is_finite()
}
