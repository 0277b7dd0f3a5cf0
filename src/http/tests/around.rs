//! What is around the list: alike items, trends, sessions and carts, diversity, explanations, pages.

use std::sync::Arc;

use actix_web::web::Data;
use serde_json::{Value, json};

use crate::http::service::Service;
use crate::http::testing::{NOW_MS, get, post, service};
use crate::model::candidates::{fit, recipe};
use crate::model::dataset::Dataset;
use crate::model::histories::Act;
use crate::model::ids::{ItemId, UserId};
use crate::model::interactions::{Interactions, Interner};
use crate::model::item::ItemData;
use crate::model::manifest::Manifest;
use crate::model::recommender::RecipeSpec;
use crate::model::serving::live::LiveModel;
use crate::model::training::job::Job;

/// Two kinds of shoppers: mugs go with plates and bowls, nails with hammers and saws; the newest events are of the mugs.
fn shop() -> Data<Service> {
    let service = service(|_| {});
    let recommending = &service.parts.recommending;
    let purchase = recommending.histories.types().index("purchase").unwrap();
    let (mut rows, mut users, mut items) = (Interactions::default(), Interner::default(), Interner::default());
    for shopper in 0..12_u64 {
        let (basket, category, age) = if shopper < 6 {
            (["mug", "plate", "bowl"], "kitchen", 500)
        } else {
            (["nail", "hammer", "saw"], "tools", 9000)
        };
        for (place, name) in basket.into_iter().enumerate() {
            // Every third shopper has left something out.
            if (shopper as usize + place).is_multiple_of(3) {
                continue;
            }
            let (user, item) = (UserId::from(shopper), name.parse::<ItemId>().unwrap());
            rows.push(users.index(&user), items.index(&item), 1.0, NOW_MS - age);
            let index = recommending.catalogue.index(&item);
            recommending.histories.apply(&user, Act::new(index, purchase, 1.0, NOW_MS - age));
            recommending.catalogue.count(index, 1.0, NOW_MS - age);
            let data = ItemData { categories: vec![category.to_owned()], ..ItemData::default() };
            recommending.catalogue.put(&item, data, NOW_MS);
        }
    }
    rows.user_ids = Arc::new(users.into_ids());
    rows.item_ids = Arc::new(items.into_ids());
    let spec = RecipeSpec { kind: "item-knn".into(), settings: json!({ "neighbours": 5, "shrinkage": 0.0 }) };
    let fitted = fit(&*recipe(&spec).unwrap(), &Dataset::new(rows), None, &Job::quiet(1)).unwrap();
    let manifest = Manifest::by_hand(3, spec, NOW_MS);
    let live = LiveModel::bind(Arc::new(manifest), fitted, &recommending.catalogue);
    recommending.live.store(Some(Arc::new(live)));
    service
}

/// The items of a list as `id source`.
fn told(body: &Value) -> Vec<String> {
    let items = body["items"].as_array().or(body.as_array()).unwrap();
    items.iter().map(|item| format!("{} {}", item["id"].as_str().unwrap(), item["source"].as_str().unwrap())).collect()
}

async fn asked(service: &Data<Service>, body: &Value) -> Value {
    let answered = post(service, "/v1/recommend", &body.to_string()).await;
    assert_eq!(answered.status, 200, "{body}");
    answered.json()
}

#[actix_web::test]
async fn alike_items_come_first_and_keep_to_the_category() {
    let service = shop();
    let alike = get(&service, "/v1/items/mug/similar?n=3").await.json();
    assert_eq!(told(&alike), ["bowl similar", "plate similar", "hammer trending"]);
    assert!(alike[0]["score"].as_f64().unwrap() > 0.0);
    let tools = get(&service, "/v1/items/mug/similar?category=tools").await.json();
    assert!(told(&tools).iter().all(|item| item.ends_with("trending")), "{tools}");
    assert_eq!(get(&service, "/v1/items/mug/similar?n=0").await.status, 400);
}

#[actix_web::test]
async fn trends_fade_and_counts_do_not() {
    let service = shop();
    // Two more of the old nails: most often taken, but not lately.
    let catalogue = &service.parts.recommending.catalogue;
    let nail = catalogue.known(&"nail".parse().unwrap()).unwrap();
    catalogue.count(nail, 2.0, NOW_MS - 9000);
    catalogue.count(nail, 2.0, NOW_MS - 9000);
    assert_eq!(told(&get(&service, "/v1/popular?n=1").await.json()), ["nail popular"]);
    let trending = get(&service, "/v1/trending").await.json();
    let names: Vec<&str> = trending.as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect();
    let mut lately = names[..3].to_vec();
    lately.sort_unstable();
    assert_eq!((lately, names.len()), (vec!["bowl", "mug", "plate"], 6));
    // Four of them, half a half-life ago; the half-life is a second.
    assert!((trending[0]["score"].as_f64().unwrap() - 4.0 * 0.5_f64.sqrt()).abs() < 1e-5, "{trending}");
}

#[actix_web::test]
async fn a_cart_needs_no_user_and_is_left_out() {
    let service = shop();
    let cart = asked(&service, &json!({ "items": ["nail", "never heard of"], "n": 3 })).await;
    assert_eq!(told(&cart)[..2], ["hammer session", "saw session"]);
    assert_eq!((&cart["user"], cart["model"]["kind"].as_str()), (&Value::Null, Some("item-knn")));
    assert!(!cart["items"].as_array().unwrap().iter().any(|item| item["id"] == "nail"));
    // A user's history and the cart together, and only candidates.
    let both = asked(&service, &json!({ "user": 0, "items": ["nail"], "candidates": ["mug", "saw", "nail"] })).await;
    let mut names = told(&both);
    names.sort_unstable();
    assert_eq!(names, ["mug session", "saw session"]);
}

#[actix_web::test]
async fn an_explanation_adds_up_to_the_score() {
    let service = shop();
    let list = asked(&service, &json!({ "items": ["mug", "plate"], "explain": true, "n": 1 })).await;
    let bowl = &list["items"][0];
    let parts = bowl["parts"].as_array().unwrap();
    let sum: f64 = parts.iter().map(|part| part["score"].as_f64().unwrap()).sum();
    assert!((sum - bowl["score"].as_f64().unwrap()).abs() < 1e-6, "{bowl}");
    let mut names: Vec<&str> = parts.iter().map(|part| part["item"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!((bowl["id"].as_str(), names), (Some("bowl"), vec!["mug", "plate"]));
    assert!(bowl["reason"].as_str().unwrap().starts_with("because of "), "{bowl}");
    // By GET too; and nothing where it was not asked for.
    let list = get(&service, "/recommend?user=0&explain=true&n=1").await.json();
    assert!(list["items"][0]["parts"].is_array(), "{list}");
    let list = get(&service, "/recommend?user=0").await.json();
    assert!(list["items"].as_array().unwrap().iter().all(|item| item.get("parts").or(item.get("reason")).is_none()));
}

#[actix_web::test]
async fn diversity_mixes_what_is_alike() {
    let service = shop();
    let question = |diversity: f64| json!({ "items": ["nail"], "n": 4, "diversity": diversity });
    let plain = asked(&service, &json!({ "items": ["nail"], "n": 4 })).await;
    assert_eq!(told(&plain)[..2], ["hammer session", "saw session"]);
    assert_eq!(asked(&service, &question(0.0)).await["items"], plain["items"]);
    assert_eq!(told(&asked(&service, &question(0.9)).await)[..2], ["hammer session", "bowl session"]);
    assert_eq!(post(&service, "/recommend", r#"{"diversity":1.5}"#).await.problem()["status"], 400);
}

#[actix_web::test]
async fn pages_of_a_diverse_list_of_a_cart_repeat_nothing() {
    let service = shop();
    let (mut seen, mut next) = (Vec::new(), Value::Null);
    loop {
        let mut question = json!({ "items": ["mug"], "n": 2, "diversity": 0.5 });
        if !next.is_null() {
            question["next"] = next;
        }
        let page = asked(&service, &question).await;
        seen.extend(page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        next = page["next"].clone();
        if next.is_null() {
            break;
        }
    }
    seen.sort_unstable();
    assert_eq!(seen, ["bowl", "hammer", "nail", "plate", "saw"]);
}
