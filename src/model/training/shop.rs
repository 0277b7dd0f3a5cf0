//! A generated shop and two small recipes, for the tests of a run.

use std::sync::Arc;

use crate::model::artifact::{ArtifactError, Tensors};
use crate::model::dataset::Dataset;
use crate::model::ids::{ItemId, UserId};
use crate::model::interactions::Interactions;
use crate::model::recommender::{Fitted, Recipe, RecipeSpec, Recommender, Taste};
use crate::model::training::job::{FitError, Job};

/// Users of three groups who buy ten items each, mostly their group's, the first ones of a group most; every item is
/// bought, a purchase a second.
pub(crate) fn rows(users: u32, items: u32) -> Interactions {
    let mut rows = Interactions {
        user_ids: Arc::new((0..u64::from(users)).map(UserId::from).collect()),
        item_ids: Arc::new((0..u64::from(items)).map(ItemId::from).collect()),
        ..Interactions::default()
    };
    let mut state = 12_345_u64;
    let mut draw = |below: u32| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u32 % below
    };
    for event in 0..users * 10 {
        let (user, third) = (event % users, items / 3);
        let within = draw(third).min(draw(third));
        let group = if draw(8) == 0 { draw(3) } else { user % 3 };
        rows.push(user, if event < items { event } else { within * 3 + group }, 1.0, i64::from(event) * 1000);
    }
    rows
}

/// The recipes by name: `popular`, `recent-popular`, `neighbours` (its scores times `sign`), `broken`, which is never
/// fitted, and `nan`.
pub(crate) fn recipe(spec: &RecipeSpec) -> Result<Box<dyn Recipe>, ArtifactError> {
    let settings = &spec.settings;
    let sign = settings.get("sign").and_then(serde_json::Value::as_f64).unwrap_or(1.0) as f32;
    let all = settings.get("all").is_some();
    match spec.kind.as_str() {
        "popular" => Ok(Box::new(Small { kind: "popular", sign, share: 1.0 })),
        "recent-popular" => Ok(Box::new(Small { kind: "recent-popular", sign, share: if all { 1.0 } else { 0.1 } })),
        "neighbours" => Ok(Box::new(Small { kind: "neighbours", sign, share: 1.0 })),
        "broken" => Ok(Box::new(Small { kind: "broken", sign, share: 1.0 })),
        "nan" => Ok(Box::new(Small { kind: "nan", sign: f32::NAN, share: 1.0 })),
        other => Err(ArtifactError::Kind(other.to_owned())),
    }
}

struct Small {
    kind: &'static str,
    sign: f32,
    /// The share of the pairs that is counted, the latest.
    share: f64,
}

impl Recipe for Small {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn settings(&self) -> serde_json::Value {
        serde_json::json!({ "sign": self.sign })
    }

    fn fit(&self, data: &Dataset, parent: Option<&Fitted>, job: &Job) -> Result<Box<dyn Recommender>, FitError> {
        job.check()?;
        if self.kind == "broken" {
            return Err(FitError::Unsuited("broken is never fitted".into()));
        }
        if parent.is_some() {
            job.log(format!("{} begins from its parent", self.kind));
        }
        let items = data.items();
        let mut first: Vec<(i64, u32)> = data.pairs.iter().map(|pair| (pair.first_ms, pair.item)).collect();
        first.sort_by_key(|&(time, _)| time);
        let old = ((1.0 - self.share) * first.len() as f64).round() as usize;
        let mut counts = vec![0.0; items];
        first[old..].iter().for_each(|&(_, item)| counts[item as usize] += self.sign);
        let mut together = vec![0.0; if self.kind == "neighbours" { items * items } else { 0 }];
        if !together.is_empty() {
            for user in 0..data.users() {
                for a in data.of(user) {
                    for b in data.of(user).iter().filter(|b| b.item != a.item) {
                        together[a.item as usize * items + b.item as usize] += self.sign;
                    }
                }
            }
        }
        job.progress(1.0);
        Ok(Box::new(Counted { kind: self.kind, counts, together }))
    }
}

struct Counted {
    kind: &'static str,
    counts: Vec<f32>,
    /// Users that have both, items by items; empty for the popularities.
    together: Vec<f32>,
}

impl Recommender for Counted {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn items(&self) -> usize {
        self.counts.len()
    }

    fn personal(&self) -> bool {
        !self.together.is_empty()
    }

    fn score_all(&self, taste: &Taste<'_>, out: &mut [f32]) -> bool {
        out.copy_from_slice(&self.counts);
        if self.personal() {
            out.fill(0.0);
            for act in taste.history {
                let row = act.item as usize * self.items();
                for (score, count) in out.iter_mut().zip(&self.together[row..]) {
                    *score += count;
                }
            }
        }
        !self.personal() || !taste.history.is_empty()
    }

    fn save(&self) -> Result<Tensors, ArtifactError> {
        Ok(Tensors::default().with_f32("counts", &[self.counts.len()], self.counts.clone()))
    }
}
