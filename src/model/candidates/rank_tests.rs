//! The list that a kind ranks is the list of its scores, whatever way it takes.

use proptest::prelude::*;
use serde_json::json;

use super::tests::{dataset, fitted};
use super::{load, recipe};
use crate::model::kernels::top_n::{Best, top_n};
use crate::model::recommender::{Acted, RecipeSpec, Recommender, Scratch, Taste};

const ITEMS: u32 = 60;

fn specs() -> Vec<RecipeSpec> {
    let spec = |kind: &str, settings| RecipeSpec { kind: kind.to_owned(), settings };
    let ease = spec("ease", json!({ "lambda": 2.0, "max_items": 100, "keep": 5 }));
    let knn = spec("item-knn", json!({ "neighbours": 4, "shrinkage": 1.0, "half_life_days": 3.0 }));
    let blend = |parts: Vec<&RecipeSpec>| spec("blend", json!({ "parts": parts, "protocol": "leave-last-out" }));
    vec![
        blend(vec![&knn]),
        blend(vec![&ease, &knn]),
        blend(vec![&spec("ease", json!({ "lambda": 2.0, "max_items": 100 }))]),
        spec("ease", json!({ "lambda": 2.0, "max_items": 100 })),
        spec("ials", json!({ "factors": 16, "iterations": 2 })),
        spec(
            "sequence",
            json!({ "dimensions": 15, "epochs": 2, "batch": 64, "learning_rate": 0.02, "dropout": 0.0, "next": 1 }),
        ),
        spec("popular", json!({})),
        ease,
        knn,
    ]
}

/// Every kind fitted on the same shop, as it is served: written and read back.
fn models() -> Vec<Box<dyn Recommender>> {
    let rows: Vec<(u32, u32, f32, i64)> = (0..400_u32)
        .flat_map(|user| (0..7_u32).map(move |k| (user, (user * 7 + k * k * 3 + k) % ITEMS, 1.0, i64::from(user + k))))
        .collect();
    let data = dataset(&rows);
    let model = |spec: RecipeSpec| {
        let fitted = fitted(&*recipe(&spec).unwrap(), &data);
        load(&RecipeSpec { settings: fitted.settings.clone(), ..spec }, fitted.recommender.save().unwrap()).unwrap()
    };
    specs().into_iter().map(model).collect()
}

thread_local! {
    static MODELS: Vec<Box<dyn Recommender>> = models();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    #[test]
    fn ranking_gives_the_list_of_all_scores(
        acts in prop::collection::vec((0..ITEMS, prop::sample::select(vec![1.0_f32, 0.3, -1.0]), 0..10_i64), 0..12),
        kept in prop::collection::vec(prop::bool::weighted(0.6), ITEMS as usize),
        n in 1..70_usize,
    ) {
        let history: Vec<Acted> =
            acts.into_iter().map(|(item, weight, day)| Acted { item, weight, time_ms: day * 86_400_000 }).collect();
        let taste = Taste { user: None, history: &history, now_ms: 864_000_000 };
        MODELS.with(|models| {
            let mut scratch = Scratch::default();
            for model in models {
                let mut scores = vec![0.0; model.items()];
                let says = model.score_all(&taste, &mut scores);
                let keep = |item: u32| kept[item as usize];
                let mut best = Best::new(n.min(model.items()), |item| item, keep);
                prop_assert_eq!(model.rank(&taste, &mut scratch, &mut best), says, "{}", model.kind());
                if says {
                    prop_assert_eq!(best.into_list(), top_n(&scores, n, |item| item, keep), "{}", model.kind());
                }
            }
            Ok(())
        })?;
    }
}
