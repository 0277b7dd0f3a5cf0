use actix_web::http::Method;
use actix_web::middleware::from_fn;
use actix_web::test::TestRequest;
use actix_web::{App, HttpResponse};

use crate::http::edge::edge;
use crate::http::endpoint::Endpoint;
use crate::http::gate::Access;
use crate::http::testing::{get, post, send, send_to, service};

/// The body of an error as text, its id being `ID`.
async fn said(url: &str) -> String {
    let answered = send(&service(|_| {}), TestRequest::get().uri(url).insert_header(("x-request-id", "ID"))).await;
    answered.problem();
    String::from_utf8(answered.body.to_vec()).unwrap()
}

#[actix_web::test]
async fn an_unknown_route_is_a_problem_like_any_other() {
    insta::assert_snapshot!(said("/v2/nothing").await, @r#"{"type":"/docs#not-found","title":"There is no such thing","status":404,"detail":"there is no route /v2/nothing; /docs lists them","error":"there is no route /v2/nothing; /docs lists them","request_id":"ID"}"#);
}

#[actix_web::test]
async fn a_bad_parameter_is_named() {
    let service = service(|_| {});
    insta::assert_snapshot!(said("/recommend?user=u&n=0").await, @r#"{"type":"/docs#invalid","title":"The request is not valid","status":400,"detail":"n: must be a whole number from 1 to 1000","error":"n: must be a whole number from 1 to 1000","request_id":"ID","field":"n"}"#);
    let long = format!("/v1/recommend/{}", "x".repeat(257));
    for (url, field) in [
        ("/recommend?usr=u", "usr"),
        ("/recommend?user=", "user"),
        ("/recommend?n=1001", "n"),
        ("/recommend?n=5&n=6", "n"),
        ("/recommend?explain=perhaps", "explain"),
        ("/recommend?version=latest", "version"),
        ("/recommend?next=zzz", "next"),
        ("/v1/recommend/u?user=v", "user"),
        (long.as_str(), "user"),
        ("/v1/popular?n=x", "n"),
        ("/v1/trending?category=", "category"),
        ("/v1/items/i/similar?limit=3", "limit"),
        ("/v1/users/u?limit=0", "limit"),
        ("/v1/versions/x", "version"),
        ("/v1/versions?n=1", "n"),
        ("/v1/runs?limit=-1", "limit"),
        ("/v1/dead-letters?limit=all", "limit"),
    ] {
        let answered = get(&service, url).await;
        assert_eq!((answered.status, answered.problem()["field"].as_str()), (400, Some(field)), "{url}");
    }
}

#[actix_web::test]
async fn a_bad_body_is_named() {
    let service = service(|_| {});
    for (url, body, field) in [
        ("/recommend", "{\"n\":0}", Some("n")),
        ("/v1/recommend", "{\"usr\":1}", Some("usr")),
        ("/recommend", "{\"items\":[1,\"\"]}", Some("items[1]")),
        ("/recommend", "not json", None),
        ("/v1/score", "{\"user\":25}", Some("products")),
        ("/v1/score", "{\"products\":[]}", Some("products")),
        ("/v1/events", "not json", None),
        ("/v1/events", "{\"user\":1}", Some("item")),
        ("/v1/events", "{\"user\":1,\"item\":2,\"when\":3}", Some("when")),
        ("/v1/models/recommender:predict", "{}", None),
    ] {
        let answered = post(&service, url, body).await;
        let model_is_missing = url.ends_with(":predict");
        assert_eq!(answered.status, if model_is_missing { 404 } else { 400 }, "{url} {body}");
        assert_eq!(answered.problem()["field"].as_str(), field, "{url} {body}");
    }
}

#[actix_web::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let service = service(|_| {});
    for (method, url, allow) in [
        (Method::DELETE, "/recommend", "GET, HEAD, POST"),
        (Method::POST, "/v1/items/i", "GET, HEAD, PUT, DELETE"),
        (Method::GET, "/v1/score", "POST"),
        (Method::PUT, "/v1/recommend/bulk", "GET, HEAD"),
        (Method::GET, "/v1/models/recommender:predict", "POST"),
        (Method::PATCH, "/health/live", "GET, HEAD"),
    ] {
        let answered = send(&service, TestRequest::default().method(method.clone()).uri(url)).await;
        answered.problem();
        assert_eq!((answered.status, answered.header("allow")), (405, allow), "{method} {url}");
    }
}

#[actix_web::test]
async fn bodies_of_other_types_and_over_the_limit_are_refused() {
    let service = service(|settings| settings.server.body_limit = 64);
    let typed = |url: &str, name: &'static str, value: &str| {
        TestRequest::post().uri(url).insert_header((name, value.to_owned())).set_payload("{}")
    };
    for url in ["/recommend", "/v1/score", "/v1/events"] {
        assert_eq!(send(&service, typed(url, "content-type", "text/xml")).await.problem()["status"], 415, "{url}");
        assert_eq!(send(&service, typed(url, "content-encoding", "gzip")).await.problem()["status"], 415, "{url}");
        let body = format!("{{\"user\":\"{}\"}}", "x".repeat(64));
        let problem = post(&service, url, &body).await.problem();
        assert_eq!(problem["status"], 413, "{url}");
        assert_eq!(problem["detail"], "the body is larger than the limit of 64 bytes; send it in parts");
    }
    assert_eq!(send(&service, typed("/v1/score", "content-type", "application/x-ndjson")).await.status, 415);
}

#[actix_web::test]
async fn long_urls_and_headers_are_refused() {
    let service = service(|_| {});
    assert_eq!(get(&service, &format!("/recommend?user={}", "x".repeat(17_000))).await.problem()["status"], 414);
    let request = TestRequest::get().uri("/health/live").insert_header(("x-much", "x".repeat(40_000)));
    assert_eq!(send(&service, request).await.problem()["status"], 431);
}

#[actix_web::test]
async fn a_panicking_handler_is_a_problem_that_says_nothing_of_it() {
    async fn broken() -> HttpResponse {
        panic!("secret of the house")
    }
    let service = service(|_| {});
    let app = App::new()
        .app_data(service.clone())
        .wrap(from_fn(edge))
        .service(Endpoint::at("/broken").get(Access::Open, broken));
    let answered = send_to(app, TestRequest::get().uri("/broken")).await;
    assert_eq!(answered.problem()["type"], "/docs#internal");
    assert!(!String::from_utf8_lossy(&answered.body).contains("secret"));
    let told = get(&service, "/metrics").await.body;
    assert!(String::from_utf8_lossy(&told).contains("http_route=\"/broken\""));
}

#[actix_web::test]
async fn an_error_of_actix_itself_is_a_problem_too() {
    let app = App::new().app_data(service(|_| {})).wrap(from_fn(edge)).service(
        Endpoint::at("/teapot").get(Access::Open, || async { HttpResponse::ImATeapot().body("short and stout") }),
    );
    let answered = send_to(app, TestRequest::get().uri("/teapot")).await;
    assert_eq!(answered.status, 400);
    answered.problem();
}

#[actix_web::test]
async fn a_sane_request_id_is_kept_and_another_replaced() {
    let service = service(|_| {});
    let with = |id: String| TestRequest::get().uri("/health/live").insert_header(("x-request-id", id));
    assert_eq!(send(&service, with("my-id.7".to_owned())).await.header("x-request-id"), "my-id.7");
    assert_eq!(send(&service, with("x".repeat(128))).await.header("x-request-id").len(), 128);
    for id in [String::new(), "two words".to_owned(), "x".repeat(129)] {
        let made = send(&service, with(id.clone())).await.header("x-request-id").to_owned();
        assert!(made != id && made.len() == 32, "{made}");
    }
    let (first, second) = (get(&service, "/nowhere").await, get(&service, "/nowhere").await);
    assert_ne!(first.header("x-request-id"), second.header("x-request-id"));
}
