//! Fading: a kind that reads histories, told to make less of what is long ago.
//!
//! A setting `half_life_days` beside the kind's own; 0 or none: every age counts alike. An event's weight is halved per
//! half-life that it is older than the latest one of the same history, so that a user who stayed away is asked about no
//! less loudly than one who did not. Events without a time keep their weight.

use serde_json::{Value, json};

use super::decayed::{DAY_MS, check_half_life};
use crate::model::artifact::{ArtifactError, Tensors};
use crate::model::dataset::Dataset;
use crate::model::interactions::NO_TIME;
use crate::model::kernels::top_n::Offers;
use crate::model::near::Near;
use crate::model::recommender::{Acted, Fitted, Recipe, RecipeSpec, Recommender, Scratch, Summand, Taste};
use crate::model::training::job::{FitError, Job};

/// The setting's name.
pub const HALF_LIFE: &str = "half_life_days";

/// The spec of the kind itself, and the half-life in days if there is one.
pub fn divide(spec: &RecipeSpec) -> Result<(RecipeSpec, Option<f64>), ArtifactError> {
    let mut inner = spec.clone();
    let Some(value) = inner.settings.as_object_mut().and_then(|settings| settings.remove(HALF_LIFE)) else {
        return Ok((inner, None));
    };
    let wrong = |reason: String| ArtifactError::Settings { kind: spec.kind.clone(), reason };
    let days = value.as_f64().ok_or_else(|| wrong(format!("{HALF_LIFE} must be a number")))?;
    if days == 0.0 {
        return Ok((inner, None));
    }
    check_half_life(days).map_err(wrong)?;
    Ok((inner, Some(days)))
}

/// The recipe `inner`, its histories fading where there is a half-life.
pub fn recipe(inner: Box<dyn Recipe>, half_life_days: Option<f64>) -> Box<dyn Recipe> {
    match half_life_days {
        Some(half_life_days) => Box::new(FadingRecipe { inner, half_life_days }),
        None => inner,
    }
}

/// The model `inner`, its histories fading where there is a half-life.
pub fn model(inner: Box<dyn Recommender>, half_life_days: Option<f64>) -> Box<dyn Recommender> {
    match half_life_days {
        Some(days) => Box::new(Fading { inner, half_life_ms: days * DAY_MS }),
        None => inner,
    }
}

struct FadingRecipe {
    inner: Box<dyn Recipe>,
    half_life_days: f64,
}

impl Recipe for FadingRecipe {
    fn kind(&self) -> &'static str {
        self.inner.kind()
    }

    fn settings(&self) -> Value {
        let mut settings = self.inner.settings();
        if let Some(settings) = settings.as_object_mut() {
            settings.insert(HALF_LIFE.to_owned(), json!(self.half_life_days));
        }
        settings
    }

    fn dense_rows(&self) -> bool {
        self.inner.dense_rows()
    }

    fn fit(&self, data: &Dataset, parent: Option<&Fitted>, job: &Job) -> Result<Box<dyn Recommender>, FitError> {
        Ok(model(self.inner.fit(data, parent, job)?, Some(self.half_life_days)))
    }
}

/// What is left of the weight of something done at `time_ms`, `latest_ms` being the latest time of its history: all of it
/// where it has no time.
pub fn left(latest_ms: i64, time_ms: i64, half_life_ms: f64) -> f32 {
    if time_ms == NO_TIME {
        return 1.0;
    }
    ((time_ms as f64 - latest_ms as f64) / half_life_ms).exp2() as f32
}

struct Fading {
    inner: Box<dyn Recommender>,
    half_life_ms: f64,
}

impl Fading {
    /// Asks the inner model with the faded history.
    fn ask<T>(&self, taste: &Taste<'_>, ask: impl FnOnce(&Taste<'_>) -> T) -> T {
        let latest = taste.history.iter().map(|act| act.time_ms).max().unwrap_or(NO_TIME);
        let faded = |act: &Acted| Acted { weight: act.weight * left(latest, act.time_ms, self.half_life_ms), ..*act };
        let history: Vec<Acted> = taste.history.iter().map(faded).collect();
        ask(&Taste { history: &history, ..*taste })
    }
}

impl Recommender for Fading {
    fn kind(&self) -> &'static str {
        self.inner.kind()
    }

    fn items(&self) -> usize {
        self.inner.items()
    }

    fn user_rows(&self) -> usize {
        self.inner.user_rows()
    }

    fn score_all(&self, taste: &Taste<'_>, out: &mut [f32]) -> bool {
        self.ask(taste, |taste| self.inner.score_all(taste, out))
    }

    fn score_some(&self, taste: &Taste<'_>, items: &[u32], out: &mut [f32]) -> bool {
        self.ask(taste, |taste| self.inner.score_some(taste, items, out))
    }

    fn score_near(&self, taste: &Taste<'_>, near: &mut Near) -> Option<bool> {
        self.ask(taste, |taste| self.inner.score_near(taste, near))
    }

    fn rank(&self, taste: &Taste<'_>, scratch: &mut Scratch, best: &mut dyn Offers) -> bool {
        self.ask(taste, |taste| self.inner.rank(taste, scratch, best))
    }

    fn similar(&self, item: u32, out: &mut [f32]) -> bool {
        self.inner.similar(item, out)
    }

    fn explain(&self, taste: &Taste<'_>, items: &[u32]) -> Option<Vec<Vec<Summand>>> {
        self.ask(taste, |taste| self.inner.explain(taste, items))
    }

    fn logarithmic(&self) -> bool {
        self.inner.logarithmic()
    }

    fn personal(&self) -> bool {
        self.inner.personal()
    }

    fn pruned(&self, keep: usize) -> Option<Box<dyn Recommender>> {
        Some(Box::new(Self { inner: self.inner.pruned(keep)?, half_life_ms: self.half_life_ms }))
    }

    fn save(&self) -> Result<Tensors, ArtifactError> {
        self.inner.save()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{dataset, fitted};
    use super::super::{load, recipe};
    use super::*;

    const DAY: i64 = 86_400_000;

    #[test]
    fn what_is_older_pulls_less_and_the_latest_whole() {
        let data = dataset(&[(0, 0, 1.0, 1), (0, 2, 1.0, 1), (1, 1, 1.0, 1), (1, 3, 1.0, 1), (2, 0, 1.0, 1)]);
        let spec = RecipeSpec {
            kind: "item-knn".into(),
            settings: json!({ "neighbours": 5, "shrinkage": 0.0, "half_life_days": 2.0 }),
        };
        let model = fitted(&*recipe(&spec).unwrap(), &data);
        assert_eq!(model.settings, spec.settings);
        let loaded = load(&spec, model.recommender.save().unwrap()).unwrap();
        let likeness = 1.0 / 2.0_f32.sqrt();
        for (times, expected) in
            [([9 * DAY, 9 * DAY], 1.0), ([5 * DAY, 9 * DAY], 0.25), ([NO_TIME, 9 * DAY], 1.0), ([NO_TIME; 2], 1.0)]
        {
            let acted = |item, time_ms| Acted { item, weight: 1.0, time_ms };
            let history = [acted(0, times[0]), acted(1, times[1])];
            let mut scores = vec![0.0; 4];
            assert!(loaded.score_all(&Taste { user: None, history: &history, now_ms: 90 * DAY }, &mut scores));
            assert!((scores[2] - expected * likeness).abs() < 1e-6 && scores[3] == 1.0, "{times:?}: {scores:?}");
        }
    }

    #[test]
    fn no_half_life_changes_nothing_and_a_wrong_one_is_refused() {
        let read = |days: Value| {
            let settings = json!({ "neighbours": 5, "shrinkage": 0.0, "half_life_days": days });
            recipe(&RecipeSpec { kind: "item-knn".into(), settings })
        };
        assert_eq!(read(json!(0)).unwrap().settings(), json!({ "neighbours": 5, "shrinkage": 0.0 }));
        insta::assert_snapshot!(read(json!(-1)).err().unwrap(), @"settings of kind item-knn: half_life_days must be above 0");
        insta::assert_snapshot!(read(json!("long")).err().unwrap(), @"settings of kind item-knn: half_life_days must be a number");
    }
}
