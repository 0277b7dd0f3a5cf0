//! A running service over HTTP, for the commands that administer it.

use std::net::IpAddr;
use std::time::Duration;

use chrono::DateTime;
use reqwest::header::{DATE, HeaderMap};
use serde_json::Value;

use super::arguments::RemoteArgs;
use super::failure::Failure;
use super::trust::Trust;
use super::{Context, table};
use crate::settings::{Secret, Server};

/// How long a connection may take, and an answer.
const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(60);

/// How long an exchange of lines may take.
const LINES: Duration = Duration::from_secs(3600);

/// What to do where a connection fails for one of these reasons.
const REMEDIES: [(&str, &str); 4] = [
    ("UnknownIssuer", "name its authority's certificate with --ca FILE"),
    ("not valid for name", "call it by a name of its certificate"),
    ("ApplicationVerificationFailure", "its certificate is not that of server.tls_certificate here"),
    ("invalid HTTP", "does it speak https?"),
];

/// Why the service did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RemoteError {
    /// Nobody answered.
    #[error("no service answers at {url} ({reason}); start one with `ouzel serve`, or name it with --url")]
    Unreachable {
        /// The base URL.
        url: String,
        /// Why, in a few words.
        reason: String,
    },
    /// The service said no.
    #[error("{detail} (status {status}{})", .request_id.as_ref().map(|id| format!(", request {id}")).unwrap_or_default())]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The problem's `detail`.
        detail: String,
        /// By which the service's log names the request.
        request_id: Option<String>,
    },
    /// The answer is not what such a service gives.
    #[error("what answers at {url} is no Ouzel of this kind: {reason}")]
    Unreadable {
        /// The URL that was asked.
        url: String,
        /// What is wrong with the answer.
        reason: String,
    },
}

/// A running service.
pub(super) struct Remote {
    base: String,
    key: Option<Secret>,
    http: reqwest::Client,
}

impl Remote {
    /// The service that the arguments name, or else the settings.
    pub(super) fn new(args: &RemoteArgs, context: &mut Context<'_>) -> anyhow::Result<Self> {
        let (url, own) = match &args.url {
            Some(url) => (url.clone(), Trust::System),
            None => {
                let server = context.settings()?.server;
                let trust = if server.tls() { Trust::Own(server.tls_certificate.clone()) } else { Trust::System };
                (url_of(&server)?, trust)
            }
        };
        let trust = args.ca.clone().map_or(own, Trust::Authorities);
        Self::at(&url, args.key.clone(), &trust)
    }

    /// The service at `url`.
    pub(super) fn at(url: &str, key: Option<Secret>, trust: &Trust) -> anyhow::Result<Self> {
        let base = url.trim().trim_end_matches('/').to_owned();
        let fine =
            reqwest::Url::parse(&base).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        if !fine {
            return Err(Failure::Usage(format!("--url must be like http://host:5500, not {url:?}")).into());
        }
        let http = trust.client()?.connect_timeout(CONNECT).timeout(ANSWER).build()?;
        Ok(Self { base, key, http })
    }

    /// Asks for `path`, which begins with a slash.
    pub(super) async fn get(&self, path: &str) -> Result<Value, RemoteError> {
        self.send(self.http.get(self.url(path))).await
    }

    /// Asks for `path`; gives also when the service sent its answer by its own clock, milliseconds of the epoch, where it
    /// says.
    pub(super) async fn get_dated(&self, path: &str) -> Result<(Value, Option<i64>), RemoteError> {
        let response = self.begin(self.http.get(self.url(path))).await?;
        let sent_ms = date_ms(response.headers());
        Ok((self.body(response).await?, sent_ms))
    }

    /// Posts to `path`, with or without a body.
    pub(super) async fn post(&self, path: &str, body: Option<&Value>) -> Result<Value, RemoteError> {
        let request = self.http.post(self.url(path));
        self.send(match body {
            Some(body) => request.json(body),
            None => request,
        })
        .await
    }

    /// Posts lines of JSON, at most as long as an hour, and hands each line of the answer to `each`.
    pub(super) async fn post_lines(
        &self,
        path: &str,
        lines: Option<String>,
        each: &mut dyn FnMut(&[u8]) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let request = self.http.post(self.url(path)).timeout(LINES).header("content-type", "application/x-ndjson");
        let mut response = self.begin(request.body(lines.unwrap_or_default())).await?;
        let mut waiting: Vec<u8> = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.away(&error))? {
            waiting.extend_from_slice(&chunk);
            let Some(end) = waiting.iter().rposition(|&byte| byte == b'\n') else { continue };
            let rest = waiting.split_off(end + 1);
            for line in waiting.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
                each(line)?;
            }
            waiting = rest;
        }
        if waiting.is_empty() { Ok(()) } else { each(&waiting) }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    fn away(&self, error: &reqwest::Error) -> RemoteError {
        let mut reason = innermost(error);
        for (sign, remedy) in REMEDIES {
            if reason.contains(sign) {
                reason = format!("{reason}: {remedy}");
            }
        }
        RemoteError::Unreachable { url: self.base.clone(), reason }
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Value, RemoteError> {
        let response = self.begin(request).await?;
        self.body(response).await
    }

    async fn body(&self, response: reqwest::Response) -> Result<Value, RemoteError> {
        let bytes = response.bytes().await.map_err(|error| self.away(&error))?;
        match serde_json::from_slice::<Value>(&bytes) {
            Ok(body) => Ok(body),
            Err(_) if bytes.is_empty() => Ok(Value::Null),
            Err(error) => Err(RemoteError::Unreadable {
                url: self.base.clone(),
                reason: format!("its answer is no JSON: {error}"),
            }),
        }
    }

    /// Sends a request; an answer comes back only where the service agreed.
    async fn begin(&self, request: reqwest::RequestBuilder) -> Result<reqwest::Response, RemoteError> {
        let request = match &self.key {
            Some(key) => request.bearer_auth(key.expose()),
            None => request,
        };
        let response = request.send().await.map_err(|error| self.away(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let header = response.headers().get("x-request-id").and_then(|id| id.to_str().ok()).map(table::clean);
        let bytes = response.bytes().await.map_err(|error| self.away(&error))?;
        let told = serde_json::from_slice::<Value>(&bytes)
            .ok()
            .and_then(|body| Some(table::clean(body.get("detail")?.as_str()?)));
        let mut detail = told.unwrap_or_else(|| status.canonical_reason().unwrap_or("the service said no").to_owned());
        if matches!(status.as_u16(), 401 | 403) {
            detail.push_str("; give a key of the right scope with --key or OUZEL_KEY");
        }
        Err(RemoteError::Refused { status: status.as_u16(), detail, request_id: header })
    }
}

/// The cause that says most: the last one.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    table::clean(&cause.to_string())
}

/// When an answer was sent by its sender's clock, milliseconds of the epoch; none where it does not say.
pub(super) fn date_ms(headers: &HeaderMap) -> Option<i64> {
    let date = headers.get(DATE)?.to_str().ok()?;
    DateTime::parse_from_rfc2822(date).ok().map(|date| date.timestamp_millis())
}

/// Where a service with these settings is reached from its own machine.
fn url_of(server: &Server) -> Result<String, Failure> {
    if server.port == 0 {
        return Err(Failure::Usage("server.port is 0, any free port: name the service with --url".to_owned()));
    }
    let host = match server.address {
        address if address.is_unspecified() => "127.0.0.1".to_owned(),
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    };
    let scheme = if server.tls() { "https" } else { "http" };
    Ok(format!("{scheme}://{host}:{}", server.port))
}

/// Runs a future to its end, on this thread.
pub(super) fn wait_for<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

/// A part of a path, escaped.
pub(super) fn segment(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
