//! The one error that handlers answer with, as a problem document (RFC 9457).
//!
//! Every error of another room has its place in one of the matches below, without a catch-all, so that a new one does
//! not become a 500 unseen.

use std::fmt;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use serde_json::{Map, Value};

use super::ports::PortError;
use crate::actors::errors::{CallError, EraseError, IngestError, RegistryError, RunError};
use crate::model::wire::BodyError;

/// The content type of errors.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// Seconds after which a caller may try again.
const RETRY_AFTER: u64 = 1;

/// The same where the disk is full.
const ROOM_AFTER: u64 = 5;

/// What kind of problem it is; each has one status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A field, a parameter or the body is not as it must be.
    Invalid,
    /// No key, or one that is not known.
    Unauthorized,
    /// The key's scopes do not reach, or the call came from another site's page.
    Forbidden,
    /// No such route, item, version or run.
    NotFound,
    /// The route has other methods.
    MethodNotAllowed,
    /// The body did not come in time.
    Timeout,
    /// It cannot be done as things stand.
    Conflict,
    /// The body is over its limit.
    TooLarge,
    /// The URL is over its limit.
    UrlTooLong,
    /// The content type or encoding is not read.
    Unsupported,
    /// The headers are over their limit.
    HeadersTooLarge,
    /// The key has sent too many requests.
    TooMany,
    /// A fault of the service.
    Internal,
    /// There is no room on the disk.
    NoRoom,
    /// To be tried again.
    Unavailable,
}

impl Kind {
    /// All kinds, as the documentation lists them.
    pub const ALL: [Self; 15] = [
        Self::Invalid,
        Self::Unauthorized,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::Timeout,
        Self::Conflict,
        Self::TooLarge,
        Self::UrlTooLong,
        Self::Unsupported,
        Self::HeadersTooLarge,
        Self::TooMany,
        Self::Internal,
        Self::NoRoom,
        Self::Unavailable,
    ];

    /// Status, short name (the end of `type`) and title.
    #[must_use]
    pub const fn parts(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Invalid => (StatusCode::BAD_REQUEST, "invalid", "The request is not valid"),
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized", "A key is needed"),
            Self::Forbidden => (StatusCode::FORBIDDEN, "forbidden", "This is not allowed"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not-found", "There is no such thing"),
            Self::MethodNotAllowed => {
                (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "The route has other methods")
            }
            Self::Timeout => (StatusCode::REQUEST_TIMEOUT, "timeout", "The body did not come in time"),
            Self::Conflict => (StatusCode::CONFLICT, "conflict", "It cannot be done as things stand"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The body is too large"),
            Self::UrlTooLong => (StatusCode::URI_TOO_LONG, "url-too-long", "The URL is too long"),
            Self::Unsupported => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "The body's type is not read here")
            }
            Self::HeadersTooLarge => {
                (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "headers-too-large", "The headers are too large")
            }
            Self::TooMany => (StatusCode::TOO_MANY_REQUESTS, "too-many-requests", "The key has sent too many requests"),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "The service has a fault"),
            Self::NoRoom => (StatusCode::INSUFFICIENT_STORAGE, "no-room", "The disk is full"),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Try again in a moment"),
        }
    }

    fn of_status(status: StatusCode) -> Self {
        let known = Self::ALL.into_iter().find(|kind| kind.parts().0 == status);
        known.unwrap_or(if status.is_client_error() { Self::Invalid } else { Self::Internal })
    }
}

/// The body of an error.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Problem {
    /// Where the kind of problem is described.
    #[serde(rename = "type")]
    pub kind: String,
    /// What kind of problem it is, for people.
    pub title: String,
    /// The status.
    pub status: u16,
    /// What was wrong and what to do.
    pub detail: String,
    /// `detail` again, as clients of TensorFlow Serving read it.
    pub error: String,
    /// The answer's `X-Request-ID`.
    pub request_id: String,
    /// The field or parameter that was wrong, where it was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What else is to be said, by name.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub extras: Map<String, Value>,
}

/// An error on its way to a caller.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiError(Box<Inner>);

/// What it says; behind a pointer, so that results stay small.
#[derive(Debug, Clone, PartialEq)]
struct Inner {
    kind: Kind,
    detail: String,
    field: Option<String>,
    extras: Map<String, Value>,
    allow: Option<String>,
    /// Seconds after which the caller may try again.
    retry_after: Option<u64>,
    request_id: String,
}

impl ApiError {
    /// An error of a kind, with what was wrong and what to do.
    #[must_use]
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        let (detail, request_id) = (detail.into(), String::new());
        let retry_after = match kind {
            Kind::Unavailable => Some(RETRY_AFTER),
            Kind::NoRoom => Some(ROOM_AFTER),
            _ => None,
        };
        Self(Box::new(Inner { kind, detail, field: None, extras: Map::new(), allow: None, retry_after, request_id }))
    }

    /// A bad value of a field or parameter.
    #[must_use]
    pub fn field(field: &str, message: impl fmt::Display) -> Self {
        Self::new(Kind::Invalid, format!("{field}: {message}")).at(Some(field.to_owned()))
    }

    /// A route that has other methods; `allow` lists them.
    #[must_use]
    pub fn method_not_allowed(allow: &str) -> Self {
        let detail = format!("this route takes {allow}");
        let mut error = Self::new(Kind::MethodNotAllowed, detail);
        error.0.allow = Some(allow.to_owned());
        error
    }

    /// A body over its limit of `limit` bytes.
    #[must_use]
    pub fn too_large(limit: usize) -> Self {
        Self::new(Kind::TooLarge, format!("the body is larger than the limit of {limit} bytes; send it in parts"))
    }

    /// A key that has sent too many requests, and may go on after `seconds`.
    #[must_use]
    pub fn too_many(seconds: u64) -> Self {
        let mut error =
            Self::new(Kind::TooMany, format!("the key has sent too many requests, go on after {seconds} s"));
        error.0.retry_after = Some(seconds);
        error
    }

    /// A fault of the service; what it was stands in the log, not in the answer.
    #[must_use]
    pub fn internal() -> Self {
        Self::new(Kind::Internal, "something broke in the service; its log has more under this request's id")
    }

    fn at(mut self, field: Option<String>) -> Self {
        self.0.field = field;
        self
    }

    /// Adds a named value to the body.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.extras.insert(name.to_owned(), value.into());
        self
    }

    /// Puts `before` in front of the detail.
    #[must_use]
    pub fn after(mut self, before: &str) -> Self {
        self.0.detail = format!("{before}{}", self.0.detail);
        self
    }

    /// Names the request.
    #[must_use]
    pub fn with_request_id(mut self, id: &str) -> Self {
        id.clone_into(&mut self.0.request_id);
        self
    }

    /// The kind.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The error behind a response that actix made, or one that speaks for its status.
    #[must_use]
    pub fn from_actix(error: Option<&actix_web::Error>, status: StatusCode) -> Self {
        if let Some(own) = error.and_then(|error| error.as_error::<Self>()) {
            return own.clone();
        }
        let kind = Kind::of_status(status);
        match (kind, error) {
            (Kind::Internal, _) => Self::internal(),
            (_, Some(error)) => Self::new(kind, error.to_string()),
            (_, None) => Self::new(kind, status.canonical_reason().unwrap_or("the request cannot be answered")),
        }
    }

    /// The body.
    #[must_use]
    pub fn problem(&self) -> Problem {
        let (status, name, title) = self.0.kind.parts();
        Problem {
            kind: format!("/docs#{name}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: self.0.detail.clone(),
            error: self.0.detail.clone(),
            request_id: self.0.request_id.clone(),
            field: self.0.field.clone(),
            extras: self.0.extras.clone(),
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.detail)
    }
}

impl std::error::Error for ApiError {}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.0.kind.parts().0
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        response.content_type(PROBLEM_JSON);
        if let Some(seconds) = self.0.retry_after {
            response.insert_header((header::RETRY_AFTER, seconds));
        }
        if self.0.kind == Kind::Unauthorized {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer realm=\"ouzel\""));
        }
        if let Some(allow) = &self.0.allow {
            response.insert_header((header::ALLOW, allow.as_str()));
        }
        response.json(self.problem())
    }
}

impl From<CallError> for ApiError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Busy | CallError::Away | CallError::Deadline => Self::new(Kind::Unavailable, error.to_string()),
        }
    }
}

impl From<IngestError> for ApiError {
    fn from(error: IngestError) -> Self {
        match error {
            IngestError::Call(error) => error.into(),
            IngestError::Log(_) | IngestError::Away(_) => Self::new(Kind::Unavailable, error.to_string()),
            IngestError::Full(_) => Self::new(Kind::NoRoom, error.to_string()),
            IngestError::Refused(_) => Self::new(Kind::Conflict, error.to_string()),
        }
    }
}

impl From<EraseError> for ApiError {
    fn from(error: EraseError) -> Self {
        match error {
            EraseError::Stopping | EraseError::Failed(_) => Self::new(Kind::Unavailable, error.to_string()),
        }
    }
}

impl From<RunError> for ApiError {
    fn from(error: RunError) -> Self {
        let detail = error.to_string();
        match error {
            RunError::Call(error) => error.into(),
            RunError::Unknown(_) => Self::new(Kind::NotFound, detail),
            RunError::Over(_) => Self::new(Kind::Conflict, detail),
            RunError::Store(_) => Self::new(Kind::Unavailable, detail),
            RunError::Full(_) => Self::new(Kind::NoRoom, detail),
            RunError::Schedule(_) => {
                let field = detail.split(':').next().filter(|name| super::schedule::FIELDS.contains(name));
                Self::new(Kind::Invalid, detail.clone()).at(field.map(str::to_owned))
            }
        }
    }
}

impl From<RegistryError> for ApiError {
    fn from(error: RegistryError) -> Self {
        let detail = error.to_string();
        match error {
            RegistryError::Call(error) => error.into(),
            RegistryError::Unknown(_) => Self::new(Kind::NotFound, detail),
            RegistryError::NoPrevious | RegistryError::Damaged(..) => Self::new(Kind::Conflict, detail),
            RegistryError::Full(_) => Self::new(Kind::NoRoom, detail),
            RegistryError::Store(_) | RegistryError::Follows => Self::new(Kind::Unavailable, detail),
        }
    }
}

impl From<PortError> for ApiError {
    fn from(error: PortError) -> Self {
        let detail = error.to_string();
        match error {
            PortError::Away(_) => Self::new(Kind::Unavailable, detail),
            PortError::Unknown(_) => Self::new(Kind::NotFound, detail),
            PortError::Refused(_) => Self::new(Kind::Conflict, detail),
        }
    }
}

impl From<BodyError> for ApiError {
    fn from(error: BodyError) -> Self {
        let detail = error.to_string();
        Self::new(Kind::Invalid, detail).at(error.field).with("code", error.code)
    }
}
