//! Forward and backward over a shard of a batch.

use burn::tensor::Device;
use rand::rngs::{StdRng, Xoshiro256PlusPlus};
use rand::{Rng, RngExt, SeedableRng};

use super::HIDDEN;
use super::net::{INPUTS, Net, rows, shared_numbers, slopes};
use super::table::Table;
use super::train::Example;
use crate::model::training::job::FitError;

/// Share of the inputs of both dense layers that dropout leaves out.
const DROPOUT: f32 = 0.2;

/// What a shard gives: its part of the batch's loss, and the slopes in it.
pub struct Found {
    /// The sum of the squared errors.
    pub loss: f64,
    /// `[shard, INPUTS]`; the last of a row means nothing.
    pub inputs: Vec<f32>,
    /// `[INPUTS, HIDDEN]`.
    pub hidden: Vec<f32>,
    /// `[HIDDEN]`.
    pub output: Vec<f32>,
    pub bias: f32,
}

/// Takes the slopes of shards.
pub struct Slopes {
    /// Draws what dropout leaves out.
    rng: Xoshiro256PlusPlus,
    device: Device,
}

impl Slopes {
    /// With draws of its own, seeded from `rng`.
    pub fn new(device: &Device, rng: &mut StdRng) -> Self {
        Self { rng: Xoshiro256PlusPlus::seed_from_u64(rng.random()), device: device.clone() }
    }

    /// The slopes that `shard` has in the mean loss over `whole` examples.
    ///
    /// # Errors
    /// [`FitError::Library`] when Burn cannot read a tensor.
    pub fn of(
        &mut self,
        net: &Net,
        shard: &[Example],
        whole: usize,
        (users, items): (&Table, &Table),
    ) -> Result<Found, FitError> {
        let kept = kept_inputs(shard.len(), &mut self.rng);
        let hidden = mask(shard.len() * HIDDEN, DROPOUT, &mut self.rng);
        let mut inputs = joined(shard, users, items);
        inputs.iter_mut().zip(&kept).for_each(|(value, kept)| *value *= kept);
        let inputs = rows(inputs, shard.len(), &self.device).require_grad();
        let mut layers = net.on(&self.device);
        layers.hidden = layers.hidden.require_grad();
        layers.output = layers.output.require_grad();
        let predicted = layers.forward_dropping(inputs.clone(), hidden)?;

        // The loss of one number per example and its slope are taken on the host: in the graph it would be a dozen
        // operations, each of which costs more than the numbers.
        let mut errors = shared_numbers(&predicted)?;
        let mut loss = 0.0;
        for (value, example) in errors.iter_mut().zip(shard) {
            let raw = *value + net.bias();
            let below = raw < 0.0;
            let error = if below { 0.0 } else { raw.ln_1p() } - example.target.ln_1p();
            loss += f64::from(error).powi(2);
            *value = if below { 0.0 } else { 2.0 * error / (1.0 + raw) / whole as f32 };
        }
        let bias = errors.iter().sum();
        let mut gradients = (predicted * rows(errors, shard.len(), &self.device)).backward();
        let mut found = slopes(inputs.grad_remove(&mut gradients))?;
        found.iter_mut().zip(&kept).for_each(|(slope, kept)| *slope *= kept);
        Ok(Found {
            loss,
            inputs: found,
            hidden: slopes(layers.hidden.grad_remove(&mut gradients))?,
            output: slopes(layers.output.grad_remove(&mut gradients))?,
            bias,
        })
    }
}

/// The inputs of each example, `[examples, INPUTS]`: the user's embedding, the item's, and 1.
pub fn joined(examples: &[Example], users: &Table, items: &Table) -> Vec<f32> {
    let mut joined = Vec::with_capacity(examples.len() * INPUTS);
    for example in examples {
        joined.extend_from_slice(users.row(example.user));
        joined.extend_from_slice(items.row(example.item));
        joined.push(1.0);
    }
    joined
}

/// Dropout of the inputs, `[examples, INPUTS]`; what the bias is multiplied by is never left out.
fn kept_inputs(examples: usize, rng: &mut Xoshiro256PlusPlus) -> Vec<f32> {
    let mut mask = mask(examples * INPUTS, DROPOUT, rng);
    mask.iter_mut().skip(INPUTS - 1).step_by(INPUTS).for_each(|kept| *kept = 1.0);
    mask
}

/// Inverted dropout: 0 for the share `dropout`, to the next 256th, of the numbers that is left out, and for the others
/// what keeps the mean at 1.
pub fn mask(length: usize, dropout: f32, rng: &mut Xoshiro256PlusPlus) -> Vec<f32> {
    let mut draws = vec![0_u8; length];
    rng.fill_bytes(&mut draws);
    let limit = (dropout * 256.0).round() as u8;
    let mut mask = vec![0.0; length];
    pulp::Arch::new().dispatch(|| {
        let kept = 256.0 / (256.0 - f32::from(limit));
        mask.iter_mut().zip(&draws).for_each(|(value, &draw)| *value = if draw < limit { 0.0 } else { kept });
    });
    mask
}
