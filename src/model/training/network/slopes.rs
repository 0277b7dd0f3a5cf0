//! Forward and backward over a batch.

use burn::optim::GradientsParams;
use burn::tensor::Device;
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};

use super::net::{Net, numbers, rows};
use super::table::Table;
use super::train::Example;
use super::{EMBEDDING, HIDDEN};
use crate::model::training::job::FitError;

/// Share of the inputs of both dense layers that dropout leaves out.
const DROPOUT: f32 = 0.2;

/// What a batch gives.
pub struct Found {
    /// The sum of the squared errors.
    pub loss: f64,
    /// The slope in the batch's embeddings, `[batch, 2 * EMBEDDING]`.
    pub embeddings: Vec<f32>,
    /// The slope in the layers.
    pub layers: GradientsParams,
}

/// Takes the slopes of batches.
pub struct Slopes {
    /// Draws what dropout leaves out.
    rng: StdRng,
    device: Device,
}

impl Slopes {
    /// With draws of its own, seeded from `rng`.
    pub fn new(device: &Device, rng: &mut StdRng) -> Self {
        Self { rng: StdRng::seed_from_u64(rng.random()), device: device.clone() }
    }

    /// The slopes that `batch` has in the mean loss over `whole` examples.
    ///
    /// # Errors
    /// [`FitError::Library`] when Burn cannot read a tensor.
    pub fn of(
        &mut self,
        net: &Net,
        batch: &[Example],
        whole: usize,
        (users, items): (&Table, &Table),
    ) -> Result<Found, FitError> {
        let inputs = mask(batch.len() * 2 * EMBEDDING, DROPOUT, &mut self.rng);
        let hidden = mask(batch.len() * HIDDEN, DROPOUT, &mut self.rng);
        let mut joined = joined(batch, users, items);
        joined.iter_mut().zip(&inputs).for_each(|(value, keep)| *value *= keep);
        let joined = rows(joined, batch.len(), &self.device).require_grad();
        let predicted = net.forward(joined.clone(), Some(rows(hidden, batch.len(), &self.device)));

        // The loss of one number per example and its slope are taken on the host: in the graph it would be a dozen
        // operations, each of which costs more than the numbers.
        let mut slopes = numbers(predicted.clone().inner())?;
        let mut loss = 0.0;
        for (value, example) in slopes.iter_mut().zip(batch) {
            let below = *value < 0.0;
            let error = if below { 0.0 } else { value.ln_1p() } - example.target.ln_1p();
            loss += f64::from(error).powi(2);
            *value = if below { 0.0 } else { 2.0 * error / (1.0 + *value) / whole as f32 };
        }
        let mut gradients = (predicted * rows(slopes, batch.len(), &self.device)).sum().backward();
        let gradient =
            joined.grad_remove(&mut gradients).ok_or_else(|| FitError::Library("burn: no gradient".into()))?;
        let mut embeddings = numbers(gradient)?;
        embeddings.iter_mut().zip(&inputs).for_each(|(slope, keep)| *slope *= keep);
        Ok(Found { loss, embeddings, layers: GradientsParams::from_grads(gradients, net) })
    }
}

/// The embeddings of each example, the user's then the item's.
pub fn joined(examples: &[Example], users: &Table, items: &Table) -> Vec<f32> {
    let mut joined = Vec::with_capacity(examples.len() * 2 * EMBEDDING);
    for example in examples {
        joined.extend_from_slice(users.row(example.user));
        joined.extend_from_slice(items.row(example.item));
    }
    joined
}

/// Inverted dropout: 0 for the share `dropout` of the numbers that is left out, else 1 / (1 - `dropout`).
pub fn mask(length: usize, dropout: f32, rng: &mut StdRng) -> Vec<f32> {
    let mut draws = vec![0_u8; 2 * length];
    rng.fill_bytes(&mut draws);
    let limit = (dropout * 65_536.0) as u16;
    let kept = 1.0 / (1.0 - dropout);
    draws.as_chunks::<2>().0.iter().map(|&draw| if u16::from_le_bytes(draw) < limit { 0.0 } else { kept }).collect()
}
