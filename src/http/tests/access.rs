use actix_web::http::Method;
use actix_web::test::TestRequest;

use crate::http::auth::Scope;
use crate::http::gate::Access;
use crate::http::routes::endpoints;
use crate::http::testing::{get, post, send, service};
use crate::settings::{Secret, Settings};

fn with_keys(settings: &mut Settings) {
    settings.auth.keys = ["read:r", "ingest:i", "admin:a"].map(Secret::new).to_vec();
}

/// A path with every parameter filled in.
fn filled(path: &str) -> String {
    let path = path.replace("{file}", "app.js");
    ["{user}", "{id}", "{version}", "{name}", "{category}", "{item}", "{type}"]
        .iter()
        .fold(path, |path, name| path.replace(name, "1"))
}

#[actix_web::test]
async fn with_keys_set_every_route_but_the_open_ones_asks_for_its_scope() {
    let service = service(with_keys);
    for endpoint in endpoints() {
        let plan = endpoint.plan();
        for (method, access) in &plan.methods {
            let request = || TestRequest::default().method(method.clone()).uri(&filled(plan.path));
            let what = format!("{method} {}", plan.path);
            let Access::Needs(scope) = access else {
                assert_eq!(send(&service, request()).await.status, 200, "{what}");
                continue;
            };
            let without = send(&service, request()).await;
            without.problem();
            assert_eq!((without.status, without.header("www-authenticate")), (401, "Bearer realm=\"ouzel\""), "{what}");
            let unknown = send(&service, request().insert_header(("x-api-key", "nobody"))).await;
            assert_eq!(unknown.status, 401, "{what}");
            let other = if *scope == Scope::Read { "i" } else { "r" };
            let wrong = send(&service, request().insert_header(("authorization", format!("Bearer {other}")))).await;
            assert_eq!(wrong.problem()["detail"], format!("the key lacks the scope {}", scope.name()), "{what}");
        }
    }
}

#[actix_web::test]
async fn a_key_that_reaches_is_let_in() {
    let service = service(with_keys);
    for key in ["r", "a"] {
        let request = TestRequest::get().uri("/recommend?user=u").insert_header(("x-api-key", key));
        assert_eq!(send(&service, request).await.status, 200, "{key}");
    }
    let request = TestRequest::get().uri("/v1/users/u").insert_header(("authorization", "bearer a"));
    assert_eq!(send(&service, request).await.json(), serde_json::json!({"user": "u", "events": []}));
}

#[actix_web::test]
async fn a_key_that_asks_too_fast_is_told_when_to_go_on() {
    let service = service(|settings| {
        with_keys(settings);
        (settings.auth.rate, settings.auth.burst) = (2, 3);
    });
    let ask = async |key: &'static str| {
        send(&service, TestRequest::get().uri("/recommend?user=u").insert_header(("x-api-key", key))).await
    };
    for _ in 0..3 {
        assert_eq!(ask("r").await.status, 200);
    }
    let refused = ask("r").await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, "1"));
    assert_eq!(refused.problem()["detail"], "the key has sent too many requests, go on after 1 s");
    assert_eq!(ask("a").await.status, 200, "another key has a pace of its own");
    assert_eq!(ask("nobody").await.status, 401);
    service.parts.clock.advance_ms(500);
    assert_eq!((ask("r").await.status, ask("r").await.status), (200, 429));
    service.reload_keys().unwrap();
    assert_eq!(ask("r").await.status, 429, "reading the keys again gives nobody more");
    assert_eq!(get(&service, "/health/live").await.status, 200);
}

#[actix_web::test]
async fn without_keys_all_are_open_but_to_pages_of_other_sites() {
    let service = service(|_| {});
    assert_eq!(get(&service, "/metrics").await.status, 200);
    let from = |name: &'static str, value: &'static str| {
        let request = TestRequest::post().uri("/v1/score").insert_header(("host", "localhost:5500"));
        request.insert_header((name, value)).set_payload("{\"products\":[1]}")
    };
    for (name, value, status) in [
        ("origin", "http://evil.example", 403),
        ("origin", "null", 403),
        ("origin", "http://localhost:5500", 200),
        ("sec-fetch-site", "cross-site", 403),
        ("sec-fetch-site", "same-origin", 200),
        ("accept", "*/*", 200),
    ] {
        assert_eq!(send(&service, from(name, value)).await.status, status, "{name}: {value}");
    }
    let looked = TestRequest::get().uri("/v1/popular").insert_header(("origin", "http://evil.example"));
    let answered = send(&service, looked).await;
    assert_eq!((answered.status, answered.header("access-control-allow-origin")), (200, ""));
}

#[actix_web::test]
async fn over_the_permits_answers_come_at_once_and_probes_still_do() {
    let service = service(|settings| settings.server.max_in_flight = 1);
    let permit = service.admission.admit().unwrap();
    let refused = get(&service, "/recommend?user=u").await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, "1"));
    assert_eq!(refused.problem()["detail"], "too many requests at once, try again in a moment");
    assert_eq!(post(&service, "/v1/events", "[]").await.status, 503);
    for url in ["/health/live", "/health/ready", "/metrics"] {
        assert_eq!(get(&service, url).await.status, 200, "{url}");
    }
    drop(permit);
    assert_eq!(get(&service, "/recommend?user=u").await.status, 200);
    assert_eq!(get(&service, "/recommend?user=u").await.status, 200);
}

#[actix_web::test]
async fn bulk_requests_have_permits_of_their_own() {
    let service = service(|_| {});
    let held: Vec<_> = std::iter::from_fn(|| service.bulk.admit().ok()).collect();
    assert_eq!(held.len(), 4);
    assert_eq!(post(&service, "/v1/recommend/bulk", "{}").await.status, 503);
    drop(held);
    for _ in 0..5 {
        assert_eq!(post(&service, "/v1/recommend/bulk", "{}").await.status, 200);
    }
}

#[actix_web::test]
async fn a_key_file_is_read_again() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "read:old").unwrap();
    let service = service(|settings| settings.auth.keys_file = file.path().to_owned());
    let status = async |key: &'static str| {
        let request = TestRequest::default().method(Method::GET).uri("/v1/popular").insert_header(("x-api-key", key));
        send(&service, request).await.status
    };
    assert_eq!((status("old").await, status("new").await), (200, 401));
    std::fs::write(file.path(), "read:new").unwrap();
    service.reload_keys().unwrap();
    assert_eq!((status("old").await, status("new").await), (401, 200));
    std::fs::write(file.path(), "nonsense").unwrap();
    assert!(service.reload_keys().is_err());
    assert_eq!(status("new").await, 200);
}
