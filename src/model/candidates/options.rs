//! Which recipes a run tries for the kinds it was told to try.

use serde_json::json;

use super::{decayed, ease, item_knn, neural_cf, popularity, sequence, unknown};
use crate::model::artifact::ArtifactError;
use crate::model::recommender::RecipeSpec;

/// What a run tries; the section `training` of the settings, as far as the kinds need it.
#[derive(Debug, Clone, PartialEq)]
pub struct CandidateOptions {
    /// The kinds, by name.
    pub kinds: Vec<String>,
    /// The largest catalogue for `ease`.
    pub ease_max_items: usize,
    /// Regularisations of `ease`, each tried.
    pub ease_lambdas: Vec<f32>,
    /// Passes of `neural-cf` over the pairs.
    pub neural_epochs: usize,
    /// Pairs per step of `neural-cf`.
    pub neural_batch: usize,
    /// Step size of `neural-cf`.
    pub neural_learning_rate: f32,
    /// Share of the pairs that `neural-cf` holds out to report a loss on, 0 to 0.5.
    pub neural_held_out: f32,
}

/// The recipes to try, in the order of the kinds; each can be read by [`super::recipe`].
///
/// # Errors
/// [`ArtifactError::Kind`] for a name that no kind has, [`ArtifactError::Settings`] for an option out of range.
pub fn specs(options: &CandidateOptions) -> Result<Vec<RecipeSpec>, ArtifactError> {
    let mut specs = Vec::new();
    for kind in &options.kinds {
        let settings = match kind.as_str() {
            popularity::POPULAR | popularity::RECENT => vec![json!({})],
            decayed::KIND => decayed::HALF_LIVES_DAYS.iter().map(|days| json!({ "half_life_days": days })).collect(),
            item_knn::KIND => item_knn::TRIED
                .iter()
                .map(|(neighbours, shrinkage)| json!({ "neighbours": neighbours, "shrinkage": shrinkage }))
                .collect(),
            ease::KIND => options
                .ease_lambdas
                .iter()
                .map(|&lambda| json!({ "lambda": plain(lambda), "max_items": options.ease_max_items }))
                .collect(),
            neural_cf::KIND => vec![json!({
                "epochs": options.neural_epochs,
                "batch": options.neural_batch,
                "learning_rate": plain(options.neural_learning_rate),
                "held_out": plain(options.neural_held_out),
            })],
            sequence::KIND => sequence::tried(),
            other => return Err(unknown(other)),
        };
        specs.extend(settings.into_iter().map(|settings| RecipeSpec { kind: kind.clone(), settings }));
    }
    for spec in &specs {
        super::recipe(spec)?;
    }
    Ok(specs)
}

/// The number as it was written: 0.001 and not the 0.0010000000474974513 that widening gives.
pub fn plain(value: f32) -> f64 {
    value.to_string().parse().unwrap_or_else(|_| f64::from(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::candidates::recipe;

    fn options(kinds: &[&str]) -> CandidateOptions {
        CandidateOptions {
            kinds: kinds.iter().map(|&kind| kind.to_owned()).collect(),
            ease_max_items: 10_000,
            ease_lambdas: vec![50.0, 200.5],
            neural_epochs: 3,
            neural_batch: 1024,
            neural_learning_rate: 0.001,
            neural_held_out: 0.1,
        }
    }

    #[test]
    fn a_kind_becomes_the_recipes_that_are_tried() {
        let specs = specs(&options(&["popular", "ease", "neural-cf"])).unwrap();
        insta::assert_snapshot!(serde_json::to_string(&specs).unwrap(), @r#"[{"kind":"popular","settings":{}},{"kind":"ease","settings":{"lambda":50.0,"max_items":10000}},{"kind":"ease","settings":{"lambda":200.5,"max_items":10000}},{"kind":"neural-cf","settings":{"batch":1024,"epochs":3,"held_out":0.1,"learning_rate":0.001}}]"#);
    }

    #[test]
    fn settings_round_trip() {
        for spec in specs(&options(&super::super::KINDS)).unwrap() {
            let recipe = recipe(&spec).unwrap();
            assert_eq!((recipe.kind(), recipe.settings()), (spec.kind.as_str(), spec.settings));
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let said =
            |kind: &str, settings| recipe(&RecipeSpec { kind: kind.into(), settings }).err().unwrap().to_string();
        insta::assert_snapshot!(specs(&options(&["easy"])).err().unwrap(), @"unknown kind of model easy; the kinds are popular, recent-popular, decayed-popular, item-knn, ease, neural-cf, sequence");
        insta::assert_snapshot!(said("popular", json!({ "lambda": 1 })), @"settings of kind popular: unknown field `lambda`, there are no fields");
        insta::assert_snapshot!(said("ease", json!({ "lambda": 0.0, "max_items": 10 })), @"settings of kind ease: lambda must be above 0");
        insta::assert_snapshot!(said("ease", json!({ "max_items": 10 })), @"settings of kind ease: missing field `lambda`");
        let mut wrong = options(&["neural-cf"]);
        wrong.neural_held_out = 0.9;
        insta::assert_snapshot!(specs(&wrong).err().unwrap(), @"settings of kind neural-cf: held_out must be from 0 to 0.5");
    }
}
