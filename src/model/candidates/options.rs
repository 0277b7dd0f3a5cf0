//! Which recipes a run begins with for the kinds it was told to try.

use serde_json::{Value, json};

use super::fading::HALF_LIFE;
use super::{blend, decayed, ease, ials, item_knn, neural_cf, popularity, sequence, unknown};
use crate::model::artifact::ArtifactError;
use crate::model::recommender::RecipeSpec;

/// The kinds that a blend may take its taste from, those that read histories without a user table.
pub(super) const TASTES: [&str; 4] = [ease::KIND, item_knn::KIND, ials::KIND, sequence::KIND];

/// The kinds whose histories may fade.
const FADING: [&str; 3] = [ease::KIND, item_knn::KIND, ials::KIND];

/// What a run tries; the section `training` of the settings, as far as the kinds need it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CandidateOptions {
    /// The kinds, by name.
    pub kinds: Vec<String>,
    /// The half-life of histories in days, above 0; none: it is searched for.
    pub half_life_days: Option<f64>,
    /// The largest catalogue for `ease`.
    pub ease_max_items: usize,
    /// Regularisations of `ease` that may be tried.
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

/// The recipe that each kind begins with, in the order of the kinds; each can be read by [`super::recipe`].
///
/// # Errors
/// [`ArtifactError::Kind`] for a name that no kind has, [`ArtifactError::Settings`] for an option out of range.
pub fn specs(options: &CandidateOptions) -> Result<Vec<RecipeSpec>, ArtifactError> {
    let specs = options.kinds.iter().map(|kind| options.start(kind)).collect::<Result<Vec<_>, _>>()?;
    for spec in &specs {
        super::recipe(spec)?;
    }
    Ok(specs)
}

impl CandidateOptions {
    /// The recipe that a kind begins with.
    pub(super) fn start(&self, kind: &str) -> Result<RecipeSpec, ArtifactError> {
        let lambda = self.ease_lambdas.get(self.ease_lambdas.len() / 2).copied().unwrap_or(500.0);
        let mut settings = match kind {
            popularity::POPULAR | popularity::RECENT => json!({}),
            decayed::KIND => json!({ "half_life_days": 7.0 }),
            item_knn::KIND => json!({ "neighbours": 200, "shrinkage": 20.0 }),
            ease::KIND => json!({ "lambda": plain(lambda), "max_items": self.ease_max_items }),
            ials::KIND => json!(ials::Ials::default()),
            neural_cf::KIND => json!({
                "epochs": self.neural_epochs,
                "batch": self.neural_batch,
                "learning_rate": plain(self.neural_learning_rate),
                "held_out": plain(self.neural_held_out),
            }),
            sequence::KIND => sequence::start(),
            blend::KIND => json!({ "parts": [self.start(self.taste())?] }),
            other => return Err(unknown(other)),
        };
        if FADING.contains(&kind) {
            set(&mut settings, HALF_LIFE, json!(self.half_life_days.unwrap_or(0.0)));
        }
        Ok(RecipeSpec { kind: kind.to_owned(), settings })
    }

    /// The kind that a blend begins with.
    fn taste(&self) -> &'static str {
        TASTES.into_iter().find(|taste| self.kinds.iter().any(|kind| kind == taste)).unwrap_or(ease::KIND)
    }

    /// `start` with what an earlier search found, of the settings that are searched; the others are as they are set
    /// now.
    #[must_use]
    pub fn remembering(&self, start: &RecipeSpec, found: &Value) -> RecipeSpec {
        let mut spec = start.clone();
        if start.kind == blend::KIND {
            let parts: Vec<RecipeSpec> =
                found.get("parts").cloned().and_then(|parts| serde_json::from_value(parts).ok()).unwrap_or_default();
            let again = |part: &RecipeSpec| Some(self.remembering(&self.start(&part.kind).ok()?, &part.settings));
            if let Some(parts) = parts.iter().map(again).collect::<Option<Vec<RecipeSpec>>>().filter(|p| !p.is_empty())
            {
                set(&mut spec.settings, "parts", json!(parts));
            }
        }
        for key in searched(&start.kind) {
            let allowed = |value: &&Value| match *key {
                "lambda" => self.ease_lambdas.iter().any(|&lambda| Some(plain(lambda)) == value.as_f64()),
                HALF_LIFE => start.kind == decayed::KIND || self.half_life_days.is_none(),
                _ => true,
            };
            if let Some(value) = found.get(key).filter(allowed) {
                set(&mut spec.settings, key, value.clone());
            }
        }
        if super::recipe(&spec).is_ok() { spec } else { start.clone() }
    }
}

/// The settings of a kind that are searched, those that matter most first.
pub(super) const fn searched(kind: &str) -> &'static [&'static str] {
    match kind.as_bytes() {
        b"decayed-popular" => &[HALF_LIFE],
        b"item-knn" => &[HALF_LIFE, "neighbours", "shrinkage"],
        b"ease" => &[HALF_LIFE, "lambda"],
        b"ials" => &[HALF_LIFE, "regularization", "unobserved", "factors"],
        b"sequence" => &["next", "dimensions"],
        _ => &[],
    }
}

pub(super) fn set(settings: &mut Value, key: &str, value: Value) {
    if let Some(settings) = settings.as_object_mut() {
        settings.insert(key.to_owned(), value);
    }
}

/// The number as it was written: 0.001 and not the 0.0010000000474974513 that widening gives.
pub(super) fn plain(value: f32) -> f64 {
    value.to_string().parse().unwrap_or_else(|_| f64::from(value))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::model::candidates::recipe;

    pub fn options(kinds: &[&str]) -> CandidateOptions {
        CandidateOptions {
            kinds: kinds.iter().map(|&kind| kind.to_owned()).collect(),
            half_life_days: None,
            ease_max_items: 10_000,
            ease_lambdas: vec![50.0, 200.5, 1000.0],
            neural_epochs: 3,
            neural_batch: 1024,
            neural_learning_rate: 0.001,
            neural_held_out: 0.1,
        }
    }

    fn spec(kind: &str, settings: Value) -> RecipeSpec {
        RecipeSpec { kind: kind.into(), settings }
    }

    #[test]
    fn a_kind_begins_with_a_recipe() {
        let specs = specs(&options(&["popular", "ease", "neural-cf", "blend"])).unwrap();
        insta::assert_snapshot!(serde_json::to_string(&specs).unwrap(), @r#"[{"kind":"popular","settings":{}},{"kind":"ease","settings":{"half_life_days":0.0,"lambda":200.5,"max_items":10000}},{"kind":"neural-cf","settings":{"batch":1024,"epochs":3,"held_out":0.1,"learning_rate":0.001}},{"kind":"blend","settings":{"parts":[{"kind":"ease","settings":{"half_life_days":0.0,"lambda":200.5,"max_items":10000}}]}}]"#);
    }

    #[test]
    fn settings_round_trip() {
        for spec in specs(&options(&super::super::KINDS)).unwrap() {
            let whole = RecipeSpec { settings: recipe(&spec).unwrap().settings(), kind: spec.kind };
            assert_eq!(recipe(&whole).unwrap().settings(), whole.settings, "{}", whole.kind);
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let said = |kind: &str, settings| recipe(&spec(kind, settings)).err().unwrap().to_string();
        insta::assert_snapshot!(specs(&options(&["easy"])).err().unwrap(), @"unknown kind of model easy; the kinds are popular, recent-popular, decayed-popular, item-knn, ease, ials, neural-cf, sequence, blend");
        insta::assert_snapshot!(said("popular", json!({ "lambda": 1 })), @"settings of kind popular: unknown field `lambda`, there are no fields");
        insta::assert_snapshot!(said("ease", json!({ "lambda": 0.0, "max_items": 10 })), @"settings of kind ease: lambda must be above 0");
        insta::assert_snapshot!(said("ease", json!({ "max_items": 10 })), @"settings of kind ease: missing field `lambda`");
        let mut wrong = options(&["neural-cf"]);
        wrong.neural_held_out = 0.9;
        insta::assert_snapshot!(specs(&wrong).err().unwrap(), @"settings of kind neural-cf: held_out must be from 0 to 0.5");
    }

    #[test]
    fn what_is_searched_is_remembered_and_what_is_set_is_not() {
        let options = options(&["ease", "blend"]);
        let start = options.start("ease").unwrap();
        let found = json!({ "lambda": 50.0, "max_items": 7, "half_life_days": 3.5 });
        let again = options.remembering(&start, &found);
        assert_eq!(again.settings, json!({ "lambda": 50.0, "max_items": 10_000, "half_life_days": 3.5 }));
        let gone = options.remembering(&start, &json!({ "lambda": 77.0, "half_life_days": -1.0 }));
        assert_eq!(gone, start, "a value that is no longer allowed, and one that never was");
        let fixed = CandidateOptions { half_life_days: Some(9.0), ..options.clone() };
        let again = fixed.remembering(&fixed.start("ease").unwrap(), &found);
        assert_eq!(again.settings["half_life_days"], json!(9.0));
        let blend = options.start("blend").unwrap();
        let again = options.remembering(&blend, &json!({ "parts": [{ "kind": "ease", "settings": found }] }));
        assert_eq!(again.settings["parts"][0]["settings"]["lambda"], json!(50.0));
        assert_eq!(options.remembering(&blend, &json!({ "parts": [{ "kind": "gone", "settings": {} }] })), blend);
    }
}
