//! Weights: tensors, and the models in them.

use serde_json::json;

use super::Law;
use crate::model::artifact::Tensors;
use crate::model::candidates::load;
use crate::model::kernels::top_n::Best;
use crate::model::recommender::{Acted, RecipeSpec, Recommender, Scratch, Taste};

/// Safetensors files and the models of all kinds in them.
pub const WEIGHTS: [Law; 9] = [
    ("tensors", tensors),
    ("popular", popular),
    ("item-knn", item_knn),
    ("ease", ease),
    ("fading ease", fading_ease),
    ("ials", ials),
    ("neural-cf", neural_cf),
    ("sequence", sequence),
    ("blend", blend),
];

fn tensors(bytes: &[u8]) -> bool {
    let Ok(read) = Tensors::from_bytes(bytes) else { return false };
    let written = read.to_bytes().unwrap();
    assert_eq!(Tensors::from_bytes(&written).unwrap().to_bytes().unwrap(), written);
    true
}

fn popular(bytes: &[u8]) -> bool {
    model(bytes, |_| spec("popular", json!({})))
}

fn item_knn(bytes: &[u8]) -> bool {
    model(bytes, |_| spec("item-knn", json!({ "neighbours": 3, "shrinkage": 0.0 })))
}

fn ease(bytes: &[u8]) -> bool {
    model(bytes, |_| spec("ease", json!({ "lambda": 0.5, "max_items": 100 })))
}

fn fading_ease(bytes: &[u8]) -> bool {
    model(bytes, |_| spec("ease", json!({ "lambda": 0.5, "max_items": 100, "half_life_days": 0.5 })))
}

fn ials(bytes: &[u8]) -> bool {
    // The settings say how many factors there are: as many as the file has, so that more is read than the first tensor.
    model(bytes, |tensors| {
        let factors = tensors.shape("items").ok().and_then(|shape| shape.get(1).copied()).unwrap_or(1);
        spec("ials", json!({ "factors": factors }))
    })
}

fn neural_cf(bytes: &[u8]) -> bool {
    let settings = json!({ "epochs": 2, "batch": 16, "learning_rate": 0.05, "held_out": 0.2 });
    model(bytes, |_| spec("neural-cf", settings.clone()))
}

fn sequence(bytes: &[u8]) -> bool {
    let settings = json!({
        "dimensions": 9, "epochs": 2, "batch": 16, "learning_rate": 0.05, "dropout": 0.2, "next": 2,
    });
    model(bytes, |_| spec("sequence", settings.clone()))
}

fn blend(bytes: &[u8]) -> bool {
    model(bytes, |_| {
        let ease = json!({ "kind": "ease", "settings": { "lambda": 0.5, "max_items": 100, "half_life_days": 0.5 } });
        let knn = json!({ "kind": "item-knn", "settings": { "neighbours": 3, "shrinkage": 0.0 } });
        spec("blend", json!({ "parts": [ease, knn] }))
    })
}

fn spec(kind: &str, settings: serde_json::Value) -> RecipeSpec {
    RecipeSpec { kind: kind.to_owned(), settings }
}

/// Loads the model in a file, asks it everything, and loads again what it saves.
fn model(bytes: &[u8], spec: impl Fn(&Tensors) -> RecipeSpec) -> bool {
    let Ok(tensors) = Tensors::from_bytes(bytes) else { return false };
    let spec = spec(&tensors);
    let Ok(model) = load(&spec, tensors) else { return false };
    // A model that claims more than its file holds would make every request as dear as the claim.
    assert!(model.items() <= bytes.len() && model.user_rows() <= bytes.len(), "more rows than bytes");
    ask(&*model);
    let saved = model.save().unwrap();
    let again = load(&spec, saved.clone()).unwrap();
    assert_eq!(again.save().unwrap().to_bytes().unwrap(), saved.to_bytes().unwrap(), "{}", spec.kind);
    true
}

fn ask(model: &dyn Recommender) {
    let items = model.items() as u32;
    let acted = |item: u32| Acted { item: item % items.max(1), weight: 1.0, time_ms: super::NOW - i64::from(item) };
    let history: Vec<Acted> = (0..items.min(4)).map(|place| acted(place * 3)).collect();
    let users = [None, (model.user_rows() > 0).then_some(0)];
    let mut scores = vec![0.0; model.items()];
    for history in [&[][..], &history] {
        for user in users {
            let taste = Taste { user, history, now_ms: super::NOW };
            let some: Vec<u32> = (0..items.min(3)).collect();
            model.score_all(&taste, &mut scores);
            model.score_some(&taste, &some, &mut vec![0.0; some.len()]);
            model.explain(&taste, &some);
            let mut best = Best::new(5, |item| item, |_| true);
            model.rank(&taste, &mut Scratch::default(), &mut best);
            let list = best.into_list();
            assert!(list.iter().all(|place| place.item < items && place.score.is_finite()));
        }
    }
    if items > 0 {
        model.similar(0, &mut scores);
    }
}
