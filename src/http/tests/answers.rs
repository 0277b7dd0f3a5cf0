use actix_web::test::TestRequest;
use serde_json::{Value, json};

use crate::http::testing::{NOW_MS, get, post, send, service};
use crate::model::histories::Act;
use crate::model::item::ItemData;

/// A body with what differs from answer to answer taken out.
fn settled(mut body: Value) -> Value {
    body["execution"] = Value::Null;
    if body.get("recommendation_id").is_some_and(Value::is_string) {
        body["recommendation_id"] = "ID".into();
    }
    body
}

/// Makes `items` known, each taken once more than the one after it.
fn fill(service: &crate::http::service::Service, items: &[&str]) {
    let recommending = &service.parts.recommending;
    for (times, item) in (1..=items.len()).rev().zip(items) {
        let index = recommending.catalogue.index(&item.parse().unwrap());
        for _ in 0..times {
            recommending.catalogue.count(index, 1.0, NOW_MS);
        }
    }
}

#[actix_web::test]
async fn an_empty_system_gives_empty_lists() {
    let service = service(|_| {});
    let body = get(&service, "/recommend?user=25").await;
    insta::assert_snapshot!(settled(body.json()), @r#"{"execution":null,"items":[],"model":null,"recommendation_id":"ID","user":"25"}"#);
    assert_eq!(get(&service, "/v1/popular").await.json(), json!([]));
    assert_eq!(get(&service, "/v1/trending?n=3").await.json(), json!([]));
    let score = post(&service, "/v1/score", "{\"user\":25,\"products\":[1,2]}").await;
    insta::assert_snapshot!(settled(score.json()), @r#"{"execution":null,"model":"ouzel","products":[{"prediction":null,"product":"1"},{"prediction":null,"product":"2"}]}"#);
}

#[actix_web::test]
async fn what_curl_sends_without_a_type_is_json() {
    let service = service(|_| {});
    let request =
        TestRequest::post().uri("/v1/score").insert_header(("content-type", "application/x-www-form-urlencoded"));
    assert_eq!(send(&service, request.set_payload("{\"user\":25,\"products\":[1]}")).await.status, 200);
}

#[actix_web::test]
async fn pages_follow_one_another_to_the_end() {
    let service = service(|_| {});
    fill(&service, &["a", "b", "c", "d", "e"]);
    let (mut url, mut seen) = ("/recommend?user=u&n=2".to_owned(), Vec::new());
    loop {
        let body = get(&service, &url).await.json();
        seen.extend(body["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        let Some(next) = body["next"].as_str() else { break };
        url = format!("/recommend?user=u&n=2&next={next}");
    }
    assert_eq!(seen.len(), 5);
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, ["a", "b", "c", "d", "e"]);
}

#[actix_web::test]
async fn parameters_shape_the_list_and_answers_are_counted() {
    let service = service(|_| {});
    fill(&service, &["a", "b", "c"]);
    let catalogue = &service.parts.recommending.catalogue;
    catalogue.put(
        &"b".parse().unwrap(),
        ItemData { categories: vec!["shoes".to_owned()], ..ItemData::default() },
        NOW_MS,
    );
    let ids = async |url: &str| {
        let body = get(&service, url).await.json();
        let items = body["items"].as_array().unwrap_or_else(|| body.as_array().unwrap()).clone();
        items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids("/v1/popular").await, ["a", "b", "c"]);
    assert_eq!(ids("/v1/popular?category=shoes").await, ["b"]);
    assert_eq!(ids("/v1/recommend/u?exclude=a&exclude=c").await, ["b"]);
    assert_eq!(ids("/v1/recommend/bulk?category=shoes").await, ["b"]);
    assert_eq!(service.parts.stats.body(None, NOW_MS).usage, 2);
}

#[actix_web::test]
async fn ids_in_paths_are_decoded() {
    let service = service(|_| {});
    fill(&service, &["a/b é"]);
    let answered = get(&service, "/v1/items/a%2Fb%20%C3%A9").await;
    assert_eq!(answered.json(), json!({"id": "a/b é", "categories": [], "hidden": false}));
    assert_eq!(get(&service, "/v1/items/nothing").await.problem()["detail"], "there is no item nothing");
    assert_eq!(get(&service, "/v1/items/nothing/similar").await.status, 404);
}

#[actix_web::test]
async fn a_deleted_item_is_not_there() {
    let service = service(|_| {});
    fill(&service, &["a"]);
    service.parts.recommending.catalogue.delete(&"a".parse().unwrap());
    assert_eq!(get(&service, "/v1/items/a").await.status, 404);
    assert_eq!(send(&service, TestRequest::delete().uri("/v1/items/a")).await.status, 404);
}

#[actix_web::test]
async fn bulk_answers_a_line_each_in_order() {
    let service = service(|_| {});
    fill(&service, &["a", "b"]);
    let lines = async |url: &str, body: &str| {
        let answered = post(&service, url, body).await;
        assert_eq!((answered.status, answered.header("content-type")), (200, "application/x-ndjson"));
        let text = String::from_utf8(answered.body.to_vec()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>()
    };
    let body = "{\"user\":1,\"n\":1}\n\n{\"n\":0}\n{\"user\":\"2\"}\n".to_owned() + &"{\"user\":3}\n".repeat(300);
    let answers = lines("/v1/recommend/bulk", &body).await;
    assert_eq!(answers.len(), 303);
    assert_eq!(answers[0]["items"].as_array().map(Vec::len), Some(1));
    assert_eq!((answers[1]["index"].as_u64(), answers[1]["error"].as_str().is_some()), (Some(1), true));
    assert_eq!((answers[2]["user"].as_str(), answers[302]["user"].as_str()), (Some("2"), Some("3")));

    let histories = &service.parts.recommending.histories;
    for user in ["v", "u"] {
        let item = service.parts.recommending.catalogue.index(&"a".parse().unwrap());
        let kind = histories.types().index("view").unwrap();
        histories.apply(&user.parse().unwrap(), Act::new(item, kind, 1.0, NOW_MS));
    }
    let users: Vec<Value> =
        lines("/v1/recommend/bulk?all=true&n=1", "").await.iter().map(|a| a["user"].clone()).collect();
    assert_eq!(users, ["u", "v"]);
    assert_eq!(post(&service, "/v1/recommend/bulk", " \n").await.status, 400);
}

#[actix_web::test]
async fn readiness_says_what_is_missing() {
    let service = service(|_| {});
    service.parts.readiness.degraded_while("kafka", || true);
    assert_eq!(get(&service, "/health/ready").await.json(), json!({"ready": true, "degraded": ["kafka"]}));
    service.parts.readiness.stop();
    let answered = get(&service, "/health/ready").await;
    let problem = answered.problem();
    assert_eq!((answered.status, &problem["ready"], &problem["degraded"]), (503, &json!(false), &json!(["kafka"])));
    assert_eq!(problem["detail"], "the service is stopping");
    assert_eq!(get(&service, "/health/live").await.json(), json!({"live": true}));
}

#[actix_web::test]
async fn a_version_that_cannot_be_had_is_not_found() {
    let service = service(|_| {});
    for url in [
        "/recommend?version=7",
        "/v1/models/recommender",
        "/v1/models/recommender/versions/7",
        "/v1/models/other",
        "/v1/versions/7/download",
    ] {
        let answered = get(&service, url).await;
        assert_eq!(answered.problem()["status"], 404, "{url}");
    }
    let body = "{\"instances\":[{\"products\":[1],\"users\":[1]}]}";
    assert_eq!(post(&service, "/v1/models/recommender:predict", body).await.status, 404);
}

#[actix_web::test]
async fn pages_for_people_keep_to_themselves() {
    let service = service(|_| {});
    let page = get(&service, "/docs").await;
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; style-src 'nonce-"), "{policy}");
    assert_eq!((page.header("x-content-type-options"), page.header("x-frame-options")), ("nosniff", "DENY"));
    let document = get(&service, "/openapi.json").await.json();
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.")));
    assert_eq!(get(&service, "/v1/dead-letters").await.json(), json!({"dead_letters": [], "next": null}));
}
