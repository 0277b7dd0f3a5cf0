//! What follows lists, tests that deal users to variants, and runs that drift calls for.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::harness::{Ouzel, shop};

const QUICK: [(&str, &str); 4] = [
    ("OUZEL__TRAINING__CANDIDATES", "item-knn"),
    ("OUZEL__TRAINING__TRIALS", "1"),
    ("OUZEL__GATE__MARGIN", "0.99"),
    ("OUZEL__SERVING__PREQUENTIAL", "1"),
];

/// The variant and the version by user.
async fn dealt(ouzel: &Ouzel) -> BTreeMap<u64, (String, Option<u64>)> {
    let mut found = BTreeMap::new();
    for user in 0..120 {
        let (status, list) = ouzel.get(&format!("/recommend?user={user}&n=3")).await;
        assert_eq!(status, 200, "{list}");
        let (variant, version) = (list["variant"].as_str().unwrap_or_default(), list["model"]["version"].as_u64());
        let id = list["recommendation_id"].as_str().unwrap();
        assert!(id.starts_with(&format!("{}-", version.unwrap_or(0))), "{id}");
        assert_eq!(id.split_once('-').unwrap().1.split_once('-').map_or("", |(_, variant)| variant), variant, "{id}");
        found.insert(user, (variant.to_owned(), version));
    }
    found
}

fn versions(dealt: &BTreeMap<u64, (String, Option<u64>)>) -> BTreeMap<&str, Vec<Option<u64>>> {
    let mut by_variant: BTreeMap<&str, Vec<Option<u64>>> = BTreeMap::new();
    for (variant, version) in dealt.values() {
        by_variant.entry(variant).or_default().push(*version);
    }
    by_variant.values_mut().for_each(|versions| {
        versions.sort_unstable();
        versions.dedup();
    });
    by_variant
}

fn variants(dealt: &BTreeMap<u64, (String, Option<u64>)>) -> Vec<&str> {
    dealt.values().map(|(variant, _)| variant.as_str()).collect()
}

#[tokio::test]
async fn users_stay_in_their_variant_over_swaps_and_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let test = [
        ("OUZEL__SERVING__EXPERIMENT", "colours"),
        ("OUZEL__SERVING__VARIANTS", "old:40:1,before:20:previous,new:30:live"),
        ("OUZEL__SERVING__HOLDOUT", "15"),
        ("OUZEL__REGISTRY__KEEP", "1"),
    ];
    let settings: Vec<_> = QUICK.into_iter().chain(test).collect();
    let ouzel = Ouzel::start(&data, &settings);
    ouzel.ready().await;
    ouzel.post("/v1/events", &json!(shop(0, 3000))).await;
    ouzel.until("the first version", "/state", |state| state["live"]["version"].as_u64()).await;
    let first = dealt(&ouzel).await;
    let wanted = [("", Some(1)), ("before", Some(1)), ("holdout", None), ("new", Some(1)), ("old", Some(1))];
    assert_eq!(versions(&first), BTreeMap::from(wanted.map(|(name, version)| (name, vec![version]))));

    // Two more versions: each variant means what it meant, also where the store would have dropped its version.
    for _ in 0..2 {
        assert_eq!(ouzel.run().await["status"], "succeeded");
    }
    let answers = |state: &Value| {
        let version = |name: &str| {
            state["experiment"]["variants"].as_array()?.iter().find(|v| v["name"] == name)?["version"].as_u64()
        };
        (version("old") == Some(1) && version("before") == Some(2) && version("new") == Some(3)).then_some(())
    };
    ouzel.until("the variants' versions", "/state", answers).await;
    let third = dealt(&ouzel).await;
    assert_eq!(variants(&third), variants(&first));
    let wanted = [("", Some(3)), ("before", Some(2)), ("holdout", None), ("new", Some(3)), ("old", Some(1))];
    assert_eq!(versions(&third), BTreeMap::from(wanted.map(|(name, version)| (name, vec![version]))));

    assert!(ouzel.stop().success());
    let ouzel = Ouzel::start(&data, &settings);
    ouzel.ready().await;
    ouzel.until("the variants' versions after a restart", "/state", answers).await;
    assert_eq!(dealt(&ouzel).await, third);
}

fn row<'a>(state: &'a Value, version: &Value, variant: &Value) -> &'a Value {
    let rows = state["online"].as_array().unwrap();
    rows.iter().find(|row| row["version"] == *version && row["variant"] == *variant).unwrap_or(&Value::Null)
}

#[tokio::test]
async fn events_with_a_lists_id_are_counted_and_outlive_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let ouzel = Ouzel::start(&data, &QUICK);
    ouzel.ready().await;
    ouzel.post("/v1/events", &json!(shop(0, 3000))).await;
    let (_, list) = ouzel.get("/recommend?user=1&n=4").await;
    ouzel.until("the first version", "/state", |state| state["live"]["version"].as_u64()).await;
    let (_, personal) = ouzel.get("/recommend?user=1&n=4").await;
    let event = |list: &Value, item: Value, kind: &str, id: &str| json!({ "user": 1, "item": item, "type": kind, "id": id, "recommendation_id": list["recommendation_id"] });
    let sent = [
        event(&personal, personal["items"][0]["id"].clone(), "click", "a"),
        event(&personal, personal["items"][0]["id"].clone(), "click", "a"),
        event(&personal, json!("another"), "click", "b"),
        event(&personal, personal["items"][1]["id"].clone(), "purchase", "c"),
        json!({ "user": 1, "item": "x", "type": "click", "recommendation_id": "1-00000000000000ff" }),
        json!({ "user": 1, "item": "x", "type": "click", "recommendation_id": "somebody else's" }),
    ];
    assert_eq!(ouzel.post("/v1/events", &json!(sent)).await.1["accepted"], 5);

    let (_, state) = ouzel.get("/state").await;
    let first = row(&state, &json!(1), &Value::Null).clone();
    assert_eq!((&first["lists"], &first["items"]), (&json!(1), &json!({ "personal": 4 })), "{state}");
    let clicks = json!({ "count": 2, "per_list": 2.0, "sources": { "personal": 1, "unlisted": 1 } });
    assert_eq!(first["events"]["click"], clicks, "the event that was sent twice counts once: {first}");
    assert_eq!(first["events"]["purchase"]["sources"], json!({ "personal": 1 }));
    assert_eq!(row(&state, &Value::Null, &Value::Null)["lists"], 1, "the list before the first version");
    let figures = ouzel.figures().await;
    assert_eq!(figures[r#"ouzel_online_lists_total{version="1",variant=""}"#], 1.0);
    assert_eq!(figures[r#"ouzel_online_items_total{version="1",variant="",source="personal"}"#], 4.0);
    let name = r#"ouzel_online_events_total{version="1",variant="",type="purchase",source="personal"}"#;
    assert_eq!(figures[name], 1.0);

    assert!(ouzel.stop().success());
    let ouzel = Ouzel::start(&data, &QUICK);
    ouzel.ready().await;
    let (_, state) = ouzel.get("/state").await;
    assert_eq!(*row(&state, &json!(1), &Value::Null), first);
    // Of a list from before the restart it is known whose it was, but not where its items came from.
    ouzel.post("/v1/events", &json!([event(&list, list["items"][0]["id"].clone(), "click", "d")])).await;
    ouzel.post("/v1/events", &json!([event(&personal, personal["items"][0]["id"].clone(), "click", "e")])).await;
    let (_, state) = ouzel.get("/state").await;
    assert_eq!(row(&state, &json!(1), &Value::Null)["events"]["click"]["sources"]["forgotten"], 1, "{state}");
    assert_eq!(row(&state, &Value::Null, &Value::Null)["events"]["click"]["count"], 1, "{state}");
}

#[tokio::test]
async fn drift_starts_a_run_that_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let drift = [("OUZEL__SCHEDULE__DRIFT", "0.3"), ("OUZEL__SCHEDULE__DRIFT_LOOKUPS", "40")];
    let settings: Vec<_> = QUICK.into_iter().chain(drift).collect();
    let ouzel = Ouzel::start(&folder.path().join("data"), &settings);
    ouzel.ready().await;
    ouzel.post("/v1/events", &json!(shop(0, 3000))).await;
    ouzel.until("the first version", "/state", |state| state["live"]["version"].as_u64()).await;
    let (_, alike) = ouzel.post("/recommend", &json!({ "items": [30], "n": 1 })).await;
    let expected = &alike["items"][0]["id"];
    // The band is of what the version could tell; then people take what nobody could.
    let met: Vec<Value> = (0..50)
        .flat_map(|n| {
            [json!({ "user": format!("a{n}"), "item": 30 }), json!({ "user": format!("a{n}"), "item": expected })]
        })
        .collect();
    let odd: Vec<Value> = (0..50)
        .flat_map(|n| {
            [
                json!({ "user": format!("b{n}"), "item": 30 }),
                json!({ "user": format!("b{n}"), "item": format!("odd{n}") }),
            ]
        })
        .collect();
    // Each event by itself: what is looked up rests on those before it.
    for event in met {
        assert_eq!(ouzel.post("/v1/events", &event).await.0, 200);
    }
    assert!(ouzel.get("/v1/runs").await.1["runs"].as_array().unwrap().iter().all(|run| run["trigger"] != "drift"));
    for event in odd {
        assert_eq!(ouzel.post("/v1/events", &event).await.0, 200);
    }
    let by_drift = |runs: &Value| runs["runs"].as_array()?.iter().find(|run| run["trigger"] == "drift").cloned();
    let run = ouzel.until("a run that drift calls for", "/v1/runs", by_drift).await;
    let reason = run["reason"].as_str().unwrap();
    assert!(reason.starts_with("version 1's NDCG@10 on arriving events fell by "), "{reason}");
    let path = format!("/v1/runs/{}", run["id"].as_str().unwrap());
    let over = ouzel.until("its end", &path, |run| (run["status"] == "succeeded").then(|| run.clone())).await;
    assert_eq!((&over["reason"], &over["version"]), (&json!(reason), &json!(2)));
}
