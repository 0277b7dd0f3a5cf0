//! Tokens of OAUTHBEARER. The client library is built without an HTTP client of its own, so the tokens are asked for here,
//! with librdkafka's own options for the method `oidc`: by client credentials (RFC 6749, section 4.4), before each expires.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rdkafka::client::OAuthToken;
use reqwest::blocking::Client;
use serde::Deserialize;

use super::options::ClientError;
use crate::model::clock::Clock;
use crate::settings::Secret;

/// Longest wait for a token. A stream does not read meanwhile.
const PATIENCE: Duration = Duration::from_secs(10);

/// Bytes of an answer, at most.
const MAX_ANSWER: usize = 1 << 20;

/// How long a token is taken to hold whose answer does not say.
const UNSAID: u64 = 300;

/// Those of them that are no secrets and have to be told.
pub(crate) const TOLD: [&str; 4] = [METHOD, ENDPOINT, SCOPE, CA];

const METHOD: &str = "sasl.oauthbearer.method";
const ENDPOINT: &str = "sasl.oauthbearer.token.endpoint.url";
const ID: &str = "sasl.oauthbearer.client.id";
const SECRET: &str = "sasl.oauthbearer.client.secret";
const SCOPE: &str = "sasl.oauthbearer.scope";
const CA: &str = "https.ca.location";

/// Options that are read here and mean nothing to a client that was built without OIDC.
pub(crate) const OURS: [&str; 6] = [METHOD, ENDPOINT, ID, SECRET, SCOPE, CA];

/// Where one client's tokens come from.
pub(crate) struct Tokens {
    endpoint: reqwest::Url,
    id: String,
    secret: Secret,
    scope: Option<String>,
    authorities: Vec<reqwest::Certificate>,
    /// Made on the thread that asks first: it may not be one of the service's own.
    client: OnceLock<Client>,
}

/// An answer of the endpoint.
#[derive(Deserialize)]
struct Answer {
    access_token: Secret,
    expires_in: Option<u64>,
}

/// Why there is no token. Never holds the client's secret.
#[derive(Debug, thiserror::Error)]
#[error("no token from {place}: {reason}")]
pub(crate) struct TokenError {
    place: String,
    reason: String,
}

impl Tokens {
    /// The tokens of these options; none where they do not name OAUTHBEARER.
    ///
    /// # Errors
    /// [`ClientError::Option`] naming an option that is missing or cannot be meant.
    pub(crate) fn of(options: &BTreeMap<String, Secret>) -> Result<Option<Arc<Self>>, ClientError> {
        let get = |key: &str| options.get(key).map(Secret::expose).filter(|value| !value.is_empty());
        let mechanism = get("sasl.mechanism").or_else(|| get("sasl.mechanisms")).unwrap_or_default();
        if !mechanism.eq_ignore_ascii_case("OAUTHBEARER") {
            return Ok(None);
        }
        let wrong = |key: &str, reason: &str| ClientError::Option { key: key.to_owned(), reason: reason.to_owned() };
        let needed = |key: &str| get(key).ok_or_else(|| wrong(key, "is needed beside sasl.mechanism = OAUTHBEARER"));
        if !needed(METHOD)?.eq_ignore_ascii_case("oidc") {
            return Err(wrong(METHOD, "must be oidc: tokens are asked for at an endpoint"));
        }
        let endpoint = reqwest::Url::parse(needed(ENDPOINT)?)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| wrong(ENDPOINT, "must be a URL such as https://login.example/token"))?;
        let authorities = match get(CA) {
            None => Vec::new(),
            Some(file) => std::fs::read(file)
                .map_err(|error| error.to_string())
                .and_then(|text| reqwest::Certificate::from_pem_bundle(&text).map_err(|error| error.to_string()))
                .map_err(|reason| wrong(CA, &format!("cannot be read as certificates: {reason}")))?,
        };
        Ok(Some(Arc::new(Self {
            endpoint,
            id: needed(ID)?.to_owned(),
            secret: Secret::new(needed(SECRET)?),
            scope: get(SCOPE).map(str::to_owned),
            authorities,
            client: OnceLock::new(),
        })))
    }

    /// A new token. Blocks, at most ten seconds.
    ///
    /// # Errors
    /// [`TokenError`] where the endpoint gives none.
    pub(crate) fn token(&self) -> Result<OAuthToken, TokenError> {
        let now_ms = Clock::System.now_ms();
        let answer = self.answer().map_err(|reason| TokenError { place: self.place(), reason })?;
        let lasts_ms = i64::try_from(answer.expires_in.unwrap_or(UNSAID).saturating_mul(1000)).unwrap_or(i64::MAX);
        Ok(OAuthToken {
            token: answer.access_token.expose().to_owned(),
            principal_name: self.id.clone(),
            lifetime_ms: now_ms.saturating_add(lasts_ms),
        })
    }

    fn answer(&self) -> Result<Answer, String> {
        let mut form = vec![("grant_type", "client_credentials")];
        form.extend(self.scope.as_deref().map(|scope| ("scope", scope)));
        let mut encoded = self.endpoint.clone();
        encoded.query_pairs_mut().clear().extend_pairs(form);
        let response = self
            .client()?
            .post(self.endpoint.clone())
            .basic_auth(&self.id, Some(self.secret.expose()))
            .header("content-type", "application/x-www-form-urlencoded")
            .header("accept", "application/json")
            .body(encoded.query().unwrap_or_default().to_owned())
            .send()
            .map_err(|error| innermost(&error))?;
        let status = response.status();
        let bytes = response.bytes().map_err(|error| innermost(&error))?;
        if !status.is_success() {
            // The name of the error by RFC 6749; anything else there may hold what was sent.
            let named: Option<serde_json::Value> = serde_json::from_slice(&bytes).ok();
            let named = named.as_ref().and_then(|body| body.get("error")?.as_str());
            let name =
                named.filter(|name| name.len() <= 64 && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
            let told = name.map(|name| format!(" ({name})")).unwrap_or_default();
            return Err(format!("it answers with status {}{told}: check {ID} and {SECRET}", status.as_u16()));
        }
        if bytes.len() > MAX_ANSWER {
            return Err("its answer is too long".to_owned());
        }
        serde_json::from_slice(&bytes).map_err(|_| "its answer is no JSON with access_token".to_owned())
    }

    fn client(&self) -> Result<&Client, String> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let mut builder = Client::builder().timeout(PATIENCE).redirect(reqwest::redirect::Policy::none());
        if !self.authorities.is_empty() {
            builder = builder.tls_certs_only(self.authorities.clone());
        }
        let made = builder.build().map_err(|error| innermost(&error))?;
        Ok(self.client.get_or_init(|| made))
    }

    /// The endpoint without what may be secret in its URL.
    fn place(&self) -> String {
        let port = self.endpoint.port().map(|port| format!(":{port}")).unwrap_or_default();
        let host = self.endpoint.host_str().unwrap_or_default();
        format!("{}://{host}{port}{}", self.endpoint.scheme(), self.endpoint.path())
    }
}

/// The cause that says most: the last one.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::TcpListener;

    use super::*;

    fn options(endpoint: &str) -> BTreeMap<String, Secret> {
        let pairs = [
            ("sasl.mechanism", "OAUTHBEARER"),
            (METHOD, "oidc"),
            (ENDPOINT, endpoint),
            (ID, "shop"),
            (SECRET, "hunter2"),
            (SCOPE, "events read"),
        ];
        pairs.map(|(key, value)| (key.to_owned(), Secret::new(value))).into()
    }

    /// An endpoint that answers once, and what it was asked: the headers it looks at and the body.
    fn endpoint(status: u16, body: &'static str) -> (String, std::thread::JoinHandle<String>) {
        // In the process the command line has chosen it.
        rustls::crypto::ring::default_provider().install_default().ok();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/token?key=hidden", listener.local_addr().unwrap());
        let serve = move || {
            let mut stream = BufReader::new(listener.accept().unwrap().0);
            let (mut asked, mut length) = (String::new(), 0);
            for line in stream.by_ref().lines().map(Result::unwrap).take_while(|line| !line.is_empty()) {
                let line = line.to_lowercase();
                if let Some(number) = line.strip_prefix("content-length: ") {
                    length = number.parse().unwrap();
                }
                if line.starts_with("authorization: ") {
                    asked = line + " ";
                }
            }
            let mut sent = vec![0; length];
            stream.read_exact(&mut sent).unwrap();
            write!(stream.get_mut(), "HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
            asked + str::from_utf8(&sent).unwrap()
        };
        (url, std::thread::spawn(serve))
    }

    #[test]
    fn a_token_is_asked_for_by_client_credentials() {
        let (url, asked) = endpoint(200, r#"{"access_token":"t1","token_type":"bearer","expires_in":60}"#);
        let tokens = Tokens::of(&options(&url)).unwrap().unwrap();
        let now_ms = Clock::System.now_ms();
        let token = tokens.token().unwrap();
        assert_eq!((token.token.as_str(), token.principal_name.as_str()), ("t1", "shop"));
        assert!((now_ms + 60_000..now_ms + 120_000).contains(&token.lifetime_ms));
        // "shop:hunter2" in base64.
        let basic = "authorization: basic c2hvcdpodw50zxiy ";
        assert_eq!(asked.join().unwrap(), format!("{basic}grant_type=client_credentials&scope=events+read"));
    }

    #[test]
    fn why_there_is_no_token_is_said_without_the_secret() {
        let said = |url: &str| Tokens::of(&options(url)).unwrap().unwrap().token().err().unwrap().to_string();
        let (url, _) = endpoint(401, r#"{"error":"invalid_client","error_description":"hunter2 is wrong"}"#);
        let place = url.split('?').next().unwrap();
        let refused = said(&url);
        assert!(refused.starts_with(&format!("no token from {place}: it answers with status 401 (invalid_client)")));
        assert!(refused.contains(SECRET) && !refused.contains("hunter2") && !refused.contains("hidden"), "{refused}");
        let (url, _) = endpoint(200, "<html>");
        assert!(said(&url).ends_with("its answer is no JSON with access_token"));
        let away = said("http://127.0.0.1:1/token");
        assert!(away.starts_with("no token from http://127.0.0.1:1/token: ") && away.contains("refused"), "{away}");
    }

    #[test]
    fn an_option_that_is_missing_is_named() {
        assert!(Tokens::of(&BTreeMap::new()).unwrap().is_none());
        for (key, value, told) in [
            (METHOD, "default", "must be oidc"),
            (ENDPOINT, "login.example", "must be a URL"),
            (ID, "", "is needed"),
            (SECRET, "", "is needed"),
            (CA, "/nowhere/ca.pem", "cannot be read"),
        ] {
            let mut options = options("http://127.0.0.1:1/token");
            options.insert(key.to_owned(), Secret::new(value));
            let said = Tokens::of(&options).err().unwrap().to_string();
            assert!(said.contains(key) && said.contains(told) && !said.contains("hunter2"), "{said}");
        }
    }
}
