//! Forward and backward over a shard of a batch.

#![expect(clippy::indexing_slicing, reason = "batches have known shapes")]

use burn::optim::GradientsParams;
use burn::tensor::Device;
use rand::rngs::{StdRng, Xoshiro256PlusPlus};
use rand::{RngExt, SeedableRng};

use super::encoder::{Encoder, cube};
use super::softmax::Columns;
use super::steps::{HEADS, Step, places};
use super::weights::strength;
use crate::model::training::job::FitError;
use crate::model::training::network::net::{rows, shared_numbers, slopes as taken};
use crate::model::training::network::slopes::mask;
use crate::model::training::network::table::Table;

/// The tables that histories are read with.
#[derive(Clone, Copy)]
pub struct Reading<'a> {
    pub inputs: &'a Table,
    pub strengths: &'a Table,
    /// What an ordinary weight is.
    pub typical: f32,
}

/// What the shards of a batch share.
pub struct Batch<'a> {
    /// Rows of the whole batch.
    pub rows: usize,
    /// The items that scores are taken for.
    pub columns: &'a Columns,
    /// Their rows of outputs.
    pub outputs: &'a [f32],
    /// Their biases.
    pub biases: &'a [f32],
    pub reading: Reading<'a>,
}

/// One shard.
pub struct Part<'a> {
    pub encoder: Encoder,
    pub histories: &'a [Vec<Step>],
    /// What each history is to foretell.
    pub targets: &'a [Vec<u32>],
}

/// What a shard gives: its part of the batch's mean loss, and the slopes in it.
pub struct Found {
    pub loss: f64,
    /// `[columns, width]`.
    pub outputs: Vec<f32>,
    /// `[columns]`.
    pub biases: Vec<f32>,
    /// Steps of the longest history.
    pub steps: usize,
    /// `[rows, steps, width]`.
    pub embeddings: Vec<f32>,
    /// `[rows, HEADS, steps]`.
    pub strengths: Vec<f32>,
    pub layers: GradientsParams,
}

/// The histories of a shard, padded to the longest.
struct Padded {
    steps: usize,
    /// `[rows, steps, width]`.
    embeddings: Vec<f32>,
    /// `[rows, HEADS, steps]`.
    strengths: Vec<f32>,
    /// `[rows, HEADS, steps]`.
    signs: Vec<f32>,
}

/// Takes the slopes of shards.
pub struct Slopes {
    /// Draws what dropout leaves out.
    rng: Xoshiro256PlusPlus,
    dropout: f32,
    device: Device,
}

impl Slopes {
    /// With draws of its own, seeded from `rng`.
    pub fn new(device: &Device, dropout: f32, rng: &mut StdRng) -> Self {
        Self { rng: Xoshiro256PlusPlus::seed_from_u64(rng.random()), dropout, device: device.clone() }
    }

    /// The slopes that `part` has in the mean loss over the batch.
    ///
    /// # Errors
    /// [`FitError::Library`] when Burn cannot read a tensor.
    pub fn of(&mut self, part: Part<'_>, batch: &Batch<'_>) -> Result<Found, FitError> {
        let Part { encoder, histories, targets } = part;
        let (size, width) = (histories.len(), batch.outputs.len() / batch.columns.items.len().max(1));
        let Padded { steps, embeddings, strengths, signs } = padded(histories, width, batch.reading);
        let embeddings = cube(embeddings, [size, steps, width], &self.device).require_grad();
        let strengths = cube(strengths, [size, HEADS, steps], &self.device).require_grad();
        let signs = cube(signs, [size, HEADS, steps], &self.device);
        let outputs = rows(batch.outputs.to_vec(), batch.columns.items.len(), &self.device).require_grad();
        let kept = rows(mask(size * width, self.dropout, &mut self.rng), size, &self.device);
        let users = encoder.forward(embeddings.clone(), strengths.clone(), signs) * kept;
        let scores = users.matmul(outputs.clone().transpose());

        // The loss and its slope in the scores are taken on the host, in one pass over them; the graph then begins from
        // products that have this slope.
        let mut slopes = shared_numbers(&scores)?;
        for row in slopes.chunks_exact_mut(batch.biases.len()) {
            row.iter_mut().zip(batch.biases).for_each(|(score, bias)| *score += bias);
        }
        let loss = batch.columns.slopes(&mut slopes, histories, targets, batch.rows);
        let mut biases = vec![0.0; batch.biases.len()];
        for row in slopes.chunks_exact(biases.len()) {
            biases.iter_mut().zip(row).for_each(|(sum, slope)| *sum += slope);
        }
        let mut gradients = (scores * rows(slopes, size, &self.device)).backward();
        Ok(Found {
            loss,
            outputs: taken(outputs.grad_remove(&mut gradients))?,
            biases,
            steps,
            embeddings: taken(embeddings.grad_remove(&mut gradients))?,
            strengths: taken(strengths.grad_remove(&mut gradients))?,
            layers: GradientsParams::from_grads(gradients, &encoder),
        })
    }
}

/// Gathers the rows of the histories.
fn padded(histories: &[Vec<Step>], width: usize, reading: Reading<'_>) -> Padded {
    let steps = histories.iter().map(Vec::len).max().unwrap_or(0);
    let mut embeddings = vec![0.0; histories.len() * steps * width];
    let mut strengths = vec![0.0; histories.len() * HEADS * steps];
    let mut signs = strengths.clone();
    for (row, history) in histories.iter().enumerate() {
        for (at, (step, places)) in history.iter().zip(places(history, reading.typical)).enumerate() {
            embeddings[(row * steps + at) * width..][..width].copy_from_slice(reading.inputs.row(step.item));
            for head in 0..HEADS {
                let slot = (row * HEADS + head) * steps + at;
                strengths[slot] = strength(reading.strengths.rows(), places, head);
                signs[slot] = 1.0_f32.copysign(step.weight);
            }
        }
    }
    Padded { steps, embeddings, strengths, signs }
}
