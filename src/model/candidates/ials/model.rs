//! The fitted model: items' factors, and a user's from the history at the time of the question.

#![expect(clippy::indexing_slicing, reason = "items are dense indices of the model")]

use std::cell::RefCell;

use super::explain::summands;
use super::factors::{Factors, Limit, Work};
use super::{Ials, KIND, Objective};
use crate::model::artifact::{ArtifactError, Tensors};
use crate::model::candidates::decayed::DAY_MS;
use crate::model::candidates::history::{faded, joined};
use crate::model::candidates::{length, shape, sizes};
use crate::model::kernels::top_n::Offers;
use crate::model::kernels::{Packed, Simd, padded};
use crate::model::recommender::{Recommender, Scratch, Summand, Taste, rank_all};

/// A user begins at 0 and is wanted at once: more steps than an iteration of the fit takes, to a thousandth of the residual.
const FOLD_IN: Limit = Limit { steps: 32, tolerance: 1e-3 };

/// Where another engine's factors answer, their scores are to be that engine's.
const EXACT_FOLD_IN: Limit = Limit { steps: 64, tolerance: 1e-4 };

thread_local! {
    /// What fold-in works in, half a megabyte at most at 64 factors.
    static WORK: RefCell<Work> = RefCell::default();
}

/// The items' factors with what fold-in needs.
pub struct IalsModel {
    recipe: Ials,
    items: Factors,
    /// The length of each item's factors.
    lengths: Vec<f32>,
    /// The weight of the pair in the middle, see [`Ials::confidence`].
    middle: f32,
    /// The items' factors in bytes, of a model that was loaded to answer.
    packed: Option<Packed>,
}

impl IalsModel {
    pub fn new(recipe: Ials, items: Factors, middle: f32) -> Self {
        let lengths = (0..items.rows()).map(|item| items.dot(items.row(item), items.row(item)).sqrt()).collect();
        Self { recipe, items, lengths, middle, packed: None }
    }

    /// The items of the history that the model knows and what each weighs; none where nothing of it is liked.
    fn liked(&self, taste: &Taste<'_>) -> Option<(Vec<u32>, Vec<f32>)> {
        let (columns, mut weights): (Vec<u32>, Vec<f32>) = joined(taste.history, self.items.rows())
            .into_iter()
            .filter(|&(item, _)| self.lengths[item as usize] > 0.0)
            .map(|(item, weight)| (item, weight.signum() * self.recipe.confidence(weight, self.middle)))
            .unzip();
        if self.recipe.half_life_days > 0.0 {
            let faded = faded(taste.history, self.items.rows(), self.recipe.half_life_days * DAY_MS);
            for (weight, item) in weights.iter_mut().zip(&columns) {
                let at = faded.binary_search_by_key(item, |&(item, _)| item);
                *weight *= at.ok().and_then(|at| faded.get(at)).map_or(1.0, |&(_, left)| left);
            }
        }
        weights.iter().any(|&weight| weight > 0.0).then_some((columns, weights))
    }

    /// The factors of somebody with that history; none where it names nothing liked that the model knows.
    fn user(&self, taste: &Taste<'_>) -> Option<Vec<f32>> {
        let (columns, weights) = self.liked(taste)?;
        let mut user = vec![0.0; padded(self.recipe.factors)];
        let row = self.recipe.row(&columns, &weights, self.items.rows());
        let limit = if self.recipe.objective == Objective::Hu { EXACT_FOLD_IN } else { FOLD_IN };
        WORK.with_borrow_mut(|work| self.items.solve(row, limit, &mut user, work));
        user.iter().all(|value| value.is_finite()).then_some(user)
    }
}

/// Reads back the items' factors.
pub fn load(recipe: Ials, mut tensors: Tensors) -> Result<Box<dyn Recommender>, ArtifactError> {
    let [rows, factors] = sizes(&tensors, "items")?;
    if factors != recipe.factors {
        return Err(shape("items", format!("it has {factors} factors, the settings say {}", recipe.factors)));
    }
    let (packed, width) = (tensors.take_f32("items", &[rows, factors])?, padded(factors));
    let middles = length(&tensors, "middle")?;
    let middle = match tensors.take_f32("middle", &[middles])?[..] {
        [middle] if middle > 0.0 => middle,
        _ => return Err(shape("middle", "it is not one weight above 0".into())),
    };
    let mut table = vec![0.0; rows * width];
    for (row, values) in table.chunks_exact_mut(width).zip(packed.chunks_exact(factors)) {
        row[..factors].copy_from_slice(values);
    }
    let items = Factors::new(Simd::widest(), width, table, recipe.expected_histories(rows));
    let items = match tensors.shape("diagonal").is_ok() {
        true => items.with_diagonal(tensors.take_f32("diagonal", &[factors])?),
        false => items.turned(factors),
    };
    let model = IalsModel::new(recipe, items, middle);
    let packed = Packed::of_many(model.items.table(), width);
    Ok(Box::new(IalsModel { packed, ..model }))
}

impl Recommender for IalsModel {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn items(&self) -> usize {
        self.items.rows()
    }

    fn score_all(&self, taste: &Taste<'_>, out: &mut [f32]) -> bool {
        let Some(user) = self.user(taste) else { return false };
        self.items.dots(&user, out);
        true
    }

    fn rank(&self, taste: &Taste<'_>, scratch: &mut Scratch, best: &mut dyn Offers) -> bool {
        let Some(packed) = &self.packed else {
            return rank_all(self.items(), |scores| self.score_all(taste, scores), scratch, best);
        };
        let Some(user) = self.user(taste) else { return false };
        packed.rank(&user, best, |item| self.items.dot(self.items.row(item as usize), &user));
        true
    }

    fn score_some(&self, taste: &Taste<'_>, items: &[u32], out: &mut [f32]) -> bool {
        let Some(user) = self.user(taste) else { return false };
        WORK.with_borrow_mut(|work| self.items.dots_of(items, &user, out, work));
        true
    }

    fn explain(&self, taste: &Taste<'_>, items: &[u32]) -> Option<Vec<Vec<Summand>>> {
        let (columns, weights) = self.liked(taste)?;
        let mut scores = vec![0.0; items.len()];
        let row = self.recipe.row(&columns, &weights, self.items.rows());
        self.score_some(taste, items, &mut scores).then(|| summands(&self.items, row, items, &scores))?
    }

    fn similar(&self, item: u32, out: &mut [f32]) -> bool {
        let item = item as usize;
        self.items.dots(self.items.row(item), out);
        for (score, length) in out.iter_mut().zip(&self.lengths) {
            let both = length * self.lengths[item];
            *score = if both > 0.0 { *score / both } else { 0.0 };
        }
        true
    }

    fn save(&self) -> Result<Tensors, ArtifactError> {
        let factors = self.recipe.factors;
        let rows = self.items.table().chunks_exact(padded(factors));
        let packed = rows.flat_map(|row| row[..factors].iter().copied()).collect();
        let tensors = Tensors::default().with_f32("items", &[self.items.rows(), factors], packed).with_f32(
            "middle",
            &[1],
            vec![self.middle],
        );
        // Turned a second time, the factors would differ in their last bits.
        Ok(match self.items.diagonal().get(..factors) {
            Some(diagonal) => tensors.with_f32("diagonal", &[factors], diagonal.to_vec()),
            None => tensors,
        })
    }
}
