//! Bodies as they come: their type, their length, their pace.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderMap};
use actix_web::{FromRequest, HttpRequest, web};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use serde_json::{Map, Value};

use super::errors::{ApiError, Kind};
use super::intake::BATCH_BYTES;
use super::service::Service;
use crate::settings;

/// How long the next part of a body may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One JSON value.
    Json,
    /// A JSON value a line.
    Lines,
}

/// The form that the headers name. `curl -d` says `application/x-www-form-urlencoded` of whatever it sends, so that is
/// read as JSON, as is a body of no type.
///
/// # Errors
/// 415 for other types, and for a body that is compressed.
pub fn form(headers: &HeaderMap) -> Result<Form, ApiError> {
    if let Some(encoding) = headers.get(header::CONTENT_ENCODING)
        && !encoding.as_bytes().eq_ignore_ascii_case(b"identity")
    {
        return Err(ApiError::new(Kind::Unsupported, "compressed bodies are not read; send it as it is"));
    }
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(Form::Json) };
    let text = value.to_str().unwrap_or_default();
    let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "application/json" | "application/x-www-form-urlencoded" => Ok(Form::Json),
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" | "application/x-jsonlines" => {
            Ok(Form::Lines)
        }
        other if other.starts_with("application/") && other.ends_with("+json") => Ok(Form::Json),
        _ => Err(ApiError::new(
            Kind::Unsupported,
            "send Content-Type: application/json, or application/x-ndjson where lines are taken",
        )),
    }
}

/// Refuses a body whose announced length is over `limit` before it is read.
///
/// # Errors
/// 413.
pub fn announced(headers: &HeaderMap, limit: usize) -> Result<(), ApiError> {
    if content_length(headers).is_some_and(|length| length > limit as u64) {
        Err(ApiError::too_large(limit))
    } else {
        Ok(())
    }
}

/// Bytes that are held of a body at once: all of one JSON value, and of lines what waits to be taken in.
#[must_use]
pub fn held(headers: &HeaderMap, server: &settings::Server) -> usize {
    let length = match content_length(headers) {
        Some(length) => usize::try_from(length).unwrap_or(usize::MAX),
        None if headers.contains_key(header::TRANSFER_ENCODING) => usize::MAX,
        None => return 0,
    };
    let most = match form(headers) {
        Ok(Form::Json) => server.body_limit,
        Ok(Form::Lines) => server.body_limit.saturating_add(BATCH_BYTES),
        // Refused before it is read.
        Err(_) => 0,
    };
    length.min(most)
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Reads a body of one JSON value.
///
/// # Errors
/// 400.
pub fn json(body: &[u8]) -> Result<Value, ApiError> {
    serde_json::from_slice(body).map_err(|error| ApiError::new(Kind::Invalid, format!("the body is not JSON: {error}")))
}

/// Reads a body of one JSON object.
///
/// # Errors
/// 400.
pub fn object(body: &[u8]) -> Result<Map<String, Value>, ApiError> {
    match json(body)? {
        Value::Object(fields) => Ok(fields),
        _ => Err(ApiError::new(Kind::Invalid, "the body must be a JSON object")),
    }
}

/// The next part of a body; none at its end.
///
/// # Errors
/// 408 when it does not come, 400 when the connection breaks.
pub async fn next_part(
    payload: &mut (impl futures_util::Stream<Item = Result<Bytes, actix_web::error::PayloadError>> + Unpin),
) -> Result<Option<Bytes>, ApiError> {
    match tokio::time::timeout(PATIENCE, payload.next()).await {
        Err(_) => Err(ApiError::new(Kind::Timeout, format!("nothing came for {} s", PATIENCE.as_secs()))),
        Ok(None) => Ok(None),
        Ok(Some(Ok(part))) => Ok(Some(part)),
        Ok(Some(Err(error))) => Err(ApiError::new(Kind::Invalid, format!("the body cannot be read: {error}"))),
    }
}

/// Reads a whole body of at most `limit` bytes.
///
/// # Errors
/// 408, 413, or 400 when the connection breaks.
pub async fn whole(payload: &mut Payload, limit: usize) -> Result<Bytes, ApiError> {
    let mut body = BytesMut::new();
    while let Some(part) = next_part(payload).await? {
        if body.len() + part.len() > limit {
            return Err(ApiError::too_large(limit));
        }
        body.extend_from_slice(&part);
    }
    Ok(body.freeze())
}

/// A JSON body within `server.body_limit`, not yet parsed.
pub struct JsonBytes(pub Bytes);

impl FromRequest for JsonBytes {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let limit = request.app_data::<web::Data<Service>>().map(|service| service.parts.settings.server.body_limit);
        let allowed = limit.ok_or_else(ApiError::internal).and_then(|limit| {
            if form(request.headers())? == Form::Lines {
                return Err(ApiError::new(Kind::Unsupported, "send Content-Type: application/json"));
            }
            announced(request.headers(), limit)?;
            Ok(limit)
        });
        let mut payload = payload.take();
        Box::pin(async move { whole(&mut payload, allowed?).await.map(Self) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::{HeaderName, HeaderValue};

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_str(value).unwrap());
        headers
    }

    #[test]
    fn types_are_told_by_their_essence() {
        let of = |text: &str| form(&headers(header::CONTENT_TYPE, text)).map_err(|error| error.kind());
        assert_eq!(of("Application/JSON; charset=utf-8"), Ok(Form::Json));
        assert_eq!(of("application/x-www-form-urlencoded"), Ok(Form::Json));
        assert_eq!(of("application/problem+json"), Ok(Form::Json));
        assert_eq!(of("application/x-ndjson"), Ok(Form::Lines));
        assert_eq!(of("text/plain"), Err(Kind::Unsupported));
        assert_eq!(of("application/xml"), Err(Kind::Unsupported));
        assert_eq!(form(&HeaderMap::new()).unwrap(), Form::Json);
        assert!(form(&headers(header::CONTENT_ENCODING, "gzip")).is_err());
    }

    #[test]
    fn an_announced_length_is_checked_before_work() {
        assert!(announced(&headers(header::CONTENT_LENGTH, "100"), 100).is_ok());
        assert_eq!(announced(&headers(header::CONTENT_LENGTH, "101"), 100).unwrap_err().kind(), Kind::TooLarge);
    }
}
