//! The kinds of model, a file each, and what is done with all of them: read a recipe, fit it, load what was written.

#[cfg(test)]
mod bad_input_tests;
mod blend;
mod cooccurrence;
mod decayed;
mod ease;
mod fading;
#[cfg(test)]
mod fold_in_tests;
mod history;
pub mod ials;
mod item_knn;
mod neural_cf;
mod options;
mod popularity;
#[cfg(test)]
mod rank_tests;
#[cfg(test)]
mod real_data;
mod sequence;
mod space;
mod sparse;
#[cfg(test)]
pub(crate) mod tests;
mod warm;

use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::artifact::{ArtifactError, Tensors};
use super::dataset::Dataset;
use super::ids::{ItemId, UserId};
use super::recommender::{Fitted, Recipe, RecipeSpec, Recommender};
use super::training::job::{FitError, Job};
use blend::Blend;
use decayed::DecayedPopular;
use ease::Ease;
use ials::Ials;
use item_knn::ItemKnn;
use neural_cf::NeuralCf;
use popularity::{Popular, RecentPopular};
use sequence::Sequence;

pub use ease::KEEP;
pub use options::{CandidateOptions, specs};
pub use space::Space;

/// The kinds that this build knows.
pub const KINDS: [&str; 9] = [
    popularity::POPULAR,
    popularity::RECENT,
    decayed::KIND,
    item_knn::KIND,
    ease::KIND,
    ials::KIND,
    neural_cf::KIND,
    sequence::KIND,
    blend::KIND,
];

/// A recipe read from JSON, with the ranges that serde cannot see.
trait Settings: DeserializeOwned {
    /// Says what is out of range.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}

/// The recipe that a spec names; unknown settings, missing ones and ones out of range are refused.
///
/// # Errors
/// [`ArtifactError::Kind`] or [`ArtifactError::Settings`].
pub fn recipe(spec: &RecipeSpec) -> Result<Box<dyn Recipe>, ArtifactError> {
    Ok(match spec.kind.as_str() {
        popularity::POPULAR => Box::new(read::<Popular>(spec)?),
        popularity::RECENT => Box::new(read::<RecentPopular>(spec)?),
        decayed::KIND => Box::new(read::<DecayedPopular>(spec)?),
        item_knn::KIND => fading_recipe::<ItemKnn>(spec)?,
        ease::KIND => fading_recipe::<Ease>(spec)?,
        ials::KIND => Box::new(read::<Ials>(spec)?),
        neural_cf::KIND => Box::new(read::<NeuralCf>(spec)?),
        sequence::KIND => Box::new(read::<Sequence>(spec)?),
        blend::KIND => Box::new(read::<Blend>(spec)?),
        other => return Err(unknown(other)),
    })
}

/// Reads back what [`Recommender::save`] wrote.
///
/// # Errors
/// Any [`ArtifactError`].
pub fn load(spec: &RecipeSpec, tensors: Tensors) -> Result<Box<dyn Recommender>, ArtifactError> {
    recipe(spec)?;
    match spec.kind.as_str() {
        popularity::POPULAR => popularity::load(popularity::POPULAR, tensors),
        popularity::RECENT => popularity::load(popularity::RECENT, tensors),
        decayed::KIND => popularity::load(decayed::KIND, tensors),
        item_knn::KIND => fading_model(spec, item_knn::load(tensors)?),
        ease::KIND => fading_model(spec, ease::load(tensors)?),
        ials::KIND => ials::load(spec, tensors),
        neural_cf::KIND => neural_cf::load(tensors),
        sequence::KIND => sequence::load(tensors),
        blend::KIND => blend::load(spec, tensors),
        other => Err(unknown(other)),
    }
}

/// Fits a recipe and joins the model with the ids of the data.
///
/// # Errors
/// Any [`FitError`]; data without a row is [`FitError::Unsuited`].
pub fn fit(recipe: &dyn Recipe, data: &Dataset, parent: Option<&Fitted>, job: &Job) -> Result<Fitted, FitError> {
    if data.items() == 0 || data.users() == 0 {
        return Err(FitError::Unsuited("there is no interaction to train on".into()));
    }
    let recommender = recipe.fit(data, parent, job)?;
    let user_ids = if recommender.user_rows() == 0 { Arc::default() } else { data.user_ids.clone() };
    Ok(Fitted { recommender, settings: recipe.settings(), item_ids: data.item_ids.clone(), user_ids })
}

/// Reads back a model with its ids, which must be as many as the model has rows.
///
/// # Errors
/// Any [`ArtifactError`].
pub fn load_fitted(
    spec: &RecipeSpec,
    tensors: Tensors,
    item_ids: Arc<Vec<ItemId>>,
    user_ids: Arc<Vec<UserId>>,
) -> Result<Fitted, ArtifactError> {
    let recommender = load(spec, tensors)?;
    for (name, ids, rows) in
        [("items", item_ids.len(), recommender.items()), ("users", user_ids.len(), recommender.user_rows())]
    {
        if ids != rows {
            return Err(shape(name, format!("the model has {rows} rows, the list of ids {ids}")));
        }
    }
    Ok(Fitted { recommender, settings: spec.settings.clone(), item_ids, user_ids })
}

/// The recipe of a kind that reads histories, which may fade.
fn fading_recipe<T: Settings + Recipe + 'static>(spec: &RecipeSpec) -> Result<Box<dyn Recipe>, ArtifactError> {
    let (own, half_life_days) = fading::divide(spec)?;
    Ok(fading::recipe(Box::new(read::<T>(&own)?), half_life_days))
}

fn fading_model(spec: &RecipeSpec, model: Box<dyn Recommender>) -> Result<Box<dyn Recommender>, ArtifactError> {
    Ok(fading::model(model, fading::divide(spec)?.1))
}

fn read<T: Settings>(spec: &RecipeSpec) -> Result<T, ArtifactError> {
    let wrong = |reason: String| ArtifactError::Settings { kind: spec.kind.clone(), reason };
    let recipe: T = serde_json::from_value(spec.settings.clone()).map_err(|error| wrong(error.to_string()))?;
    recipe.check().map_err(wrong)?;
    Ok(recipe)
}

fn unknown(kind: &str) -> ArtifactError {
    ArtifactError::Kind(format!("{kind}; the kinds are {}", KINDS.join(", ")))
}

fn shape(name: &str, reason: String) -> ArtifactError {
    ArtifactError::Shape { name: name.to_owned(), reason }
}

/// The length of a tensor of one dimension.
fn length(tensors: &Tensors, name: &str) -> Result<usize, ArtifactError> {
    match tensors.shape(name)? {
        &[length] => Ok(length),
        other => Err(shape(name, format!("it has {} dimensions, not 1", other.len()))),
    }
}

/// The sizes of a tensor of two dimensions.
fn sizes(tensors: &Tensors, name: &str) -> Result<[usize; 2], ArtifactError> {
    match tensors.shape(name)? {
        &[rows, columns] => Ok([rows, columns]),
        other => Err(shape(name, format!("it has {} dimensions, not 2", other.len()))),
    }
}
