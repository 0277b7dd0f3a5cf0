//! The kinds of model, a file each.

pub mod ease;
pub mod popularity;

use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::artifact::{ArtifactError, Tensors};
use super::dataset::Dataset;
use super::ids::{ItemId, UserId};
use super::recommender::{Fitted, Recipe, RecipeSpec, Recommender};
use super::training::job::{FitError, Job};
use ease::Ease;
use popularity::{NoSettings, Popularity};

/// Every kind that this build knows.
pub const KINDS: [&str; 3] = ["popular", "recent-popular", ease::KIND];

/// What the settings say of the kinds.
#[derive(Debug, Clone, PartialEq)]
pub struct CandidateOptions {
    /// The kinds that a run trains.
    pub kinds: Vec<String>,
    /// The largest catalogue of `ease`.
    pub ease_max_items: usize,
    /// The values of λ that are tried.
    pub ease_lambdas: Vec<f32>,
}

/// The recipes that a run tries, several of a kind where several settings are tried.
///
/// # Errors
/// [`ArtifactError::Kind`] for a kind that this build does not know.
pub fn specs(options: &CandidateOptions) -> Result<Vec<RecipeSpec>, ArtifactError> {
    let mut specs = Vec::new();
    for kind in &options.kinds {
        let tried: Vec<serde_json::Value> = match kind.as_str() {
            ease::KIND => {
                let of = |&lambda| Ease { lambda, max_items: options.ease_max_items };
                options.ease_lambdas.iter().map(of).map(|ease| ease.settings()).collect()
            }
            _ => vec![serde_json::json!({})],
        };
        for settings in tried {
            let spec = RecipeSpec { kind: kind.clone(), settings };
            specs.push(RecipeSpec { settings: recipe(&spec)?.settings(), ..spec });
        }
    }
    Ok(specs)
}

/// The recipe that a spec names; a setting that it does not give has its default.
///
/// # Errors
/// [`ArtifactError::Kind`] or [`ArtifactError::Settings`].
pub fn recipe(spec: &RecipeSpec) -> Result<Box<dyn Recipe>, ArtifactError> {
    Ok(match spec.kind.as_str() {
        "popular" => settings::<NoSettings>(spec).map(|_| Box::new(Popularity::AllTime))?,
        "recent-popular" => settings::<NoSettings>(spec).map(|_| Box::new(Popularity::Recent))?,
        ease::KIND => Box::new(settings::<Ease>(spec)?),
        _ => return Err(unknown(spec)),
    })
}

/// Reads back what [`Recommender::save`] wrote.
///
/// # Errors
/// Any [`ArtifactError`].
pub fn load(spec: &RecipeSpec, tensors: Tensors) -> Result<Box<dyn Recommender>, ArtifactError> {
    match spec.kind.as_str() {
        "popular" => Popularity::AllTime.load(tensors),
        "recent-popular" => Popularity::Recent.load(tensors),
        ease::KIND => ease::load(tensors),
        _ => Err(unknown(spec)),
    }
}

fn settings<T: DeserializeOwned>(spec: &RecipeSpec) -> Result<T, ArtifactError> {
    serde_json::from_value(spec.settings.clone())
        .map_err(|error| ArtifactError::Settings { kind: spec.kind.clone(), reason: error.to_string() })
}

fn unknown(spec: &RecipeSpec) -> ArtifactError {
    ArtifactError::Kind(format!("{}; this build knows {}", spec.kind, KINDS.join(", ")))
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

/// Reads a model back with its ids.
///
/// # Errors
/// [`ArtifactError`], also when the numbers of ids and of rows differ.
pub fn load_fitted(
    spec: &RecipeSpec,
    tensors: Tensors,
    item_ids: Vec<ItemId>,
    user_ids: Vec<UserId>,
) -> Result<Fitted, ArtifactError> {
    let recommender = load(spec, tensors)?;
    let counts = [("items", recommender.items(), item_ids.len()), ("users", recommender.user_rows(), user_ids.len())];
    for (name, rows, ids) in counts {
        if rows != ids {
            let reason = format!("{rows} rows for {ids} ids");
            return Err(ArtifactError::Shape { name: name.to_owned(), reason });
        }
    }
    let (item_ids, user_ids) = (Arc::new(item_ids), Arc::new(user_ids));
    Ok(Fitted { recommender, settings: spec.settings.clone(), item_ids, user_ids })
}

#[cfg(test)]
mod tests;
