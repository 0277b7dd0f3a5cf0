//! The kinds of model, a file each.

use super::artifact::{ArtifactError, Tensors};
use std::sync::Arc;

use super::dataset::Dataset;
use super::recommender::{Fitted, Recipe, RecipeSpec, Recommender};
use super::training::job::{FitError, Job};

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

/// Fits `recipe` and joins the model with the dataset's ids.
///
/// # Errors
/// As [`Recipe::fit`].
pub fn fit(recipe: &dyn Recipe, data: &Dataset, parent: Option<&Fitted>, job: &Job) -> Result<Fitted, FitError> {
    let recommender = recipe.fit(data, parent, job)?;
    let user_ids = if recommender.user_rows() > 0 { data.user_ids.clone() } else { Arc::default() };
    Ok(Fitted { recommender, settings: recipe.settings(), item_ids: data.item_ids.clone(), user_ids })
}
