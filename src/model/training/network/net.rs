//! The dense part of the network: 100 -> 50, relu, 50 -> 1.

use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor, TensorData};
use rand::RngExt;
use rand::rngs::StdRng;

use super::slopes::Found;
use super::table::Table;
use super::{EMBEDDING, HIDDEN};
use crate::model::training::job::FitError;

/// The numbers that go into the hidden layer per example: both embeddings, and a 1 that its bias is multiplied by.
pub const INPUTS: usize = 2 * EMBEDDING + 1;

/// The parameters of both layers. Like the embeddings they are on the host and enter a batch's graph as leaves.
pub struct Net {
    /// `[INPUTS, HIDDEN]`: the rows of the user's embedding, those of the item's, the bias.
    pub hidden: Table,
    /// `[1, HIDDEN]`.
    pub output: Table,
    /// `[1, 1]`: the output's bias.
    bias: Table,
}

/// The layers in a graph.
pub struct Layers {
    /// `[INPUTS, HIDDEN]`.
    pub hidden: Tensor<2>,
    /// `[HIDDEN, 1]`.
    pub output: Tensor<2>,
}

impl Net {
    /// Weights uniform as Glorot and Bengio (2010) give it, which is Keras' default; biases 0, but the last one `mean`:
    /// where the loss is clamped at 0, a net that begins below 0 has no gradient and stays there.
    pub fn new(mean: f32, rng: &mut StdRng) -> Self {
        let mut hidden = uniform(2 * EMBEDDING, HIDDEN, rng);
        hidden.resize(INPUTS * HIDDEN, 0.0);
        Self {
            hidden: Table::from_rows(HIDDEN, hidden),
            output: Table::from_rows(HIDDEN, uniform(HIDDEN, 1, rng)),
            bias: Table::from_rows(1, vec![mean]),
        }
    }

    /// The layers as leaves of a graph on `device`.
    pub fn on(&self, device: &Device) -> Layers {
        Layers {
            hidden: rows(self.hidden.rows().to_vec(), INPUTS, device),
            output: rows(self.output.rows().to_vec(), HIDDEN, device),
        }
    }

    /// The output's bias.
    pub fn bias(&self) -> f32 {
        self.bias.rows().iter().sum()
    }

    /// Adds a shard's slopes to the gradients.
    pub fn add(&mut self, found: &Found) {
        self.hidden.add_all(&found.hidden);
        self.output.add_all(&found.output);
        self.bias.add_all(&[found.bias]);
    }

    /// One step of the layers on the gradients that were added to them.
    pub fn step(&mut self, learning_rate: f32) {
        for table in [&mut self.hidden, &mut self.output, &mut self.bias] {
            table.step(learning_rate);
        }
    }
}

impl Layers {
    /// Predictions `[batch, 1]`, the output's bias not added, for inputs `[batch, INPUTS]`.
    pub fn forward(&self, inputs: Tensor<2>) -> Tensor<2> {
        relu(inputs.matmul(self.hidden.clone())).matmul(self.output.clone())
    }

    /// [`Self::forward`] with dropout of the hidden layer, `mask` being `[batch, HIDDEN]`.
    ///
    /// # Errors
    /// [`FitError::Library`] when Burn cannot read a tensor.
    pub fn forward_dropping(&self, inputs: Tensor<2>, mut mask: Vec<f32>) -> Result<Tensor<2>, FitError> {
        let sums = inputs.matmul(self.hidden.clone());
        // The relu and dropout in one factor, 0 where either leaves a number out: in the graph the relu's slope alone
        // would be two passes.
        for (factor, &sum) in mask.iter_mut().zip(&shared_numbers(&sums)?) {
            *factor *= f32::from(u8::from(sum > 0.0));
        }
        let [batch, _] = sums.dims();
        let factors = rows(mask, batch, &sums.device());
        Ok((sums * factors).matmul(self.output.clone()))
    }
}

fn uniform(inputs: usize, outputs: usize, rng: &mut StdRng) -> Vec<f32> {
    let limit = (6.0 / (inputs + outputs) as f32).sqrt();
    (0..inputs * outputs).map(|_| rng.random_range(-limit..limit)).collect()
}

/// A tensor of `rows` rows.
pub fn rows(values: Vec<f32>, rows: usize, device: &Device) -> Tensor<2> {
    let columns = values.len() / rows.max(1);
    Tensor::from_data(TensorData::new(values, [rows, columns]), device)
}

/// The numbers of a tensor, row-major.
///
/// # Errors
/// [`FitError::Library`] when Burn cannot read them.
pub fn numbers<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, FitError> {
    let data = tensor.try_into_data().map_err(|error| FitError::Library(format!("burn: {error:?}")))?;
    data.try_into_vec().map_err(|error| FitError::Library(format!("burn: {error:?}")))
}

/// The numbers of a tensor that a graph holds, row-major. Burn would read them one by one, by way of their indices; a
/// product that is no one else's gives them away as they lie.
///
/// # Errors
/// [`FitError::Library`] when Burn cannot read them.
pub fn shared_numbers<const D: usize>(tensor: &Tensor<D>) -> Result<Vec<f32>, FitError> {
    numbers(tensor.clone().inner().mul_scalar(1.0))
}

/// The numbers of a gradient, row-major.
///
/// # Errors
/// [`FitError::Library`] when there is none or Burn cannot read it.
pub fn slopes<const D: usize>(gradient: Option<Tensor<D>>) -> Result<Vec<f32>, FitError> {
    gradient.map(numbers).unwrap_or_else(|| Err(FitError::Library("burn: no gradient".into())))
}
