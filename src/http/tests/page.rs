use actix_web::http::Method;
use actix_web::test::TestRequest;

use crate::http::testing::{Answered, get, send, service};
use crate::settings::{Secret, Settings};

const HEADERS: [(&str, &str); 6] = [
    ("cache-control", "no-cache"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
];

fn with_keys(settings: &mut Settings) {
    settings.auth.keys = vec![Secret::new("read:r")];
}

fn check_headers(answered: &Answered) {
    for (name, value) in HEADERS {
        assert_eq!(answered.header(name), value, "{name}");
    }
    let policy = answered.header("content-security-policy");
    assert!(policy.starts_with("default-src 'self'; ") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
}

#[actix_web::test]
async fn the_page_and_its_files_are_open_and_typed() {
    let service = service(with_keys);
    for (path, kind) in [
        ("/", "text/html; charset=utf-8"),
        ("/page/app.js", "text/javascript; charset=utf-8"),
        ("/page/base.css", "text/css; charset=utf-8"),
        ("/page/icon.svg", "image/svg+xml"),
        ("/page/uplot.LICENSE", "text/plain; charset=utf-8"),
    ] {
        let answered = get(&service, path).await;
        assert_eq!((answered.status, answered.header("content-type")), (200, kind), "{path}");
        assert!(!answered.body.is_empty(), "{path}");
        check_headers(&answered);
    }
    assert_eq!(get(&service, "/state").await.status, 401);
}

#[actix_web::test]
async fn what_the_browser_has_is_not_sent_again() {
    let service = service(|_| {});
    for path in ["/", "/page/app.js"] {
        let tag = get(&service, path).await.header("etag").to_owned();
        assert!(tag.len() == 34 && tag.starts_with('"'), "{tag}");
        for (known, status) in [
            (tag.clone(), 304),
            (format!("W/{tag}"), 304),
            (format!("\"other\", {tag}"), 304),
            ("*".to_owned(), 304),
            ("\"other\"".to_owned(), 200),
            ("no tag".to_owned(), 200),
        ] {
            let request = TestRequest::get().uri(path).insert_header(("if-none-match", known.clone()));
            let answered = send(&service, request).await;
            assert_eq!((answered.status, answered.header("etag")), (status, tag.as_str()), "{path} {known}");
            assert_eq!(answered.body.is_empty(), status == 304, "{path} {known}");
            check_headers(&answered);
        }
    }
}

#[actix_web::test]
async fn other_paths_and_methods_are_refused_as_everywhere() {
    let service = service(|_| {});
    for path in ["/page/", "/page/none.js", "/page/..%2fmod.rs", "/page/index.html", "/index.html", "/nowhere"] {
        assert_eq!(get(&service, path).await.problem()["status"], 404, "{path}");
    }
    let answered = send(&service, TestRequest::default().method(Method::POST).uri("/")).await;
    assert_eq!((answered.status, answered.header("allow")), (405, "GET, HEAD"));
}
