//! The alternation: users given items, items given users.

#![expect(clippy::indexing_slicing, reason = "rows of known width")]

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::factors::{Factors, Limit, Work};
use super::positives::{Entries, Positives, Rows};
use super::{Ials, KIND};
use crate::model::candidates::warm::rows_in;
use crate::model::ids::ItemId;
use crate::model::kernels::{Simd, padded};
use crate::model::recommender::Fitted;
use crate::model::training::job::{FitError, Job};

/// Steps of conjugate gradients per row and iteration: a row begins where it was, and the preconditioner is good enough
/// that a second step brings less than another iteration.
const STEPS: usize = 1;

/// The standard deviation of a first score, as in Rendle et al.: factors begin at this over the root of their number.
const DEVIATION: f32 = 0.1;

/// Both sides' factors on their way to the minimum of the objective
/// `Σ_positives c (1 - u·i)² + α₀ Σ_all (u·i)² + λ (Σ_users (n + α₀ items)^ν |u|² + Σ_items (n + α₀ users)^ν |i|²)`,
/// with `c` a pair's confidence and `n` the number of positives of a user or item.
pub struct Alternation<'a> {
    recipe: &'a Ials,
    positives: &'a Positives<'a>,
    /// The users' factors.
    pub users: Factors,
    /// The items' factors.
    pub items: Factors,
}

impl<'a> Alternation<'a> {
    /// Begins from `items`, the items' factors, as wide as [`padded`] factors are; the users begin at 0.
    #[must_use]
    pub fn new(recipe: &'a Ials, positives: &'a Positives<'a>, simd: Simd, items: Vec<f32>) -> Self {
        let width = padded(recipe.factors);
        let users = vec![0.0; positives.by_user.len() * width];
        let (by_user, by_item) = (&positives.by_user, &positives.by_item);
        let users = Factors::new(simd, width, users, recipe.expected(by_item, by_user));
        let items = Factors::new(simd, width, items, recipe.expected(by_user, by_item));
        Self { recipe, positives, users, items }
    }

    /// One iteration: all users, then all items.
    ///
    /// # Errors
    /// [`FitError::Cancelled`].
    pub fn step(&mut self, job: &Job) -> Result<(), FitError> {
        improve(self.recipe, &self.positives.by_user, &self.items, &mut self.users, job)?;
        improve(self.recipe, &self.positives.by_item, &self.users, &mut self.items, job)
    }
}

/// Improves every row of `side` given the factors of the `other` side.
fn improve(recipe: &Ials, rows: &impl Rows, other: &Factors, side: &mut Factors, job: &Job) -> Result<(), FitError> {
    let limit = Limit { steps: STEPS, tolerance: 1e-5 };
    side.update(|(work, entries): &mut (Work, Entries), row, x| {
        job.check()?;
        let (columns, weights) = rows.of(row, entries);
        if columns.is_empty() {
            x.fill(0.0);
        } else {
            other.solve(recipe.row(columns, weights, other.rows()), limit, x, work);
        }
        Ok(())
    })
}

/// Factors to begin with, small and drawn with `seed`.
#[must_use]
pub fn drawn(rows: usize, factors: usize, seed: u64) -> Vec<f32> {
    let width = padded(factors);
    // Of an even distribution from -1 to 1 the deviation is 1 / √3.
    let most = DEVIATION * (3.0 / factors as f32).sqrt();
    let mut rng = StdRng::seed_from_u64(seed);
    let mut table = vec![0.0; rows * width];
    for row in table.chunks_exact_mut(width) {
        row[..factors].fill_with(|| rng.random_range(-most..most));
    }
    table
}

/// Puts the parent's factors of the items that it knows into `table`; answers how many that are. A parent of another kind
/// or with another number of factors knows none.
pub fn inherit(table: &mut [f32], factors: usize, item_ids: &[ItemId], parent: &Fitted) -> Result<usize, FitError> {
    if parent.recommender.kind() != KIND {
        return Ok(0);
    }
    let mut tensors = parent.recommender.save().map_err(|error| FitError::Library(error.to_string()))?;
    let Ok(known) = tensors.take_f32("items", &[parent.item_ids.len(), factors]) else { return Ok(0) };
    let mut inherited = 0;
    for (at, row) in rows_in(parent, item_ids).into_iter().zip(table.chunks_exact_mut(padded(factors))) {
        let known = at.map(|at| &known[at as usize * factors..][..factors]);
        // An item without a positive had no say: it begins anew.
        if let Some(known) = known.filter(|known| known.iter().any(|&value| value != 0.0)) {
            row[..factors].copy_from_slice(known);
            inherited += 1;
        }
    }
    Ok(inherited)
}
