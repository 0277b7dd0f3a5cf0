//! Items' factors that were fitted elsewhere, checked as they come in, and the model that they make.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Ials, MOST_FACTORS, Objective};
use crate::model::artifact::{ArtifactError, Tensors};
use crate::model::candidates::load_fitted;
use crate::model::ids::ItemId;
use crate::model::recommender::{Fitted, Recipe, RecipeSpec};

/// The most items.
pub const MOST_ITEMS: usize = 10_000_000;

/// The most numbers in all: 4 GiB of them.
pub const MOST_NUMBERS: usize = 1 << 30;

/// Beyond this, either way, products of factors could be more than a float holds.
pub const LARGEST: f32 = 1e6;

/// Why factors are refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum GivenError {
    /// There is no item.
    #[error("there is no item among the factors")]
    Empty,
    /// An item has two rows.
    #[error("item {0} is there twice; give one row for each item")]
    Doubled(ItemId),
    /// An item has another number of factors than the items before it.
    #[error("item {item} has {found} factors, the items before it have {wanted}; all must have as many")]
    Length {
        /// The item.
        item: ItemId,
        /// How many it has.
        found: usize,
        /// How many the first one has.
        wanted: usize,
    },
    /// More factors than are supported, or none.
    #[error("item {item} has {found} factors; 1 to {MOST_FACTORS} are supported")]
    Factors {
        /// The item.
        item: ItemId,
        /// How many it has.
        found: usize,
    },
    /// A factor is no number, or none that can be reckoned with.
    #[error("item {item} has a factor of {value}; it must be a number from -{LARGEST} to {LARGEST}")]
    Value {
        /// The item.
        item: ItemId,
        /// The factor.
        value: f32,
    },
    /// More than is supported in all.
    #[error("there are more than {MOST_ITEMS} items or {MOST_NUMBERS} factors in all; train with fewer")]
    TooMany,
    /// Every factor is 0: whoever asks would get what is popular, under another name.
    #[error("every factor of every known item is 0; such a model has nothing to say")]
    Nothing,
    /// None of the items is known.
    #[error(
        "none of the {0} items is in the catalogue; are they named by the ids of the events, not by numbers given in training?"
    )]
    Unknown(usize),
}

/// Items and their factors; all have as many, every factor is finite.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GivenFactors {
    item_ids: Vec<ItemId>,
    rows: HashMap<ItemId, usize>,
    factors: usize,
    /// `[items, factors]`.
    values: Vec<f32>,
}

impl GivenFactors {
    /// Adds an item.
    ///
    /// # Errors
    /// [`GivenError`]; what was added before is as it was.
    pub fn push(&mut self, item: ItemId, values: &[f32]) -> Result<(), GivenError> {
        let found = values.len();
        if !(1..=MOST_FACTORS).contains(&found) {
            return Err(GivenError::Factors { item, found });
        }
        if !self.item_ids.is_empty() && found != self.factors {
            return Err(GivenError::Length { item, found, wanted: self.factors });
        }
        if let Some(&value) = values.iter().find(|value| !(-LARGEST..=LARGEST).contains(*value)) {
            return Err(GivenError::Value { item, value });
        }
        if self.item_ids.len() >= MOST_ITEMS || self.values.len() + found > MOST_NUMBERS {
            return Err(GivenError::TooMany);
        }
        match self.rows.entry(item.clone()) {
            Entry::Occupied(_) => return Err(GivenError::Doubled(item)),
            Entry::Vacant(place) => place.insert(self.item_ids.len()),
        };
        self.factors = found;
        self.item_ids.push(item);
        self.values.extend_from_slice(values);
        Ok(())
    }

    /// Number of items.
    #[must_use]
    pub fn items(&self) -> usize {
        self.item_ids.len()
    }

    /// Factors of each item; 0 where there is no item.
    #[must_use]
    pub const fn factors(&self) -> usize {
        self.factors
    }

    /// The items, in the order in which they came.
    #[must_use]
    pub fn item_ids(&self) -> &[ItemId] {
        &self.item_ids
    }

    /// The factors of the items that are `known`, in their order.
    ///
    /// # Errors
    /// [`GivenError::Empty`], [`GivenError::Unknown`] where none is, or [`GivenError::Nothing`].
    pub fn only(&self, known: impl Fn(&ItemId) -> bool) -> Result<Self, GivenError> {
        if self.item_ids.is_empty() {
            return Err(GivenError::Empty);
        }
        let mut kept = Self::default();
        for item in self.item_ids.iter().filter(|item| known(item)) {
            kept.push(item.clone(), self.of(item).unwrap_or_default())?;
        }
        if kept.item_ids.is_empty() {
            return Err(GivenError::Unknown(self.item_ids.len()));
        }
        if kept.values.iter().all(|&value| value == 0.0) { Err(GivenError::Nothing) } else { Ok(kept) }
    }

    /// The model of `item_ids`, those without factors among them scoring 0 and saying nothing of who took them.
    ///
    /// # Errors
    /// [`ArtifactError::Settings`] where the recipe's are out of range or for another number of factors.
    pub fn fitted(&self, recipe: &Ials, item_ids: Arc<Vec<ItemId>>) -> Result<Fitted, ArtifactError> {
        let nothing = vec![0.0; self.factors];
        let values = item_ids.iter().flat_map(|item| self.of(item).unwrap_or(&nothing)).copied().collect();
        let shape = [item_ids.len(), self.factors];
        // Weights at fold-in count as they are: the middle one of what was trained on is not known here.
        let tensors = Tensors::default().with_f32("items", &shape, values).with_f32("middle", &[1], vec![1.0]);
        let spec = RecipeSpec { kind: recipe.kind().to_owned(), settings: recipe.settings() };
        load_fitted(&spec, tensors, item_ids, Arc::default())
    }

    fn of(&self, item: &ItemId) -> Option<&[f32]> {
        let row = *self.rows.get(item)?;
        self.values.get(row * self.factors..(row + 1) * self.factors)
    }
}

/// How Spark's ALS was set, with `implicitPrefs`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SparkSettings {
    /// `alpha`: how much a rating counts beside 1 of a pair that was not taken.
    pub alpha: f64,
    /// `regParam`.
    pub reg_param: f64,
    /// How a rating was made of a pair's weight `w`: `w` to this power, an eighth at least and 8 at most; 0: 1 each.
    pub weight_power: f64,
}

impl SparkSettings {
    /// The recipe that gives users the factors that Spark would give them for the same items' factors: its equations,
    /// `(YᵀY + Σ α r y yᵀ + regParam n) x = Σ (1 + α r) y`, divided by α.
    #[must_use]
    pub fn recipe(self, factors: usize) -> Ials {
        Ials {
            factors,
            objective: Objective::Hu,
            unobserved: 1.0 / self.alpha,
            regularization: self.reg_param / self.alpha,
            nu: 1.0,
            weight_power: self.weight_power,
            ..Ials::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::recommender::{Acted, Taste};

    fn id(text: &str) -> ItemId {
        ItemId::new(text).unwrap()
    }

    #[test]
    fn what_is_wrong_is_named_and_what_came_before_stays() {
        let mut given = GivenFactors::default();
        assert_eq!(given.only(|_| true), Err(GivenError::Empty));
        given.push(id("a"), &[1.0, 2.0]).unwrap();
        let before = given.clone();
        let value = |value| GivenError::Value { item: id("b"), value };
        for (item, values, wrong) in [
            ("b", &[][..], GivenError::Factors { item: id("b"), found: 0 }),
            ("b", &[0.0; MOST_FACTORS + 1], GivenError::Factors { item: id("b"), found: MOST_FACTORS + 1 }),
            ("b", &[1.0], GivenError::Length { item: id("b"), found: 1, wanted: 2 }),
            ("b", &[1.0, f32::INFINITY], value(f32::INFINITY)),
            ("b", &[f32::NEG_INFINITY, 1.0], value(f32::NEG_INFINITY)),
            ("b", &[1.0, -1.1e6], value(-1.1e6)),
            ("a", &[1.0, 2.0], GivenError::Doubled(id("a"))),
        ] {
            assert_eq!(given.push(id(item), values), Err(wrong));
            assert_eq!(given, before);
        }
        let nan = given.push(id("b"), &[1.0, f32::NAN]).unwrap_err();
        assert!(nan.to_string().contains("item b has a factor of NaN"), "{nan}");
        given.push(id("b"), &[3.0, 4.0]).unwrap();
        assert_eq!(given.only(|item| *item == id("x")), Err(GivenError::Unknown(2)));
        given.push(id("c"), &[0.0, -0.0]).unwrap();
        assert_eq!(given.only(|item| *item == id("c")), Err(GivenError::Nothing));
        assert_eq!(given.only(|item| *item != id("a")).unwrap().item_ids(), [id("b"), id("c")]);
    }

    #[test]
    fn items_without_factors_say_nothing() {
        let mut given = GivenFactors::default();
        given.push(id("a"), &[1.0, 0.0]).unwrap();
        given.push(id("b"), &[0.5, 0.5]).unwrap();
        let recipe = SparkSettings { alpha: 1.0, reg_param: 0.1, weight_power: 0.0 }.recipe(2);
        let ids = Arc::new(vec![id("new"), id("b"), id("a")]);
        let model = given.fitted(&recipe, ids).unwrap().recommender;
        let acted = |item| Acted { item, weight: 1.0, time_ms: 0 };
        let ask = |history: &[Acted]| {
            let mut scores = vec![7.0; 3];
            model.score_all(&Taste { user: None, history, now_ms: 0 }, &mut scores).then_some(scores)
        };
        assert_eq!(ask(&[acted(0)]), None);
        let scores = ask(&[acted(0), acted(2)]).unwrap();
        assert_eq!(Some(&scores), ask(&[acted(2)]).as_ref());
        assert!(scores[0] == 0.0 && scores[2] > scores[1] && scores[1] > 0.0, "{scores:?}");
        let other = SparkSettings { alpha: 1e-9, reg_param: 0.1, weight_power: 0.0 }.recipe(2);
        assert!(matches!(given.fitted(&other, Arc::new(vec![id("a")])), Err(ArtifactError::Settings { .. })));
    }
}
