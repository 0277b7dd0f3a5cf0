//! Asks a broker once, as `ouzel doctor` does: whether it lets this user in, and which topics it has.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};

use super::broker::BrokerState;
use super::context::Context;
use super::options::{ClientError, Options};
use super::topics;
use crate::model::clock::Clock;
use crate::settings::Kafka;

/// Longest wait for one answer; between two the client's callbacks run.
const ASK: Duration = Duration::from_millis(500);

/// Why a broker did not answer.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The options.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// It was not reached, or did not let this user in.
    #[error("{0}")]
    Away(String),
}

/// Which of the topics that Ouzel reads or writes are not there. Blocks, at most `within`.
///
/// # Errors
/// [`CheckError`], with what to do where the connection is refused.
pub fn missing_topics(kafka: &Kafka, within: Duration) -> Result<Vec<String>, CheckError> {
    let options = Options::consumer(kafka, &kafka.requests_group, &[])?;
    let broker = BrokerState::new(Clock::System);
    let link = broker.link("doctor");
    let consumer: BaseConsumer<Context> = options.create(Context::new(link, &options, None))?;
    let until = Instant::now() + within;
    let mut last = String::new();
    while Instant::now() < until {
        // Errors of connections, and tokens, come by polling.
        if let Some(Err(error)) = consumer.poll(ASK / 5) {
            tracing::debug!(%error, "the broker is asked again");
        }
        match consumer.fetch_metadata(None, ASK) {
            Ok(metadata) => {
                let there = |name: &String| metadata.topics().iter().any(|topic| topic.name() == name);
                return Ok(topics::names(kafka).into_iter().filter(|name| !there(name)).collect());
            }
            Err(error) => last = error.to_string(),
        }
        if broker.refused() {
            break;
        }
    }
    Err(CheckError::Away(broker.status().last_error.unwrap_or(last)))
}
