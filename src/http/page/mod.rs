//! The page at `/` for people, with its style and scripts below `/page/`: embedded in the binary, so that it needs no
//! other host and no folder. The files hold no data and are open; what they show they ask the other routes for, with the
//! key that the user gives them.

use actix_web::http::header::{self, EntityTag, Header as _, IfNoneMatch};
use actix_web::{HttpRequest, HttpResponse, web};
use xxhash_rust::xxh3::xxh3_128;

use super::errors::{ApiError, Kind};

/// Nothing of other hosts, nothing inline, no frame around it, and no text read as markup by a script.
const POLICY: &str = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'; require-trusted-types-for 'script'";

const INDEX: &[u8] = include_bytes!("files/index.html");

macro_rules! embedded {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_bytes!(concat!("files/", $name)) as &[u8])),+]
    };
}

/// The files below `/page/`, by name.
const FILES: &[(&str, &[u8])] = embedded![
    "api.js",
    "app.js",
    "ask.js",
    "base.css",
    "candidates.js",
    "dialogs.js",
    "dom.js",
    "format.js",
    "frame.css",
    "graph.js",
    "icon.svg",
    "list.js",
    "live.js",
    "now.css",
    "now.js",
    "online.js",
    "parts.css",
    "plot.js",
    "run.js",
    "runs.css",
    "runs.js",
    "schedule.js",
    "states.js",
    "theme.js",
    "try-items.js",
    "try-session.js",
    "try-user.js",
    "try.css",
    "try.js",
    "uplot.LICENSE",
    "uplot.min.css",
    "uplot.min.js",
    "version.js",
    "versions.js",
];

/// `GET /`.
#[utoipa::path(get, path = "/", tag = "service",
    responses((status = 200, description = "The page for people", body = String, content_type = "text/html")))]
pub async fn index(request: HttpRequest) -> HttpResponse {
    answer(&request, "index.html", INDEX)
}

/// `GET /page/{file}`.
#[utoipa::path(get, path = "/page/{file}", tag = "service", params(("file" = String, Path, description = "A file of the page")),
    responses((status = 200, description = "Style, script or picture of the page", body = String, content_type = "text/javascript"),
        (status = 404, description = "There is no such file", body = super::errors::Problem, content_type = "application/problem+json")))]
pub async fn file(request: HttpRequest, name: web::Path<String>) -> Result<HttpResponse, ApiError> {
    match FILES.iter().find(|(known, _)| *known == name.as_str()) {
        Some((name, bytes)) => Ok(answer(&request, name, bytes)),
        None => Err(ApiError::new(Kind::NotFound, format!("the page has no file {name}"))),
    }
}

/// A file, or word that the browser has it already. It asks each time, so that a new binary shows its own page.
fn answer(request: &HttpRequest, name: &str, bytes: &'static [u8]) -> HttpResponse {
    let tag = EntityTag::new_strong(format!("{:032x}", xxh3_128(bytes)));
    let known = match IfNoneMatch::parse(request) {
        Ok(IfNoneMatch::Any) => true,
        Ok(IfNoneMatch::Items(tags)) => tags.iter().any(|known| known.weak_eq(&tag)),
        Err(_) => false,
    };
    let mut response = if known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header(header::ETag(tag))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::X_FRAME_OPTIONS, "DENY"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header(("cross-origin-opener-policy", "same-origin"))
        .insert_header(("cross-origin-resource-policy", "same-origin"));
    if known { response.finish() } else { response.content_type(content_type(name)).body(bytes) }
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "text/plain; charset=utf-8",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_file_of_the_folder_is_embedded() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http/page/files");
        let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let embedded = FILES.iter().map(|&(name, _)| name.to_owned());
        assert_eq!(names.collect::<BTreeSet<_>>(), embedded.chain(["index.html".to_owned()]).collect());
    }

    #[test]
    fn nothing_is_inline_and_no_other_host_is_named() {
        let index = std::str::from_utf8(INDEX).unwrap();
        assert!(!index.contains("<style") && !index.contains(" style=") && !index.contains(" on"), "{index}");
        assert!(index.matches("<script").count() == index.matches("<script src=\"page/").count());
        for (name, bytes) in FILES.iter().filter(|(name, _)| !name.starts_with("uplot.")) {
            let text = std::str::from_utf8(bytes).unwrap().replace("http://www.w3.org/2000/svg", "");
            assert!(!text.contains("http://") && !text.contains("https://") && !text.contains("innerHTML"), "{name}");
            assert!(text.lines().count() < 200, "{name} is too long");
        }
    }
}
