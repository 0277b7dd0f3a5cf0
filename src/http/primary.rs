//! Calls that only the process with the trainer can answer, passed on to it from a process of role `serve`.

use std::time::Duration;

use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{ALLOW, HeaderName, RETRY_AFTER};
use actix_web::http::{StatusCode, header};
use actix_web::{FromRequest, HttpResponse, web};
use futures_util::TryStreamExt;

use super::edge::REQUEST_ID;
use super::errors::{ApiError, Kind};
use super::tls::{TlsError, authorities};
use crate::settings::Server;

/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(3);

/// Longest silence in an answer; a version takes its time to be loaded, and streams say something more often.
const SILENCE: Duration = Duration::from_secs(130);

/// Says that a call was passed on already.
const PASSED_ON: HeaderName = HeaderName::from_static("x-ouzel-passed-on");

/// Why no calls can be passed on.
#[derive(Debug, thiserror::Error)]
pub enum PrimaryError {
    /// The authorities that it is to be checked by.
    #[error(transparent)]
    Authorities(#[from] TlsError),
    /// The client.
    #[error("server.primary_url: no HTTP client can be made: {0}")]
    Client(#[from] reqwest::Error),
}

/// Where the trainer is.
pub struct Primary {
    url: String,
    client: reqwest::Client,
}

impl Primary {
    /// The primary of the settings; an empty URL is nowhere, and every call says so.
    ///
    /// # Errors
    /// When its authorities cannot be read or no HTTP client can be made.
    pub fn of(server: &Server) -> Result<Self, PrimaryError> {
        let mut client = reqwest::Client::builder().connect_timeout(CONNECT).read_timeout(SILENCE);
        if !server.primary_ca.as_os_str().is_empty() {
            client = client.tls_certs_only(authorities("server.primary_ca", &server.primary_ca)?);
        }
        Ok(Self { url: server.primary_url.trim_end_matches('/').to_owned(), client: client.build()? })
    }

    /// Passes a call on and its answer back, as it comes.
    pub async fn ask(&self, request: ServiceRequest) -> ServiceResponse {
        let (request, mut payload) = request.into_parts();
        let answered = match web::Bytes::from_request(&request, &mut payload).await {
            Ok(body) => self.answer(&request, body).await,
            Err(error) => Err(ApiError::from_actix(Some(&error), error.as_response_error().status_code())),
        };
        match answered {
            Ok(response) => ServiceResponse::new(request, response),
            Err(error) => ServiceResponse::from_err(error, request),
        }
    }

    /// The answer to a call with a body of its own.
    ///
    /// # Errors
    /// 503 where the other process does not answer, or is of role `serve` too.
    pub async fn answer(&self, request: &actix_web::HttpRequest, body: web::Bytes) -> Result<HttpResponse, ApiError> {
        if self.url.is_empty() {
            return Err(away(
                "this process only answers (role serve) and knows no other: set server.primary_url, or ask the process of role train",
            ));
        }
        if request.headers().contains_key(&PASSED_ON) {
            return Err(away(
                "server.primary_url leads to another process of role serve: set it to the one of role train",
            ));
        }
        let method = reqwest::Method::from_bytes(request.method().as_str().as_bytes());
        let method = method.map_err(|_| ApiError::internal())?;
        let mut asked = self.client.request(method, format!("{}{}", self.url, request.uri())).body(body);
        asked = asked.header(PASSED_ON.as_str(), "1");
        for name in [header::AUTHORIZATION, HeaderName::from_static("x-api-key"), header::CONTENT_TYPE, REQUEST_ID] {
            if let Some(value) = request.headers().get(&name) {
                asked = asked.header(name.as_str(), value.as_bytes());
            }
        }
        let answer = asked.send().await.map_err(|error| {
            let error: &(dyn std::error::Error + 'static) = &error;
            tracing::warn!(error, "the process with the trainer did not answer");
            away("the process of role train, at server.primary_url, does not answer: runs and changes of the live version have to wait for it")
        })?;
        let status = StatusCode::from_u16(answer.status().as_u16()).map_err(|_| ApiError::internal())?;
        let mut response = HttpResponse::build(status);
        for name in [header::CONTENT_TYPE, header::CACHE_CONTROL, RETRY_AFTER, ALLOW] {
            if let Some(value) = answer.headers().get(name.as_str()) {
                response.insert_header((name, value.as_bytes()));
            }
        }
        Ok(response.streaming(answer.bytes_stream().map_err(std::io::Error::other)))
    }
}

fn away(detail: &str) -> ApiError {
    ApiError::new(Kind::Unavailable, detail)
}
