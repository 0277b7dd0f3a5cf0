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
const ASK: Duration = Duration::from_secs(5);

/// Time between attempts while the broker is away.
const AGAIN: Duration = Duration::from_secs(2);

/// Every topic that Ouzel reads or writes, dead letters included.
#[must_use]
pub fn names(kafka: &Kafka) -> Vec<String> {
    let read = [&kafka.events_topic, &kafka.requests_topic];
    let dead = read.map(|topic| format!("{topic}{}", kafka.dead_letter_suffix));
    let plain = [&kafka.events_topic, &kafka.requests_topic, &kafka.replies_topic, &kafka.models_topic];
    plain.into_iter().cloned().chain(dead).collect()
}

/// Makes the missing ones of [`names`] on a thread of its own, which tries until a broker answers and then ends. That a
/// topic cannot be made is only logged: somebody else may make it.
///
/// # Errors
/// [`ClientError`] when the settings make no client.
pub fn ensure(kafka: &Kafka, broker: &BrokerState) -> Result<StreamHandle, ClientError> {
    let options = Options::admin(kafka)?;
    let context = Context::new(broker.link("topics"), options.redact.clone(), None);
    let admin: AdminClient<Context> = options.create(context)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.map_err(|error| ClientError::Thread(error.to_string()))?;
    let (stop, wanted) = (Stop::default(), names(kafka));
    let stopped = stop.clone();
    let board = Arc::new(Board::new(""));
    worker::spawn("kafka-topics", stop, board, move || {
        while !stopped.is_set() && !runtime.block_on(make(&admin, &wanted)) {
            stopped.wait(AGAIN);
        }
    })
}

/// Answers whether a broker answered.
async fn make(admin: &AdminClient<Context>, wanted: &[String]) -> bool {
    let topics: Vec<NewTopic<'_>> =
        wanted.iter().map(|name| NewTopic::new(name, -1, TopicReplication::Fixed(-1))).collect();
    let options = AdminOptions::new().request_timeout(Some(ASK)).operation_timeout(Some(ASK));
    let results = match admin.create_topics(&topics, &options).await {
        Ok(results) => results,
        Err(error) => {
            // The embedded broker makes no topics on request, and old brokers know no default for partitions.
            let code = error.rdkafka_error_code();
            let refused =
                error.to_string().contains("not supported") || code == Some(RDKafkaErrorCode::UnsupportedFeature);
            tracing::debug!(%error, refused, "topics were not made");
            return refused;
        }
    };
    for result in results {
        match result {
            Ok(topic) => tracing::info!(topic, "topic made"),
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, error)) => {
                tracing::warn!(topic, %error, "the topic is missing and the broker does not make it; make it there")
            }
        }
    }
    true
}
