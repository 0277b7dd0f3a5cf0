//! A model of sparse rows, item to item: what the kinds have in common that sum the rows of a history.

#![expect(clippy::indexing_slicing, reason = "items are dense indices of the model")]

use super::history::{directions, summands};
use super::{length, shape};
use crate::model::artifact::{ArtifactError, Tensors};
use crate::model::kernels::top_n::Offers;
use crate::model::near::Near;
use crate::model::recommender::{Recommender, Scratch, Summand, Taste};

/// For each item the items near it, in compressed rows, and how much each adds.
pub struct SparseModel {
    kind: &'static str,
    /// `starts[i]..starts[i + 1]` are the neighbours of item `i`; one longer than the items.
    starts: Vec<u32>,
    /// Ascending within a row.
    neighbours: Vec<u32>,
    weights: Vec<f32>,
}

/// Leaves the `keep` entries of a row that weigh most, ties by item, and puts them in the order of items.
pub fn keep_heaviest(row: &mut Vec<(u32, f32)>, keep: usize) {
    if row.len() > keep {
        row.select_nth_unstable_by(keep, |a, b| b.1.abs().total_cmp(&a.1.abs()).then(a.0.cmp(&b.0)));
        row.truncate(keep);
    }
    row.sort_unstable_by_key(|&(item, _)| item);
}

impl SparseModel {
    /// Of rows of (neighbour, weight), each ascending by neighbour.
    pub fn new<Row: AsRef<[(u32, f32)]>>(kind: &'static str, rows: impl IntoIterator<Item = Row>) -> Self {
        let mut model = Self { kind, starts: vec![0], neighbours: Vec::new(), weights: Vec::new() };
        for row in rows {
            model.neighbours.extend(row.as_ref().iter().map(|&(other, _)| other));
            model.weights.extend(row.as_ref().iter().map(|&(_, weight)| weight));
            model.starts.push(u32::try_from(model.neighbours.len()).unwrap_or(u32::MAX));
        }
        model
    }

    /// Reads back what [`Recommender::save`] wrote.
    ///
    /// # Errors
    /// [`ArtifactError`] where the rows do not belong together.
    pub fn load(kind: &'static str, mut tensors: Tensors) -> Result<Self, ArtifactError> {
        let (offsets, entries) = (length(&tensors, "starts")?, length(&tensors, "neighbours")?);
        let starts = tensors.take_u32("starts", &[offsets])?;
        let neighbours = tensors.take_u32("neighbours", &[entries])?;
        let weights = tensors.take_f32("likeness", &[entries])?;
        let whole = starts.first() == Some(&0)
            && starts.last().map(|&last| last as usize) == Some(entries)
            && starts.is_sorted();
        if !whole {
            return Err(shape("starts", "it does not divide the neighbours into rows".into()));
        }
        if neighbours.iter().any(|&other| other as usize + 1 >= offsets) {
            return Err(shape("neighbours", "it names an item beyond the catalogue".into()));
        }
        Ok(Self { kind, starts, neighbours, weights })
    }

    /// The neighbours of `item`, ascending, and what they add.
    fn row(&self, item: u32) -> (&[u32], &[f32]) {
        let row = self.starts[item as usize] as usize..self.starts[item as usize + 1] as usize;
        (&self.neighbours[row.clone()], &self.weights[row])
    }

    fn knows(&self, directions: &[(u32, f32)]) -> bool {
        directions.iter().any(|&(item, pull)| pull > 0.0 && !self.row(item).0.is_empty())
    }

    /// Calls `add` with each neighbour of what is in the history and what that adds to its score; answers whether anything
    /// is known of the history.
    fn sum(&self, taste: &Taste<'_>, mut add: impl FnMut(u32, f32)) -> bool {
        let directions = directions(taste.history, self.items());
        for &(item, pull) in &directions {
            let (others, weights) = self.row(item);
            for (&other, weight) in others.iter().zip(weights) {
                add(other, pull * weight);
            }
        }
        self.knows(&directions)
    }
}

impl Recommender for SparseModel {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn items(&self) -> usize {
        self.starts.len() - 1
    }

    fn score_all(&self, taste: &Taste<'_>, out: &mut [f32]) -> bool {
        out.fill(0.0);
        self.sum(taste, |other, score| out[other as usize] += score)
    }

    fn score_near(&self, taste: &Taste<'_>, near: &mut Near) -> Option<bool> {
        near.clear(self.items());
        Some(self.sum(taste, |other, score| near.add(other, score, || 0.0)))
    }

    fn rank(&self, taste: &Taste<'_>, scratch: &mut Scratch, best: &mut dyn Offers) -> bool {
        let near = &mut scratch.near;
        if self.score_near(taste, near) != Some(true) {
            return false;
        }
        for (item, score) in near.scores().filter(|&(_, score)| score > 0.0) {
            best.offer(item, score);
        }
        // Where there is room left, also what is near nothing, and what a dislike pushes away.
        if best.to_reach() <= 0.0 {
            for (item, score) in near.scores().filter(|&(_, score)| score <= 0.0) {
                best.offer(item, score);
            }
            for item in (0..).take(self.items()).filter(|&item| !near.touched(item)) {
                best.offer(item, 0.0);
            }
        }
        true
    }

    fn similar(&self, item: u32, out: &mut [f32]) -> bool {
        out.fill(0.0);
        let (others, weights) = self.row(item);
        for (&other, &weight) in others.iter().zip(weights) {
            out[other as usize] = weight;
        }
        true
    }

    fn explain(&self, taste: &Taste<'_>, items: &[u32]) -> Option<Vec<Vec<Summand>>> {
        let directions = directions(taste.history, self.items());
        let weight = |item, wanted: u32| {
            let (others, weights) = self.row(item);
            others.binary_search(&wanted).map_or(0.0, |place| weights[place])
        };
        self.knows(&directions).then(|| summands(&directions, items, weight))
    }

    fn save(&self) -> Result<Tensors, ArtifactError> {
        Ok(Tensors::default()
            .with_u32("starts", &[self.starts.len()], self.starts.clone())
            .with_u32("neighbours", &[self.neighbours.len()], self.neighbours.clone())
            .with_f32("likeness", &[self.weights.len()], self.weights.clone()))
    }
}
