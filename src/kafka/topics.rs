//! Makes the topics that are missing, with the broker's defaults, where the broker allows that.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::error::RDKafkaErrorCode;

use super::StreamHandle;
use super::broker::BrokerState;
use super::context::Context;
use super::options::{ClientError, Options};
use super::status::Board;
use super::worker::{self, Stop};
use crate::settings::Kafka;

/// Longest wait for an answer of the broker.
const ASK: Duration = Duration::from_secs(3);

/// Time between attempts while the broker is away.
const AGAIN: Duration = Duration::from_secs(1);

/// Attempts at a broker that lists topics but makes none (the embedded one does not answer).
const ATTEMPTS: u32 = 3;

/// Every topic that Ouzel reads or writes, dead letters included.
#[must_use]
pub fn names(kafka: &Kafka) -> Vec<String> {
    let read = [&kafka.events_topic, &kafka.requests_topic];
    let dead = read.map(|topic| format!("{topic}{}", kafka.dead_letter_suffix));
    let plain = [&kafka.events_topic, &kafka.requests_topic, &kafka.replies_topic, &kafka.models_topic];
    let versions = Some(&kafka.versions_topic).filter(|topic| !topic.is_empty());
    plain.into_iter().chain(versions).cloned().chain(dead).collect()
}

/// Makes the missing ones of [`names`] on a thread of its own, which tries until a broker answers and then ends. That a
/// topic cannot be made is only logged: somebody else may make it. With OAUTHBEARER none are made, since rdkafka's client
/// for that takes no token.
///
/// # Errors
/// [`ClientError`] when the settings make no client.
pub fn ensure(kafka: &Kafka, broker: &BrokerState) -> Result<StreamHandle, ClientError> {
    let options = Options::admin(kafka)?;
    if options.tokens.is_some() {
        tracing::info!("with OAUTHBEARER no topics are made: make those that are missing at the broker");
        let board = Arc::new(Board::new("", broker.clock().clone()));
        return worker::spawn("kafka-topics", Stop::default(), board, || ());
    }
    let context = Context::new(broker.link("topics"), &options, None);
    let admin: AdminClient<Context> = options.create(context)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.map_err(|error| ClientError::Thread(error.to_string()))?;
    let (stop, wanted) = (Stop::default(), names(kafka));
    let stopped = stop.clone();
    let board = Arc::new(Board::new("", broker.clock().clone()));
    worker::spawn("kafka-topics", stop, board, move || {
        let mut attempts = 0;
        while !stopped.is_set() {
            if let Some(missing) = missing(&admin, wanted.clone()) {
                attempts += 1;
                if missing.is_empty() || runtime.block_on(make(&admin, &missing, attempts == ATTEMPTS)) {
                    break;
                }
            }
            stopped.wait(AGAIN);
        }
    })
}

/// Those of the topics that the broker does not know; none while no broker answers.
fn missing(admin: &AdminClient<Context>, mut wanted: Vec<String>) -> Option<Vec<String>> {
    match admin.inner().fetch_metadata(None, ASK) {
        Ok(metadata) => {
            wanted.retain(|name| !metadata.topics().iter().any(|topic| topic.name() == name));
            Some(wanted)
        }
        Err(error) => {
            tracing::debug!(%error, "topics cannot be listed yet");
            None
        }
    }
}

/// Answers whether all is said: the topics are made, or it is known, or taken for known, that they will not be.
async fn make(admin: &AdminClient<Context>, missing: &[String], last: bool) -> bool {
    let new = |name| NewTopic::new(name, -1, TopicReplication::Fixed(-1));
    let topics: Vec<NewTopic<'_>> = missing.iter().map(|name| new(name.as_str())).collect();
    let options = AdminOptions::new().request_timeout(Some(ASK)).operation_timeout(Some(ASK));
    let results = match admin.create_topics(&topics, &options).await {
        Ok(results) => results,
        Err(error) => {
            if last {
                tracing::warn!(?missing, %error, "topics are missing and the broker does not make them; make them there");
            }
            return last;
        }
    };
    for result in results {
        match result {
            Ok(topic) => tracing::info!(topic, "topic made"),
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, error)) => {
                tracing::warn!(topic, %error, "the topic is missing and the broker does not make it; make it there");
            }
        }
    }
    true
}
