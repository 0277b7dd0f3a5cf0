//! What groups of shoppers like, and how that drifts.
//!
//! A group's taste has a part that stays and a part that moves: every [`EPOCH`] events the moving part has become another
//! one altogether, evenly on the way.

#![expect(clippy::indexing_slicing, reason = "tables of groups and products, walked by their own lengths")]

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Groups of shoppers.
pub(super) const GROUPS: usize = 12;
/// Events after which the moving part of each taste is another one.
const EPOCH: u64 = 30_000;
/// In how many steps an epoch is walked.
const STEPS: u64 = 64;
/// Categories that a group likes for good, and for a while.
const STAYING: usize = 3;
const MOVING: usize = 2;
/// Share of the part that stays.
const STAYS: f64 = 0.7;
/// What a category counts that a group does not care for.
const INDIFFERENT: f64 = 0.01;

/// The tastes of all groups at one moment.
#[derive(Debug)]
pub(super) struct Tastes {
    seed: u64,
    categories: usize,
    per_category: usize,
    /// The moment, in steps; none before the first.
    step: Option<u64>,
    /// Running sums of the products' weights, a row for each group.
    sums: Vec<Vec<f64>>,
}

impl Tastes {
    /// Tastes for `categories` categories of `per_category` products each, numbered category by category.
    pub(super) fn new(seed: u64, categories: usize, per_category: usize) -> Self {
        Self { seed, categories, per_category, step: None, sums: Vec::new() }
    }

    /// Draws a product for a shopper of `group`, after `events` events in all.
    pub(super) fn draw(&mut self, group: usize, events: u64, random: &mut StdRng) -> usize {
        self.move_to(events);
        let sums = &self.sums[group % GROUPS];
        let total = sums.last().copied().unwrap_or(1.0);
        let point = random.random::<f64>() * total;
        sums.partition_point(|&sum| sum <= point).min(sums.len().saturating_sub(1))
    }

    fn move_to(&mut self, events: u64) {
        let step = events * STEPS / EPOCH;
        if self.step == Some(step) {
            return;
        }
        self.step = Some(step);
        let (epoch, way) = (step / STEPS, (step % STEPS) as f64 / STEPS as f64);
        self.sums = (0..GROUPS)
            .map(|group| {
                let stays = self.part(group, None);
                let (from, to) = (self.part(group, Some(epoch)), self.part(group, Some(epoch + 1)));
                let mut sum = 0.0;
                let weight = |at: usize| STAYS * stays[at] + (1.0 - STAYS) * ((1.0 - way) * from[at] + way * to[at]);
                (0..stays.len())
                    .map(|at| {
                        sum += weight(at);
                        sum
                    })
                    .collect()
            })
            .collect();
    }

    /// One part of a group's taste, adding up to 1: the staying one, or the moving one of an epoch.
    fn part(&self, group: usize, epoch: Option<u64>) -> Vec<f64> {
        let own = epoch.map_or(0, |epoch| 1 + epoch).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (group as u64) << 32;
        let mut random = StdRng::seed_from_u64(self.seed ^ own);
        let favourites: Vec<usize> = match epoch {
            // Dealt round, so that no category is liked by nearly everybody.
            None => (0..STAYING).map(|at| (group * STAYING + at) % self.categories).collect(),
            Some(_) => (0..MOVING).map(|_| random.random_range(0..self.categories)).collect(),
        };
        let mut weights = Vec::with_capacity(self.categories * self.per_category);
        for category in 0..self.categories {
            let liked = if favourites.contains(&category) { 1.0 } else { INDIFFERENT };
            for _ in 0..self.per_category {
                // Within a category a few products are loved and most are not.
                let luck = -random.random_range(f64::MIN_POSITIVE..1.0).ln();
                weights.push(liked * luck.powf(1.5));
            }
        }
        let total: f64 = weights.iter().sum();
        weights.iter().map(|weight| weight / total).collect()
    }
}
