//! The parts of a model as they are written: named tensors, as safetensors.

use std::collections::BTreeMap;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

/// Why a model could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// The bytes are no safetensors file.
    #[error("weights cannot be read: {0}")]
    Format(#[from] safetensors::SafeTensorError),
    /// A tensor that the kind needs is not there.
    #[error("tensor {0} is missing")]
    Missing(String),
    /// A tensor has another shape or type than the kind needs.
    #[error("tensor {name} is not as its kind needs it: {reason}")]
    Shape {
        /// The tensor's name.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// No such kind is known to this build.
    #[error("unknown kind of model {0}")]
    Kind(String),
    /// The settings do not belong to the kind.
    #[error("settings of kind {kind}: {reason}")]
    Settings {
        /// The kind's name.
        kind: String,
        /// What is wrong.
        reason: String,
    },
}

/// The numbers of one tensor.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// 32-bit floats.
    F32(Vec<f32>),
    /// 32-bit unsigned integers.
    U32(Vec<u32>),
}

/// One tensor, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorData {
    /// The length of each dimension.
    pub shape: Vec<usize>,
    /// As many numbers as the shape says.
    pub values: Values,
}

/// Tensors by name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tensors(pub BTreeMap<String, TensorData>);

impl Tensors {
    /// Adds a tensor of floats.
    #[must_use]
    pub fn with_f32(mut self, name: &str, shape: &[usize], values: Vec<f32>) -> Self {
        self.0.insert(name.to_owned(), TensorData { shape: shape.to_vec(), values: Values::F32(values) });
        self
    }

    /// Adds a tensor of integers.
    #[must_use]
    pub fn with_u32(mut self, name: &str, shape: &[usize], values: Vec<u32>) -> Self {
        self.0.insert(name.to_owned(), TensorData { shape: shape.to_vec(), values: Values::U32(values) });
        self
    }

    /// Takes a tensor of floats out, checked against `shape`.
    ///
    /// # Errors
    /// [`ArtifactError::Missing`], or [`ArtifactError::Shape`] where type, shape or a number that is not finite is wrong.
    pub fn take_f32(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, ArtifactError> {
        match self.take(name, shape)? {
            Values::F32(values) if values.iter().all(|value| value.is_finite()) => Ok(values),
            Values::F32(_) => Err(wrong(name, "it holds a number that is not finite")),
            Values::U32(_) => Err(wrong(name, "it holds integers")),
        }
    }

    /// Takes a tensor of integers out, checked against `shape`.
    ///
    /// # Errors
    /// [`ArtifactError::Missing`] or [`ArtifactError::Shape`].
    pub fn take_u32(&mut self, name: &str, shape: &[usize]) -> Result<Vec<u32>, ArtifactError> {
        match self.take(name, shape)? {
            Values::U32(values) => Ok(values),
            Values::F32(_) => Err(wrong(name, "it holds floats")),
        }
    }

    /// The shape of a tensor.
    ///
    /// # Errors
    /// [`ArtifactError::Missing`].
    pub fn shape(&self, name: &str) -> Result<&[usize], ArtifactError> {
        self.0.get(name).map(|t| t.shape.as_slice()).ok_or_else(|| ArtifactError::Missing(name.to_owned()))
    }

    /// Takes rows out of a tensor; `rows` are places along its first dimension, in order.
    ///
    /// # Errors
    /// [`ArtifactError::Missing`], or [`ArtifactError::Shape`] where it has no such row.
    pub fn remove_rows(&mut self, name: &str, rows: &[usize]) -> Result<(), ArtifactError> {
        let tensor = self.0.get_mut(name).ok_or_else(|| ArtifactError::Missing(name.to_owned()))?;
        let Some((count, rest)) = tensor.shape.split_first_mut() else { return Err(wrong(name, "it has no rows")) };
        if rows.last().is_some_and(|row| row >= count) {
            return Err(wrong(name, &format!("it has {count} rows, not so many as there are users")));
        }
        let width = rest.iter().product::<usize>().max(1);
        let mut at = 0;
        let mut kept = || {
            at += 1;
            rows.binary_search(&((at - 1) / width)).is_err()
        };
        match &mut tensor.values {
            Values::F32(values) => values.retain(|_| kept()),
            Values::U32(values) => values.retain(|_| kept()),
        }
        *count -= rows.len();
        Ok(())
    }

    fn take(&mut self, name: &str, shape: &[usize]) -> Result<Values, ArtifactError> {
        let tensor = self.0.remove(name).ok_or_else(|| ArtifactError::Missing(name.to_owned()))?;
        if tensor.shape != shape {
            return Err(wrong(name, &format!("its shape is {:?}, not {shape:?}", tensor.shape)));
        }
        Ok(tensor.values)
    }

    /// The bytes of a safetensors file; the same tensors give the same bytes.
    ///
    /// # Errors
    /// [`ArtifactError::Format`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, ArtifactError> {
        let raw: Vec<(&String, Dtype, &[usize], Vec<u8>)> = self
            .0
            .iter()
            .map(|(name, tensor)| match &tensor.values {
                Values::F32(v) => {
                    (name, Dtype::F32, &tensor.shape[..], v.iter().flat_map(|x| x.to_le_bytes()).collect())
                }
                Values::U32(v) => {
                    (name, Dtype::U32, &tensor.shape[..], v.iter().flat_map(|x| x.to_le_bytes()).collect())
                }
            })
            .collect();
        let views = raw
            .iter()
            .map(|(name, dtype, shape, bytes)| Ok((*name, TensorView::new(*dtype, shape.to_vec(), bytes)?)))
            .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()?;
        Ok(safetensors::serialize(views, None)?)
    }

    /// Reads a safetensors file; tensors of other types than f32 and u32 are refused.
    ///
    /// # Errors
    /// [`ArtifactError::Format`] or [`ArtifactError::Shape`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ArtifactError> {
        let file = SafeTensors::deserialize(bytes)?;
        let mut tensors = BTreeMap::new();
        for (name, view) in file.tensors() {
            let words = view.data().as_chunks::<4>().0;
            let values = match view.dtype() {
                Dtype::F32 => Values::F32(words.iter().map(|&word| f32::from_le_bytes(word)).collect()),
                Dtype::U32 => Values::U32(words.iter().map(|&word| u32::from_le_bytes(word)).collect()),
                other => return Err(wrong(&name, &format!("type {other:?} is not read"))),
            };
            tensors.insert(name, TensorData { shape: view.shape().to_vec(), values });
        }
        Ok(Self(tensors))
    }
}

fn wrong(name: &str, reason: &str) -> ArtifactError {
    ArtifactError::Shape { name: name.to_owned(), reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_survive_the_file() {
        let tensors = Tensors::default().with_f32("weights", &[2, 2], vec![1.0, -2.5, 0.0, 3.0]).with_u32(
            "rows",
            &[3],
            vec![7, 8, 9],
        );
        let bytes = tensors.to_bytes().unwrap();
        assert_eq!(bytes, tensors.to_bytes().unwrap());
        let mut back = Tensors::from_bytes(&bytes).unwrap();
        assert_eq!(back, tensors);
        assert_eq!(back.take_u32("rows", &[3]).unwrap(), [7, 8, 9]);
        assert!(matches!(back.take_f32("weights", &[4]), Err(ArtifactError::Shape { .. })));
        assert!(matches!(back.take_f32("none", &[4]), Err(ArtifactError::Missing(_))));
    }

    #[test]
    fn rows_are_taken_out_with_their_numbers() {
        let mut tensors = Tensors::default().with_f32("users", &[4, 2], (0_u8..8).map(f32::from).collect()).with_u32(
            "one",
            &[1],
            vec![5],
        );
        tensors.remove_rows("users", &[0, 2]).unwrap();
        tensors.remove_rows("one", &[0]).unwrap();
        let mut back = Tensors::from_bytes(&tensors.to_bytes().unwrap()).unwrap();
        assert_eq!(back.take_f32("users", &[2, 2]).unwrap(), [2.0, 3.0, 6.0, 7.0]);
        assert_eq!(back.take_u32("one", &[0]).unwrap(), [0_u32; 0]);
        assert!(matches!(tensors.remove_rows("users", &[2]), Err(ArtifactError::Shape { .. })));
        assert!(matches!(tensors.remove_rows("none", &[0]), Err(ArtifactError::Missing(_))));
    }
}
