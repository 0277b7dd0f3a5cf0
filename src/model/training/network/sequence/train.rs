//! The training loop.

#![expect(clippy::indexing_slicing, reason = "items are dense indices, and batches have known shapes")]

use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::Device;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::encoder::{Encoder, cube, first_layers};
use super::rows::{Order, Row, Sequences};
use super::softmax::Drawing;
use super::steps::{HEADS, PLACES, Step, fill_unmet, first_strengths, places};
use super::weights::{Weights, strength};
use crate::model::dataset::Dataset;
use crate::model::training::job::{FitError, Job};
use crate::model::training::network::device;
use crate::model::training::network::net::{numbers, rows};
use crate::model::training::network::slopes::mask;
use crate::model::training::network::table::{EPSILON, Table};
use crate::model::training::pool;

/// How to train.
#[derive(Debug, Clone)]
pub struct SequenceSettings {
    /// Length of an embedding.
    pub dimensions: usize,
    /// Passes over the users.
    pub epochs: usize,
    /// Histories per step.
    pub batch: usize,
    /// Adam's first step size; it falls to 0 in a straight line.
    pub learning_rate: f64,
    /// Share of a user's vector that dropout leaves out.
    pub dropout: f32,
    /// What is foretold.
    pub order: Order,
    /// The longest history; of a longer one the latest steps count.
    pub history: usize,
}

/// Trains on the users' sequences, beginning from `parent` where there is one: weights of the same dimensions over the
/// same items. Runs on one thread: at these sizes more cost more than they bring.
///
/// # Errors
/// [`FitError::Unsuited`] when no user took two items, [`FitError::NotFinite`], [`FitError::Cancelled`],
/// [`FitError::Library`].
pub fn train(
    data: &Dataset,
    settings: &SequenceSettings,
    parent: Option<Weights>,
    job: &Job,
) -> Result<Weights, FitError> {
    pool::within(1, || {
        let mut rng = StdRng::seed_from_u64(job.seed);
        let sequences = Sequences::new(data, settings.order, settings.history);
        let takers = sequences.takers();
        let weights = parent.unwrap_or_else(|| first(&takers, sequences.typical(), settings.dimensions, &mut rng));
        let (mut trainer, mut encoder) = Trainer::new(weights, &takers, settings, rng);
        let mut learnt = 0;
        for epoch in 0..settings.epochs {
            let batches = sequences.epoch(settings.batch, &mut trainer.rng);
            let (mut sum, mut count) = (0.0, 0);
            for (at, batch) in batches.iter().enumerate() {
                job.check()?;
                let done = (epoch as f64 + at as f64 / batches.len() as f64) / settings.epochs as f64;
                job.progress(done as f32);
                let loss;
                (encoder, loss) = trainer.batch(encoder, &sequences, batch, settings.learning_rate * (1.0 - done))?;
                let Some((loss, rows)) = loss else { continue };
                sum += loss * rows as f64;
                count += rows;
            }
            learnt += count;
            let loss = sum / count.max(1) as f64;
            job.log(format!(
                "sequence: epoch {} of {}, loss {loss:.4} over {count} histories",
                epoch + 1,
                settings.epochs
            ));
        }
        if learnt == 0 {
            return Err(FitError::Unsuited("sequence needs a user who took one item and liked another".into()));
        }
        trainer.finish(&encoder)
    })?
}

/// Weights to begin from: small random embeddings, and each item's bias as its popularity has it.
fn first(takers: &[u32], typical: f32, dimensions: usize, rng: &mut StdRng) -> Weights {
    let mut embeddings = || (0..takers.len() * dimensions).map(|_| rng.random_range(-0.15..0.15)).collect();
    let (inputs, outputs) = (embeddings(), embeddings());
    let [mix, inner, outer] = first_layers(dimensions, rng);
    let mean = takers.iter().map(|&takers| f64::from(takers)).sum::<f64>() / takers.len() as f64;
    let bias = takers.iter().map(|&takers| ((f64::from(takers) + 0.5) / (mean + 0.5)).ln() as f32).collect();
    let (strengths, inner_bias) = (first_strengths(), vec![0.0; dimensions]);
    Weights { dimensions, inputs, outputs, bias, strengths, mix, inner, inner_bias, outer, typical }
}

struct Trainer {
    /// The layers in it are those that training began from, until [`Self::finish`].
    weights: Weights,
    inputs: Table,
    outputs: Table,
    bias: Table,
    strengths: Table,
    met: [bool; PLACES],
    drawing: Drawing,
    optimiser: ModuleOptimizer,
    dropout: f32,
    rng: StdRng,
    device: Device,
}

/// The histories of a batch, padded to the longest.
struct Padded {
    steps: usize,
    /// `[batch, steps, dimensions]`.
    embeddings: Vec<f32>,
    /// `[batch, HEADS, steps]`.
    strengths: Vec<f32>,
    /// `[batch, HEADS, steps]`.
    signs: Vec<f32>,
}

impl Trainer {
    fn new(mut weights: Weights, takers: &[u32], settings: &SequenceSettings, rng: StdRng) -> (Self, Encoder) {
        let device = device::plain().autodiff();
        let encoder = Encoder::new(&weights, &device);
        let table = |width, rows: &mut Vec<f32>| Table::from_rows(width, std::mem::take(rows));
        let trainer = Self {
            inputs: table(settings.dimensions, &mut weights.inputs),
            outputs: table(settings.dimensions, &mut weights.outputs),
            bias: table(1, &mut weights.bias),
            strengths: table(HEADS, &mut weights.strengths),
            weights,
            met: [false; PLACES],
            drawing: Drawing::new(takers),
            optimiser: AdamConfig::new().with_epsilon(EPSILON).init(),
            dropout: settings.dropout,
            rng,
            device,
        };
        (trainer, encoder)
    }

    /// One step; the mean loss and the number of rows that had something to foretell, if any had.
    fn batch(
        &mut self,
        encoder: Encoder,
        sequences: &Sequences<'_>,
        batch: &[Row],
        learning_rate: f64,
    ) -> Result<(Encoder, Option<(f64, usize)>), FitError> {
        let (histories, targets): (Vec<Vec<Step>>, Vec<Vec<u32>>) = batch
            .iter()
            .map(|&row| sequences.read(row, &mut self.rng))
            .filter(|(_, targets)| !targets.is_empty())
            .unzip();
        if histories.is_empty() {
            return Ok((encoder, None));
        }
        let (size, width) = (histories.len(), self.weights.dimensions);
        let Padded { steps, embeddings, strengths, signs } = self.padded(&histories);
        let columns = self.drawing.columns(&targets, &mut self.rng);
        let gathered: Vec<f32> = columns.items.iter().flat_map(|&item| self.outputs.row(item)).copied().collect();
        let biases: Vec<f32> = columns.items.iter().flat_map(|&item| self.bias.row(item)).copied().collect();

        let embeddings = cube(embeddings, [size, steps, width], &self.device).require_grad();
        let strengths = cube(strengths, [size, HEADS, steps], &self.device).require_grad();
        let signs = cube(signs, [size, HEADS, steps], &self.device);
        let outputs = rows(gathered, columns.items.len(), &self.device).require_grad();
        let kept = rows(mask(size * width, self.dropout, &mut self.rng), size, &self.device);
        let users = encoder.forward(embeddings.clone(), strengths.clone(), signs) * kept;
        let scores = users.matmul(outputs.clone().transpose());

        // The loss and its slope in the scores are taken on the host, in one pass over them; the graph then begins from
        // a sum that has this slope.
        let mut slopes = numbers(scores.clone().inner())?;
        for row in slopes.chunks_exact_mut(biases.len()) {
            row.iter_mut().zip(&biases).for_each(|(score, bias)| *score += bias);
        }
        let loss = columns.slopes(&mut slopes, &targets);
        if !loss.is_finite() {
            return Err(FitError::NotFinite("the loss of sequence".into()));
        }
        let mut of_biases = vec![0.0; biases.len()];
        for row in slopes.chunks_exact(biases.len()) {
            of_biases.iter_mut().zip(row).for_each(|(sum, slope)| *sum += slope);
        }
        let mut gradients = (scores * rows(slopes, size, &self.device)).sum().backward();
        let taken = |tensor: Option<Vec<f32>>| tensor.ok_or_else(|| FitError::Library("burn: no gradient".into()));
        let of_outputs = taken(outputs.grad_remove(&mut gradients).map(numbers).transpose()?)?;
        let of_embeddings = taken(embeddings.grad_remove(&mut gradients).map(numbers).transpose()?)?;
        let of_strengths = taken(strengths.grad_remove(&mut gradients).map(numbers).transpose()?)?;
        for ((&item, slopes), slope) in columns.items.iter().zip(of_outputs.chunks_exact(width)).zip(of_biases) {
            self.outputs.add(item, slopes.iter().copied());
            self.bias.add(item, [slope].into_iter());
        }
        for (row, history) in histories.iter().enumerate() {
            for (at, (step, places)) in history.iter().zip(places(history, self.weights.typical)).enumerate() {
                let slopes = &of_embeddings[(row * steps + at) * width..][..width];
                self.inputs.add(step.item, slopes.iter().copied());
                let of_head = |head: usize| of_strengths[(row * HEADS + head) * steps + at];
                for place in places {
                    self.met[place] = true;
                    self.strengths.add(place as u32, (0..HEADS).map(of_head));
                }
            }
        }
        for table in [&mut self.inputs, &mut self.outputs, &mut self.bias, &mut self.strengths] {
            table.step(learning_rate as f32);
        }
        let gradients = GradientsParams::from_grads(gradients, &encoder);
        Ok((self.optimiser.step(learning_rate, encoder, gradients), Some((loss, size))))
    }

    /// Gathers the rows of the histories.
    fn padded(&self, histories: &[Vec<Step>]) -> Padded {
        let steps = histories.iter().map(Vec::len).max().unwrap_or(0);
        let width = self.weights.dimensions;
        let mut embeddings = vec![0.0; histories.len() * steps * width];
        let mut strengths = vec![0.0; histories.len() * HEADS * steps];
        let mut signs = strengths.clone();
        for (row, history) in histories.iter().enumerate() {
            for (at, (step, places)) in history.iter().zip(places(history, self.weights.typical)).enumerate() {
                embeddings[(row * steps + at) * width..][..width].copy_from_slice(self.inputs.row(step.item));
                for head in 0..HEADS {
                    let slot = (row * HEADS + head) * steps + at;
                    strengths[slot] = strength(self.strengths.rows(), places, head);
                    signs[slot] = 1.0_f32.copysign(step.weight);
                }
            }
        }
        Padded { steps, embeddings, strengths, signs }
    }

    /// The trained weights.
    fn finish(self, encoder: &Encoder) -> Result<Weights, FitError> {
        let mut weights = self.weights;
        encoder.write(&mut weights)?;
        weights.inputs = self.inputs.into_rows();
        weights.outputs = self.outputs.into_rows();
        weights.bias = self.bias.into_rows();
        weights.strengths = self.strengths.into_rows();
        fill_unmet(&mut weights.strengths, &self.met);
        if weights.finite() { Ok(weights) } else { Err(FitError::NotFinite("a weight of sequence".into())) }
    }
}
