//! The outermost layer: the request's id, limits on URL and headers, the form of errors, the access line.

use std::time::Instant;

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, ResponseError};

use super::errors::{ApiError, Kind, PROBLEM_JSON};

/// The header that names a request and its answer.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Bytes of a request id that is taken over from the caller.
const MAX_REQUEST_ID: usize = 128;

/// Bytes of a URL.
const MAX_URL: usize = 16 * 1024;

/// Bytes of all headers, names and values.
const MAX_HEADERS: usize = 32 * 1024;

/// Passes a request on with an id, and its answer back with the same id and every error as a problem document.
pub async fn edge(mut request: ServiceRequest, next: Next<BoxBody>) -> Result<ServiceResponse, Error> {
    let started = Instant::now();
    let id = request_id(request.headers());
    request.headers_mut().insert(REQUEST_ID, id.clone());
    let line = tracing::enabled!(tracing::Level::DEBUG).then(|| (request.method().clone(), request.path().to_owned()));

    let mut response = match over_limit(&request) {
        Some(error) => request.error_response(error),
        None => match next.call(request).await {
            Ok(response) => response,
            Err(error) => {
                let status = error.as_response_error().status_code();
                return Err(formed(Some(&error), status, &id).into());
            }
        },
    };
    if (response.status().is_client_error() || response.status().is_server_error()) && !passed_on(&response) {
        let error = formed(response.response().error(), response.status(), &id);
        response = response.into_response(error.error_response());
    }
    if let Some((method, path)) = line {
        let (status, ms) = (response.status().as_u16(), started.elapsed().as_secs_f64() * 1e3);
        tracing::debug!(request_id = text(&id), %method, path, status, ms, "answered");
    }
    response.headers_mut().insert(REQUEST_ID, id);
    Ok(response)
}

/// An error in the house's form, with the request's id. The answer says of one that is the service's own fault that the log
/// has more, so the log has.
fn formed(error: Option<&Error>, status: StatusCode, id: &HeaderValue) -> ApiError {
    let formed = ApiError::from_actix(error, status).with_request_id(text(id));
    if formed.kind() == Kind::Internal {
        let cause = error.map(ToString::to_string).unwrap_or_default();
        tracing::error!(request_id = text(id), cause, "a request could not be answered");
    }
    formed
}

/// Whether it is the problem document of another process, which has the request's id already.
fn passed_on(response: &ServiceResponse) -> bool {
    let formed = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == PROBLEM_JSON);
    formed && response.response().error().is_none()
}

/// The caller's id where it is 1 to 128 visible ASCII characters, else a new one.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let given = headers.get(&REQUEST_ID).filter(|value| {
        (1..=MAX_REQUEST_ID).contains(&value.len()) && value.as_bytes().iter().all(u8::is_ascii_graphic)
    });
    given.cloned().unwrap_or_else(|| {
        let made = format!("{:032x}", rand::random::<u128>());
        HeaderValue::from_str(&made).unwrap_or_else(|_| HeaderValue::from_static("-"))
    })
}

fn text(id: &HeaderValue) -> &str {
    id.to_str().unwrap_or("-")
}

fn over_limit(request: &ServiceRequest) -> Option<ApiError> {
    if request.uri().path_and_query().is_some_and(|url| url.as_str().len() > MAX_URL) {
        return Some(ApiError::new(Kind::UrlTooLong, format!("the URL is longer than {MAX_URL} bytes; use POST")));
    }
    let bytes: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    (bytes > MAX_HEADERS)
        .then(|| ApiError::new(Kind::HeadersTooLarge, format!("the headers are larger than {MAX_HEADERS} bytes")))
}
