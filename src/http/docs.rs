//! The documentation for people at `/docs`, made from the OpenAPI document.

use std::fmt::Write as _;

use actix_web::HttpResponse;
use actix_web::http::header;
use serde_json::Value;

use super::errors::{ApiError, Kind};
use super::openapi::{Refused, document};

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;\
    color-scheme:light dark}code,pre{font-family:ui-monospace,monospace}h3{margin:2rem 0 .2rem}\
    .method{display:inline-block;min-width:4rem;font-weight:700}td,th{text-align:left;padding:.1rem 1rem .1rem 0;\
    vertical-align:top}";

/// `GET /docs`.
#[utoipa::path(get, path = "/docs", tag = "service",
    responses((status = 200, description = "The routes, for people", body = String, content_type = "text/html"), Refused))]
pub async fn page() -> Result<HttpResponse, ApiError> {
    let document = serde_json::to_value(document()).map_err(|_| ApiError::internal())?;
    let nonce = format!("{:032x}", rand::random::<u128>());
    // Writing to a string cannot fail.
    let body = render(&document).map_err(|_| ApiError::internal())?;
    let page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>Ouzel: routes</title><style nonce=\"{nonce}\">{STYLE}</style>{body}</html>"
    );
    Ok(html(
        page,
        &format!(
            "default-src 'none'; style-src 'nonce-{nonce}'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'"
        ),
    ))
}

/// An HTML page with the headers that keep it to itself.
fn html(page: String, policy: &str) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CONTENT_SECURITY_POLICY, policy))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::X_FRAME_OPTIONS, "DENY"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .body(page)
}

fn render(document: &Value) -> Result<String, std::fmt::Error> {
    let mut out = String::from("<h1>Ouzel</h1>");
    write!(out, "<p>{} <a href=\"/openapi.json\">openapi.json</a></p>", said(document.pointer("/info/description")))?;
    for (path, operations) in document.get("paths").and_then(Value::as_object).into_iter().flatten() {
        for (method, operation) in operations.as_object().into_iter().flatten() {
            let method = method.to_uppercase();
            write!(out, "<h3><code><span class=\"method\">{method}</span> {}</code></h3>", escape(path))?;
            operation_rows(&mut out, operation)?;
        }
    }
    out.push_str("<h2>Problems</h2><table>");
    for kind in Kind::ALL {
        let (status, name, title) = kind.parts();
        write!(out, "<tr id=\"{name}\"><th>{}</th><td><code>{name}</code></td><td>{title}</td></tr>", status.as_u16())?;
    }
    out.push_str("</table>");
    Ok(out)
}

fn operation_rows(out: &mut String, operation: &Value) -> std::fmt::Result {
    out.push_str("<table>");
    for parameter in operation.get("parameters").and_then(Value::as_array).into_iter().flatten() {
        let (name, place) = (said(parameter.get("name")), said(parameter.get("in")));
        write!(out, "<tr><th>{place} <code>{name}</code></th><td>{}</td></tr>", said(parameter.get("description")))?;
    }
    if let Some(body) = operation.get("requestBody") {
        let types: Vec<&String> =
            body.get("content").and_then(Value::as_object).into_iter().flatten().map(|(t, _)| t).collect();
        let types = types.into_iter().map(|t| escape(t)).collect::<Vec<_>>().join(", ");
        write!(out, "<tr><th>body <code>{types}</code></th><td>{}</td></tr>", said(body.get("description")))?;
    }
    let responses = operation.get("responses").and_then(Value::as_object).into_iter().flatten();
    for (status, response) in responses.filter(|(_, response)| !is_general(response)) {
        write!(out, "<tr><th>{}</th><td>{}</td></tr>", escape(status), said(response.get("description")))?;
    }
    out.push_str("</table>");
    Ok(())
}

/// Whether a response says no more than the table of problems does.
fn is_general(response: &Value) -> bool {
    let description = response.get("description").and_then(Value::as_str);
    Kind::ALL.iter().any(|kind| description == Some(kind.parts().2))
}

fn said(value: Option<&Value>) -> String {
    escape(value.and_then(Value::as_str).unwrap_or_default())
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_page_shows_every_route_and_no_markup_of_others() {
        let page = render(&serde_json::to_value(document()).unwrap()).unwrap();
        for path in document().paths.paths.keys() {
            assert!(page.contains(&format!("</span> {path}</code>")), "{path}");
        }
        let operation = json!({"parameters": [{"name": "<script>", "in": "query", "description": "a & b"}]});
        let page = render(&json!({"paths": {"/x": {"get": operation}}})).unwrap();
        assert!(page.contains("&lt;script&gt;") && page.contains("a &amp; b"));
    }
}
