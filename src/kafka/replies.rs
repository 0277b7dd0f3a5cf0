//! Replies and other records of `kafka.replies_topic`, for whoever asked.

use tokio::sync::mpsc;

use super::StreamHandle;
use super::broker::BrokerState;
use super::events::{Source, start_follower};
use super::options::ClientError;
use super::record::RecordBatch;
use crate::settings::{Kafka, OutOfRange, StartAt};

/// The stream of `kafka.replies_topic`, all partitions of it, beginning at `start`. It joins no group, so that any number
/// of readers each see every reply.
///
/// # Errors
/// [`ClientError`] when the settings make no client. A broker that is away is no error: it is tried until it is there.
pub fn follow(
    kafka: &Kafka,
    start: StartAt,
    broker: &BrokerState,
) -> Result<(StreamHandle, mpsc::Receiver<RecordBatch>), ClientError> {
    let group = format!("{}-replies", kafka.requests_group);
    let source = Source {
        name: "replies",
        topic: &kafka.replies_topic,
        group: &group,
        start,
        stored: &[],
        policy: OutOfRange::Earliest,
    };
    start_follower(kafka, &source, broker)
}
