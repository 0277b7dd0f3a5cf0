//! The part of the network that is a graph: from the gathered rows of a batch to its users' vectors.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor, TensorData};
use rand::RngExt;
use rand::rngs::StdRng;

use super::steps::HEADS;
use super::weights::{DAMPING, Weights};
use crate::model::training::job::FitError;
use crate::model::training::network::net::numbers;

/// The dense layers; [`Weights`] says what they compute.
#[derive(Module, Debug)]
pub struct Encoder {
    mix: Linear,
    inner: Linear,
    outer: Linear,
}

impl Encoder {
    /// The layers of `weights`.
    pub fn new(weights: &Weights, device: &Device) -> Self {
        let width = weights.dimensions;
        let layer = |values: &[f32], bias: Option<&[f32]>| Linear {
            weight: Param::from_data(TensorData::new(values.to_vec(), [values.len() / width, width]), device),
            bias: bias.map(|bias| Param::from_data(TensorData::new(bias.to_vec(), [width]), device)),
        };
        Self {
            mix: layer(&weights.mix, None),
            inner: layer(&weights.inner, Some(&weights.inner_bias)),
            outer: layer(&weights.outer, None),
        }
    }

    /// The users' vectors `[batch, width]` for embeddings `[batch, steps, width]`, strengths `[batch, HEADS, steps]` and
    /// signs of the same shape: 1, -1 for a disliked item, 0 where a history has no step.
    pub fn forward(&self, embeddings: Tensor<3>, strengths: Tensor<3>, signs: Tensor<3>) -> Tensor<2> {
        let [batch, _, width] = embeddings.dims();
        let weights = strengths.exp();
        let totals = (weights.clone() * signs.clone().abs()).sum_dim(2);
        let pooled = (weights * signs).matmul(embeddings) * totals.powf_scalar(-DAMPING);
        let user = self.mix.forward(pooled.reshape([batch, HEADS * width]));
        user.clone() + self.outer.forward(relu(self.inner.forward(user)))
    }

    /// Writes the layers back.
    ///
    /// # Errors
    /// [`FitError::Library`] when Burn cannot read them.
    pub fn write(&self, weights: &mut Weights) -> Result<(), FitError> {
        weights.mix = numbers(self.mix.weight.val())?;
        weights.inner = numbers(self.inner.weight.val())?;
        weights.outer = numbers(self.outer.weight.val())?;
        if let Some(bias) = &self.inner.bias {
            weights.inner_bias = numbers(bias.val())?;
        }
        Ok(())
    }
}

/// The layers that training begins from (`mix`, `inner`, `outer`): the heads' mean, and a residual layer that adds
/// nothing yet.
pub fn first_layers(width: usize, rng: &mut StdRng) -> [Vec<f32>; 3] {
    let mut mix = vec![0.0; HEADS * width * width];
    for (row, values) in mix.chunks_exact_mut(width).enumerate() {
        values.iter_mut().skip(row % width).take(1).for_each(|value| *value = 1.0 / HEADS as f32);
    }
    let limit = (3.0 / width as f32).sqrt();
    let inner = (0..width * width).map(|_| rng.random_range(-limit..limit)).collect();
    [mix, inner, vec![0.0; width * width]]
}

/// A tensor of three dimensions.
pub fn cube(values: Vec<f32>, shape: [usize; 3], device: &Device) -> Tensor<3> {
    Tensor::from_data(TensorData::new(values, shape), device)
}
