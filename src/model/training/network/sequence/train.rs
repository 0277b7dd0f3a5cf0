//! The training loop.

#![expect(clippy::indexing_slicing, reason = "items are dense indices, and batches have known shapes")]

use burn::module::Module;
use burn::optim::{AdamConfig, GradientsAccumulator, ModuleOptimizer};
use burn::tensor::Device;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::encoder::{Encoder, first_layers};
use super::rows::{Order, Row, Sequences};
use super::slopes::{Batch, Part, Reading, Slopes};
use super::softmax::Drawing;
use super::steps::{HEADS, PLACES, Step, fill_unmet, first_strengths, places};
use super::weights::Weights;
use crate::model::dataset::Dataset;
use crate::model::training::job::{FitError, Job};
use crate::model::training::network::device;
use crate::model::training::network::shards::Shards;
use crate::model::training::network::table::{EPSILON, Table};
use crate::model::training::pool;

/// Fewer histories than this are not worth a thread of their own.
const SMALLEST_SHARD: usize = 64;

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

/// Where training begins instead of from random weights.
#[derive(Debug, Clone)]
pub struct Parent {
    /// Trained weights of as many dimensions.
    pub weights: Weights,
    /// By item of the data: its row there, if it has one.
    pub rows: Vec<Option<u32>>,
}

/// Trains on the users' sequences, beginning from `parent` where there is one. Small batches run on one thread, of larger
/// ones each thread takes a shard.
///
/// # Errors
/// [`FitError::Unsuited`] when no user took two items, [`FitError::NotFinite`], [`FitError::Cancelled`],
/// [`FitError::Library`].
pub fn train(
    data: &Dataset,
    settings: &SequenceSettings,
    parent: Option<&Parent>,
    job: &Job,
) -> Result<Weights, FitError> {
    pool::within(1, || {
        let mut rng = StdRng::seed_from_u64(job.seed);
        let sequences = Sequences::new(data, settings.order, settings.history);
        let takers = sequences.takers();
        let mut weights = first(&takers, sequences.typical(), settings.dimensions, &mut rng);
        if let Some(Parent { weights: known, rows }) = parent {
            weights.inherit(known, rows);
        }
        let (mut trainer, mut encoder) = Trainer::new(weights, &takers, settings, job.threads, rng)?;
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
    shards: Shards<Slopes>,
    rng: StdRng,
    device: Device,
}

impl Trainer {
    fn new(
        mut weights: Weights,
        takers: &[u32],
        settings: &SequenceSettings,
        threads: usize,
        mut rng: StdRng,
    ) -> Result<(Self, Encoder), FitError> {
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
            shards: Shards::new(threads, settings.batch, SMALLEST_SHARD, || {
                Slopes::new(&device, settings.dropout, &mut rng)
            })?,
            rng,
            device,
        };
        Ok((trainer, encoder))
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
        let columns = self.drawing.columns(&targets, &mut self.rng);
        let gathered =
            |table: &Table| -> Vec<f32> { columns.items.iter().flat_map(|&item| table.row(item)).copied().collect() };
        let (outputs, biases) = (gathered(&self.outputs), gathered(&self.bias));
        let reading = Reading { inputs: &self.inputs, strengths: &self.strengths, typical: self.weights.typical };
        let shard = self.shards.size(size);
        let parts: Vec<Part<'_>> = histories
            .chunks(shard)
            .zip(targets.chunks(shard))
            .map(|(histories, targets)| Part { encoder: encoder.clone().fork(&self.device), histories, targets })
            .collect();
        let batch = Batch { rows: size, columns: &columns, outputs: &outputs, biases: &biases, reading };
        let found = self.shards.each(parts, |slopes, part| slopes.of(part, &batch))?;
        let mut layers = GradientsAccumulator::new();
        let mut loss = 0.0;
        for (found, histories) in found.into_iter().zip(histories.chunks(shard)) {
            loss += found.loss;
            for ((&item, slopes), slope) in
                columns.items.iter().zip(found.outputs.chunks_exact(width)).zip(found.biases)
            {
                self.outputs.add(item, slopes);
                self.bias.add(item, &[slope]);
            }
            for (row, history) in histories.iter().enumerate() {
                for (at, (step, places)) in history.iter().zip(places(history, self.weights.typical)).enumerate() {
                    let slopes = &found.embeddings[(row * found.steps + at) * width..][..width];
                    self.inputs.add(step.item, slopes);
                    let mut strengths = [0.0; HEADS];
                    for (head, strength) in strengths.iter_mut().enumerate() {
                        *strength = found.strengths[(row * HEADS + head) * found.steps + at];
                    }
                    for place in places {
                        self.met[place] = true;
                        self.strengths.add(place as u32, &strengths);
                    }
                }
            }
            layers.accumulate(&encoder, found.layers);
        }
        if !loss.is_finite() {
            return Err(FitError::NotFinite("the loss of sequence".into()));
        }
        for table in [&mut self.inputs, &mut self.outputs, &mut self.bias, &mut self.strengths] {
            table.step(learning_rate as f32);
        }
        Ok((self.optimiser.step(learning_rate, encoder, layers.grads()), Some((loss, size))))
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
