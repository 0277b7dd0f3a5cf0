//! The kinds of model, a file each.

use super::artifact::{ArtifactError, Tensors};
use super::recommender::{Recipe, RecipeSpec, Recommender};

/// The recipe that a spec names.
///
/// # Errors
/// [`ArtifactError::Kind`] or [`ArtifactError::Settings`].
pub fn recipe(spec: &RecipeSpec) -> Result<Box<dyn Recipe>, ArtifactError> {
    Err(ArtifactError::Kind(spec.kind.clone()))
}

/// Reads back what [`Recommender::save`] wrote.
///
/// # Errors
/// Any [`ArtifactError`].
pub fn load(spec: &RecipeSpec, _tensors: Tensors) -> Result<Box<dyn Recommender>, ArtifactError> {
    Err(ArtifactError::Kind(spec.kind.clone()))
}
