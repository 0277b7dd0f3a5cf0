//! The dense part of the network: 100 -> 50, relu, 50 -> 1.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor, TensorData};
use rand::RngExt;
use rand::rngs::StdRng;

use super::{EMBEDDING, HIDDEN};
use crate::model::training::job::FitError;

/// The two dense layers.
#[derive(Module, Debug)]
pub struct Net {
    /// `[2 * EMBEDDING, HIDDEN]`: the rows of the user's embedding, then those of the item's.
    pub hidden: Linear,
    /// `[HIDDEN, 1]`.
    pub output: Linear,
}

impl Net {
    /// Weights uniform as Glorot and Bengio (2010) give it, which is Keras' default; biases 0, but the last one `mean`:
    /// where the loss is clamped at 0, a net that begins below 0 has no gradient and stays there.
    pub fn new(mean: f32, rng: &mut StdRng, device: &Device) -> Self {
        Self { hidden: linear(2 * EMBEDDING, HIDDEN, 0.0, rng, device), output: linear(HIDDEN, 1, mean, rng, device) }
    }

    /// Predictions `[batch, 1]` for joined embeddings `[batch, 2 * EMBEDDING]`; `mask` (`[batch, HIDDEN]`) multiplies the
    /// hidden layer.
    pub fn forward(&self, joined: Tensor<2>, mask: Option<Tensor<2>>) -> Tensor<2> {
        let hidden = relu(self.hidden.forward(joined));
        self.output.forward(match mask {
            Some(mask) => hidden * mask,
            None => hidden,
        })
    }
}

fn linear(inputs: usize, outputs: usize, bias: f32, rng: &mut StdRng, device: &Device) -> Linear {
    let limit = (6.0 / (inputs + outputs) as f32).sqrt();
    let weights: Vec<f32> = (0..inputs * outputs).map(|_| rng.random_range(-limit..limit)).collect();
    Linear {
        weight: Param::from_data(TensorData::new(weights, [inputs, outputs]), device),
        bias: Some(Param::from_data(TensorData::new(vec![bias; outputs], [outputs]), device)),
    }
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
