//! The trained network as it is served: plain arithmetic over its weights.

#![expect(clippy::indexing_slicing, reason = "matrices of known size")]

use super::steps::{HEADS, Step, places};
use crate::model::kernels::{LANES, Simd};

/// A head's weights of a history add up to `n` and are divided by `n` to this power: more steps say more, but not in
/// proportion.
pub const DAMPING: f32 = 0.5;

/// The weights. With `s` the strengths of a step's places, a head `h` takes `p_h = Σ ±exp(s_h) x / (Σ exp(s_h))^½` over
/// the steps' rows `x` of `inputs`, minus for disliked items; `v = [p_1 p_2] mix` and the user's vector is
/// `v + relu(v inner + inner_bias) outer`. An item's score is its row of `outputs` times the user's vector, plus its bias.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    /// Length of an embedding.
    pub dimensions: usize,
    /// `[items, dimensions]`: what an item in the history says.
    pub inputs: Vec<f32>,
    /// `[items, dimensions]`: what an item answers to.
    pub outputs: Vec<f32>,
    /// `[items]`: what an item has of its own.
    pub bias: Vec<f32>,
    /// `[PLACES, HEADS]`.
    pub strengths: Vec<f32>,
    /// `[HEADS * dimensions, dimensions]`.
    pub mix: Vec<f32>,
    /// `[dimensions, dimensions]`.
    pub inner: Vec<f32>,
    /// `[dimensions]`.
    pub inner_bias: Vec<f32>,
    /// `[dimensions, dimensions]`.
    pub outer: Vec<f32>,
    /// The geometric mean of the weights in training, above 0: what an ordinary weight is.
    pub typical: f32,
}

impl Weights {
    /// Number of items.
    pub fn items(&self) -> usize {
        self.bias.len()
    }

    /// Row `item` of `outputs`.
    pub fn output(&self, item: u32) -> &[f32] {
        &self.outputs[item as usize * self.dimensions..][..self.dimensions]
    }

    /// The vector of a user with these steps, oldest first; without a step it is nobody's in particular.
    pub fn encode(&self, steps: &[Step]) -> Vec<f32> {
        let width = self.dimensions;
        let mut pooled = vec![0.0; HEADS * width];
        let mut totals = [0.0_f32; HEADS];
        for (step, places) in steps.iter().zip(places(steps, self.typical)) {
            let row = &self.inputs[step.item as usize * width..][..width];
            for (head, total) in totals.iter_mut().enumerate() {
                let weight = strength(&self.strengths, places, head).exp();
                *total += weight;
                add(&mut pooled[head * width..][..width], row, weight.copysign(step.weight));
            }
        }
        for (part, total) in pooled.chunks_exact_mut(width).zip(totals) {
            let scale = if total > 0.0 { total.powf(-DAMPING) } else { 0.0 };
            part.iter_mut().for_each(|value| *value *= scale);
        }
        let mut user = product(&pooled, &self.mix, width);
        let mut hidden = product(&user, &self.inner, width);
        for (value, bias) in hidden.iter_mut().zip(&self.inner_bias) {
            *value = (*value + bias).max(0.0);
        }
        add(&mut user, &product(&hidden, &self.outer, width), 1.0);
        user
    }

    /// Takes over what `parent` learnt: its layers, and of each item of this catalogue that has a row there, `rows` saying
    /// which, that row. Other items stay as they are. Both have the same dimensions.
    pub fn inherit(&mut self, parent: &Self, rows: &[Option<u32>]) {
        let width = self.dimensions;
        let known = rows.iter().enumerate().filter_map(|(item, row)| Some((item, (*row)? as usize)));
        for (item, row) in known {
            for (own, of_parent) in [(&mut self.inputs, &parent.inputs), (&mut self.outputs, &parent.outputs)] {
                own[item * width..][..width].copy_from_slice(&of_parent[row * width..][..width]);
            }
            self.bias[item] = parent.bias[row];
        }
        self.strengths.clone_from(&parent.strengths);
        self.mix.clone_from(&parent.mix);
        self.inner.clone_from(&parent.inner);
        self.inner_bias.clone_from(&parent.inner_bias);
        self.outer.clone_from(&parent.outer);
    }

    /// The score of `item` for a user's vector.
    pub fn score(&self, simd: Simd, user: &[f32], item: u32) -> f32 {
        let mut score = [0.0];
        self.dots(simd, self.output(item), user, &mut score);
        score[0] + self.bias[item as usize]
    }

    /// The scores of all items for a user's vector, each as [`Self::score`] gives it.
    pub fn scores(&self, simd: Simd, user: &[f32], out: &mut [f32]) {
        self.dots(simd, &self.outputs, user, out);
        out.iter_mut().zip(&self.bias).for_each(|(score, bias)| *score += bias);
    }

    fn dots(&self, simd: Simd, rows: &[f32], user: &[f32], out: &mut [f32]) {
        if self.dimensions.is_multiple_of(LANES) {
            return simd.dots(rows, user, out);
        }
        for (score, row) in out.iter_mut().zip(rows.chunks_exact(self.dimensions)) {
            *score = dot(user, row);
        }
    }

    /// Whether every number is finite.
    pub fn finite(&self) -> bool {
        let parts = [&self.inputs, &self.outputs, &self.bias, &self.strengths, &self.mix, &self.inner];
        let rest = [&self.inner_bias, &self.outer];
        parts.into_iter().chain(rest).flatten().all(|value| value.is_finite()) && self.typical.is_finite()
    }
}

/// The strength of a step in a head: the sum over its places, bounded so that its exponential is an ordinary number.
pub fn strength(strengths: &[f32], places: [usize; 3], head: usize) -> f32 {
    places.iter().map(|&place| strengths[place * HEADS + head]).sum::<f32>().clamp(-10.0, 10.0)
}

fn add(sum: &mut [f32], row: &[f32], factor: f32) {
    for (sum, value) in sum.iter_mut().zip(row) {
        *sum += factor * value;
    }
}

/// A row times a matrix of `width` columns.
fn product(row: &[f32], matrix: &[f32], width: usize) -> Vec<f32> {
    let mut sum = vec![0.0; width];
    for (&value, row) in row.iter().zip(matrix.chunks_exact(width)) {
        add(&mut sum, row, value);
    }
    sum
}

/// Summed in eight lanes, so that the compiler may use vectors.
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a, b) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut lanes = [0.0_f32; 8];
    for (a, b) in a.0.iter().zip(b.0) {
        for (lane, (a, b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
            *lane += a * b;
        }
    }
    lanes.iter().sum::<f32>() + a.1.iter().zip(b.1).map(|(a, b)| a * b).sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::super::steps::PLACES;
    use super::*;
    use crate::model::interactions::NO_TIME;

    #[test]
    fn a_dislike_pushes_away_and_no_history_says_nothing() {
        let weights = Weights {
            dimensions: 2,
            inputs: vec![1.0, 2.0, -3.0, 0.5],
            outputs: vec![1.0, 0.0, 0.0, 1.0],
            bias: vec![0.5, -0.5],
            strengths: vec![0.0; PLACES * HEADS],
            mix: vec![1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0],
            inner: vec![1.0, 0.0, 0.0, 1.0],
            inner_bias: vec![0.0, -1.5],
            outer: vec![0.0, 1.0, 2.0, 0.0],
            typical: 1.0,
        };
        let step = |item, weight| Step { item, weight, time_ms: NO_TIME };
        // One step: the row itself, [1, 2]; hidden [1, 0.5]; user [1 + 2 * 0.5, 2 + 1].
        let user = weights.encode(&[step(0, 1.0)]);
        assert_eq!(user, [2.0, 3.0]);
        assert_eq!([0, 1].map(|item| weights.score(Simd::widest(), &user, item)), [2.5, 2.5]);
        let mut all = [0.0; 2];
        weights.scores(Simd::widest(), &user, &mut all);
        assert_eq!(all, [2.5, 2.5]);
        assert_eq!(weights.encode(&[step(0, -1.0)]), [-1.0, -2.0], "nothing passes the relu");
        assert_eq!(weights.encode(&[]), [0.0, 0.0]);
        let both = weights.encode(&[step(0, 1.0), step(1, 1.0)]);
        let expected = [-2.0 / 2.0_f32.sqrt(), 2.5 / 2.0_f32.sqrt()];
        assert!((both[1] - expected[1]).abs() < 1e-6, "{both:?}");
    }

    #[test]
    fn dot_takes_any_length() {
        for length in [0, 1, 7, 8, 19] {
            let a: Vec<f32> = (0..length).map(|at| at as f32).collect();
            assert_eq!(dot(&a, &a), (0..length).map(|at| (at * at) as f32).sum::<f32>());
        }
    }
}
