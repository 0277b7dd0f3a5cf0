//! What a client's callbacks do: its log goes to `tracing` without secrets, its statistics and errors to the state.

use std::sync::Arc;

use rdkafka::ClientContext;
use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::statistics::{Broker, Statistics};

use super::broker::Link;
use super::oauth::Tokens;
use super::options::{Options, Redact};
use super::status::Board;

/// How long a broker may owe an answer before it counts as away, microseconds. A stream's questions are answered within
/// `fetch.wait.max.ms` (100 ms); what waits at a stalled network would be noticed by the client only after a minute.
const SILENT: i64 = 10_000_000;

/// The context of a client.
pub(crate) struct Context {
    pub(crate) link: Arc<Link>,
    redact: Redact,
    tokens: Option<Arc<Tokens>>,
    board: Option<Arc<Board>>,
}

impl Context {
    /// A client that reports to `link`, and to `board` what it learns of watermarks.
    pub(crate) fn new(link: Arc<Link>, options: &Options, board: Option<Arc<Board>>) -> Self {
        Self { link, redact: options.redact.clone(), tokens: options.tokens.clone(), board }
    }
}

impl ClientContext for Context {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, _config: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        let tokens = self.tokens.as_ref().ok_or("sasl.mechanism is not OAUTHBEARER")?;
        Ok(tokens.token()?)
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        let client = self.link.name();
        let text = self.redact.text(text);
        match (level, facility) {
            // Lost connections are told once by the link; the client repeats them at every attempt. Options that belong
            // to the other kind of client are given to both on purpose.
            (_, "FAIL" | "ERROR" | "CONFWARN" | "TERMINATE") => {
                tracing::debug!(target: "librdkafka", client, facility, "{text}");
            }
            (
                RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical | RDKafkaLogLevel::Error,
                _,
            ) => {
                tracing::error!(target: "librdkafka", client, facility, "{text}");
            }
            (RDKafkaLogLevel::Warning, _) => tracing::warn!(target: "librdkafka", client, facility, "{text}"),
            (RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info, _) => {
                tracing::info!(target: "librdkafka", client, facility, "{text}");
            }
            (RDKafkaLogLevel::Debug, _) => tracing::debug!(target: "librdkafka", client, facility, "{text}"),
        }
    }

    fn stats(&self, statistics: Statistics) {
        let up = || statistics.brokers.values().filter(|broker| broker.state == "UP");
        if up().any(|broker| !is_silent(broker)) {
            self.link.here();
        } else if self.link.connected() {
            let silent = up().next().is_some();
            self.link.away(if silent { "no broker that is connected answers" } else { "no broker is connected" });
        }
        if let Some(board) = &self.board {
            board.learn(&statistics);
        }
    }

    fn stats_raw(&self, statistics: &[u8]) {
        match serde_json::from_slice(statistics) {
            Ok(statistics) => self.stats(statistics),
            Err(error) => tracing::warn!(client = self.link.name(), %error, "the client's statistics cannot be read"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let client = self.link.name();
        let reason = self.redact.text(reason);
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AllBrokersDown) => self.link.away(&reason),
            Some(RDKafkaErrorCode::BrokerTransportFailure | RDKafkaErrorCode::Resolve) => self.link.failed(&reason),
            Some(RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SSL) => {
                let remedy = remedy(&reason);
                if self.link.refused(&format!("{reason}: {remedy}")) {
                    tracing::error!(client, reason, "the connection to Kafka is refused: {remedy}");
                }
            }
            // The stream itself judges these.
            Some(
                RDKafkaErrorCode::AutoOffsetReset
                | RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::UnknownTopic
                | RDKafkaErrorCode::UnknownPartition,
            ) => tracing::debug!(client, %error, reason, "the stream is told"),
            _ => tracing::warn!(client, %error, reason, "the Kafka client reports an error"),
        }
    }
}

impl ConsumerContext for Context {}

/// Whether a broker was asked and has been silent since.
fn is_silent(broker: &Broker) -> bool {
    broker.waitresp_cnt > 0 && broker.rxidle > SILENT && broker.txidle < broker.rxidle
}

/// What to look at where a connection is refused for this reason, in the words of librdkafka 2.
fn remedy(reason: &str) -> &'static str {
    let has = |text: &str| reason.contains(text);
    if has("OAUTHBEARER token") || has("no token from") {
        "check sasl.oauthbearer.* in kafka.options"
    } else if has("certificate verify failed") || has("certificate could not be verified") {
        "name the authority of the broker's certificate in ssl.ca.location of kafka.options"
    } else if has("SASL") || has("uthentication") {
        "check sasl.mechanism, sasl.username and sasl.password in kafka.options"
    } else {
        "check security.protocol and ssl.* in kafka.options"
    }
}
