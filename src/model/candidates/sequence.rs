//! `sequence`: a network that reads a history with its order, ages and weights.
//!
//! No user table: whoever has a history is answered from it at once, trained or not, session or user. Served by plain
//! arithmetic over the trained weights.

#![expect(clippy::indexing_slicing, reason = "items are dense indices of the model")]

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::json;

use super::warm::{is_warm, rows_in};
use super::{Settings, shape, sizes};
use crate::model::artifact::{ArtifactError, Tensors};
use crate::model::dataset::Dataset;
use crate::model::kernels::top_n::Offers;
use crate::model::kernels::{Packed, Simd, padded};
use crate::model::recommender::{Acted, Fitted, Recipe, Recommender, Scratch, Taste, rank_all};
use crate::model::training::job::{FitError, Job};
use crate::model::training::network::{
    HEADS, Order, PLACES, Parent, SequenceSettings, Step, Weights, dot, train_sequence,
};

/// The kind's name.
pub const KIND: &str = "sequence";

/// The settings that a run begins with.
pub fn start() -> serde_json::Value {
    json!({ "dimensions": 64, "epochs": 20, "batch": 256, "learning_rate": 0.01, "dropout": 0.3, "next": 2 })
}

/// Passes where a parent's weights are at hand, as a share of the others.
const WARM_EPOCHS: f64 = 0.25;

/// Adam's first step size then, as a share of the usual one: what is known is to be mended, not learnt anew.
const WARM_RATE: f64 = 0.5;

/// The longest history that counts, in distinct items; of a longer one the latest.
const LONGEST: usize = 100;

/// The recipe.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sequence {
    /// Length of an embedding, 1 to 1,024.
    pub dimensions: usize,
    /// Passes over the users, 1 to 1,000.
    pub epochs: usize,
    /// Histories per step, 1 to 65,536.
    pub batch: usize,
    /// Adam's first step size, above 0, 1 at most.
    pub learning_rate: f64,
    /// Share of a user's vector that dropout leaves out in training, from 0 and below 1.
    pub dropout: f32,
    /// So many of the items that a user takes next are foretold from those before, where there are times; 0: any of a
    /// user's items are foretold from the others, whatever their order.
    pub next: usize,
}

impl Settings for Sequence {
    fn check(&self) -> Result<(), String> {
        if !(1..=1_024).contains(&self.dimensions) {
            return Err("dimensions must be from 1 to 1024".into());
        }
        if !(1..=1_000).contains(&self.epochs) {
            return Err("epochs must be from 1 to 1000".into());
        }
        if !(1..=65_536).contains(&self.batch) {
            return Err("batch must be from 1 to 65536".into());
        }
        if !(self.learning_rate > 0.0 && self.learning_rate <= 1.0) {
            return Err("learning_rate must be above 0 and 1 at most".into());
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return Err("dropout must be from 0 and below 1".into());
        }
        Ok(())
    }
}

impl Recipe for Sequence {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn settings(&self) -> serde_json::Value {
        json!({
            "dimensions": self.dimensions,
            "epochs": self.epochs,
            "batch": self.batch,
            "learning_rate": self.learning_rate,
            "dropout": super::options::plain(self.dropout),
            "next": self.next,
        })
    }

    fn fit(&self, data: &Dataset, parent: Option<&Fitted>, job: &Job) -> Result<Box<dyn Recommender>, FitError> {
        let mut settings = SequenceSettings {
            dimensions: self.dimensions,
            epochs: self.epochs,
            batch: self.batch,
            learning_rate: self.learning_rate,
            dropout: self.dropout,
            order: if self.next == 0 { Order::Any } else { Order::Next(self.next) },
            history: LONGEST,
        };
        let parent = parent.map(|parent| self.inherited(data, parent)).transpose()?.flatten();
        if parent.is_some() {
            settings.epochs = (self.epochs as f64 * WARM_EPOCHS).ceil() as usize;
            settings.learning_rate *= WARM_RATE;
        }
        Ok(Box::new(SequenceModel::new(train_sequence(data, &settings, parent.as_ref(), job)?)))
    }
}

impl Sequence {
    /// The parent's weights with where the items are in it; none when it is of another shape or knows too few of them.
    fn inherited(&self, data: &Dataset, parent: &Fitted) -> Result<Option<Parent>, FitError> {
        if parent.recommender.kind() != KIND {
            return Ok(None);
        }
        let failed = |error: ArtifactError| FitError::Library(error.to_string());
        let weights = read_weights(parent.recommender.save().map_err(failed)?).map_err(failed)?;
        let rows = rows_in(parent, &data.item_ids);
        let enough = is_warm(rows.iter().flatten().count(), rows.len());
        Ok((weights.dimensions == self.dimensions && enough).then_some(Parent { weights, rows }))
    }
}

struct SequenceModel {
    weights: Weights,
    simd: Simd,
    /// The outputs in bytes with the biases as one more column, of a model that was loaded to answer.
    packed: Option<Packed>,
}

impl SequenceModel {
    fn new(weights: Weights) -> Self {
        Self { weights, simd: Simd::widest(), packed: None }
    }

    fn packed(weights: Weights) -> Self {
        let mut table = Vec::with_capacity(weights.items() * padded(weights.dimensions + 1));
        for (row, &bias) in weights.outputs.chunks_exact(weights.dimensions).zip(&weights.bias) {
            append(&mut table, row, bias);
        }
        Self { packed: Packed::of_many(&table, padded(weights.dimensions + 1)), ..Self::new(weights) }
    }

    /// The vector of the user with this history; none when it has no liked item.
    fn user(&self, history: &[Acted]) -> Option<Vec<f32>> {
        let steps = steps(history, self.items());
        steps.iter().any(|step| step.weight > 0.0).then(|| self.weights.encode(&steps))
    }
}

/// Appends a vector with one more column, filled up with zeros to a whole number of lanes.
fn append(table: &mut Vec<f32>, vector: &[f32], last: f32) {
    table.extend_from_slice(vector);
    table.push(last);
    table.resize(table.len().next_multiple_of(padded(vector.len() + 1)), 0.0);
}

/// The distinct items of `history` below `items`, in order of their latest event, weights summed; those whose weights
/// cancel out are left out, and of the others all but the latest [`LONGEST`].
fn steps(history: &[Acted], items: usize) -> Vec<Step> {
    let mut place: HashMap<u32, usize> = HashMap::with_capacity(history.len());
    let mut latest_first: Vec<Step> = Vec::with_capacity(history.len());
    for acted in history.iter().rev().filter(|acted| (acted.item as usize) < items) {
        let at = *place.entry(acted.item).or_insert(latest_first.len());
        match latest_first.get_mut(at) {
            Some(step) => step.weight += acted.weight,
            None => latest_first.push(Step { item: acted.item, weight: acted.weight, time_ms: acted.time_ms }),
        }
    }
    latest_first.retain(|step| step.weight != 0.0 && step.weight.is_finite());
    latest_first.truncate(LONGEST);
    latest_first.reverse();
    latest_first
}

/// Reads back the weights.
pub fn load(tensors: Tensors) -> Result<Box<dyn Recommender>, ArtifactError> {
    Ok(Box::new(SequenceModel::packed(read_weights(tensors)?)))
}

fn read_weights(mut tensors: Tensors) -> Result<Weights, ArtifactError> {
    let [items, dimensions] = sizes(&tensors, "inputs")?;
    if dimensions == 0 {
        return Err(shape("inputs", "its rows are empty".into()));
    }
    let weights = Weights {
        dimensions,
        inputs: tensors.take_f32("inputs", &[items, dimensions])?,
        outputs: tensors.take_f32("outputs", &[items, dimensions])?,
        bias: tensors.take_f32("bias", &[items])?,
        strengths: tensors.take_f32("strengths", &[PLACES, HEADS])?,
        mix: tensors.take_f32("mix", &[HEADS * dimensions, dimensions])?,
        inner: tensors.take_f32("inner", &[dimensions, dimensions])?,
        inner_bias: tensors.take_f32("inner_bias", &[dimensions])?,
        outer: tensors.take_f32("outer", &[dimensions, dimensions])?,
        typical: tensors.take_f32("typical", &[1])?[0],
    };
    if weights.typical <= 0.0 {
        return Err(shape("typical", "it is not above 0".into()));
    }
    Ok(weights)
}

impl Recommender for SequenceModel {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn items(&self) -> usize {
        self.weights.items()
    }

    fn logarithmic(&self) -> bool {
        true
    }

    fn score_all(&self, taste: &Taste<'_>, out: &mut [f32]) -> bool {
        let Some(user) = self.user(taste.history) else { return false };
        self.weights.scores(self.simd, &user, out);
        true
    }

    fn rank(&self, taste: &Taste<'_>, scratch: &mut Scratch, best: &mut dyn Offers) -> bool {
        let Some(packed) = &self.packed else {
            return rank_all(self.items(), |scores| self.score_all(taste, scores), scratch, best);
        };
        let Some(user) = self.user(taste.history) else { return false };
        let mut vector = Vec::with_capacity(padded(user.len() + 1));
        append(&mut vector, &user, 1.0);
        packed.rank(&vector, best, |item| self.weights.score(self.simd, &user, item));
        true
    }

    fn score_some(&self, taste: &Taste<'_>, items: &[u32], out: &mut [f32]) -> bool {
        let Some(user) = self.user(taste.history) else { return false };
        for (score, &item) in out.iter_mut().zip(items) {
            *score = self.weights.score(self.simd, &user, item);
        }
        true
    }

    /// The cosine of what the items answer to: alike are those that are taken after the same things.
    fn similar(&self, item: u32, out: &mut [f32]) -> bool {
        let row = self.weights.output(item);
        let norm = |row: &[f32]| dot(row, row).sqrt().max(f32::MIN_POSITIVE);
        let own = norm(row);
        for (other, score) in (0..).zip(out) {
            let other = self.weights.output(other);
            *score = dot(row, other) / own / norm(other);
        }
        true
    }

    fn save(&self) -> Result<Tensors, ArtifactError> {
        let weights = self.weights.clone();
        let (items, width) = (weights.items(), weights.dimensions);
        Ok(Tensors::default()
            .with_f32("inputs", &[items, width], weights.inputs)
            .with_f32("outputs", &[items, width], weights.outputs)
            .with_f32("bias", &[items], weights.bias)
            .with_f32("strengths", &[PLACES, HEADS], weights.strengths)
            .with_f32("mix", &[HEADS * width, width], weights.mix)
            .with_f32("inner", &[width, width], weights.inner)
            .with_f32("inner_bias", &[width], weights.inner_bias)
            .with_f32("outer", &[width, width], weights.outer)
            .with_f32("typical", &[1], vec![weights.typical]))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::tests::dataset;
    use super::*;
    use crate::model::ids::ItemId;
    use crate::model::interactions::NO_TIME;

    #[test]
    fn a_history_becomes_distinct_steps_by_their_latest_event() {
        let acted = |item, weight, time_ms| Acted { item, weight, time_ms };
        let history = [acted(3, 1.0, 1), acted(1, 0.5, 2), acted(3, -3.0, 5), acted(2, 1.0, 6), acted(2, -1.0, 7)];
        let found = steps(&history, 5);
        let expected = [(1, 0.5, 2), (3, -2.0, 5)].map(|(item, weight, time_ms)| Step { item, weight, time_ms });
        assert_eq!(found, expected);
        let long: Vec<Acted> = (0..150).map(|item| acted(item, 1.0, NO_TIME)).collect();
        let found = steps(&long, 149);
        assert_eq!((found.len(), found[0].item, found[99].item), (LONGEST, 49, 148));
    }

    /// Users who go around a circle of 30 items from a place of their own, a step a day.
    fn circle(users: std::ops::Range<u32>) -> Dataset {
        let step = |user: u32, k: u32| (user, (user * 7 + k) % 30, 1.0, i64::from(k) * 86_400_000);
        dataset(&users.flat_map(|user| (0..8).map(move |k| step(user, k))).collect::<Vec<_>>())
    }

    /// Of how many places the model knows what comes after three steps.
    fn known(model: &Fitted, data: &Dataset) -> usize {
        let item = |place: u32| {
            let id = ItemId::from(u64::from(place % 30));
            data.item_ids.iter().position(|known| *known == id).unwrap() as u32
        };
        let right = |from: &u32| {
            let acted = |k: u32| Acted { item: item(from + k), weight: 1.0, time_ms: i64::from(k) * 86_400_000 };
            let history = [0, 1, 2].map(acted);
            let taste = Taste { user: None, history: &history, now_ms: 3 * 86_400_000 };
            let mut scores = vec![0.0; data.items()];
            assert!(model.recommender.score_all(&taste, &mut scores));
            history.iter().for_each(|act| scores[act.item as usize] = f32::MIN);
            (0..scores.len()).max_by(|&a, &b| scores[a].total_cmp(&scores[b])) == Some(item(from + 3) as usize)
        };
        (0..30).filter(right).count()
    }

    #[test]
    fn a_warm_start_is_as_good_in_a_quarter_of_the_epochs() {
        let recipe =
            |epochs| Sequence { dimensions: 16, epochs, batch: 32, learning_rate: 0.02, dropout: 0.1, next: 1 };
        let fit = |epochs, data: &Dataset, parent: Option<&Fitted>| {
            crate::model::candidates::fit(&recipe(epochs), data, parent, &Job::quiet(1)).unwrap()
        };
        // Only two thirds of the circle's places begin a walk at first, but all are passed.
        let (before, now) = (circle(0..200), circle(0..300));
        let parent = fit(40, &before, None);
        let (warm, cold) = (fit(8, &now, Some(&parent)), fit(8, &now, None));
        let hasty = fit(2, &now, None);
        let [warm, cold, hasty] = [warm, cold, hasty].map(|model| known(&model, &now));
        assert!(
            warm >= 27 && warm + 1 >= cold && warm > hasty,
            "warm {warm}, cold {cold}, as few from nothing {hasty}"
        );

        let ids: Vec<ItemId> = now.item_ids.iter().rev().cloned().chain(["new".parse().unwrap()]).collect();
        let turned = Dataset { item_ids: Arc::new(ids), ..now };
        let inherited = recipe(5).inherited(&turned, &parent).unwrap().unwrap();
        assert_eq!(inherited.rows.iter().flatten().count(), 30);
        assert_eq!((inherited.rows[0], inherited.rows[30]), (Some(29), None));
        let other = Sequence { dimensions: 32, ..recipe(5) };
        assert!(other.inherited(&turned, &parent).unwrap().is_none(), "weights of another shape");
    }
}
