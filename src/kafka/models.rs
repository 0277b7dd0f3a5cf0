//! Announcements of live versions, as replicas hear them.
//!
//! An announcement is a hint to read the registry's alias again: one that came before this stream began is not heard, so
//! begin it before the alias is first read.

use std::collections::VecDeque;

use tokio::sync::mpsc;

use super::StreamHandle;
use super::broker::BrokerState;
use super::codec::descriptor;
use super::events::{Source, start_follower};
use super::options::ClientError;
use super::record::RecordBatch;
use crate::settings::{Kafka, OutOfRange, StartAt};

/// One announcement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announced {
    /// The version that is live now; none where the URL names no version of ours.
    pub version: Option<u64>,
    /// The URL as it came; empty for a record that is no announcement.
    pub url: String,
}

/// The announcements, in order.
#[derive(Debug)]
pub struct Announcements {
    batches: mpsc::Receiver<RecordBatch>,
    waiting: VecDeque<Announced>,
}

impl Announcements {
    /// The next announcement; none once the stream has ended.
    pub async fn recv(&mut self) -> Option<Announced> {
        loop {
            if let Some(next) = self.waiting.pop_front() {
                return Some(next);
            }
            let batch = self.batches.recv().await?;
            self.waiting.extend(batch.records.iter().map(|record| {
                descriptor::decode(record).unwrap_or_else(|error| {
                    tracing::warn!(record = record.place(), %error, "a record among the announcements cannot be read");
                    Announced { version: None, url: String::new() }
                })
            }));
        }
    }
}

/// Hears what is announced on `kafka.models_topic` from now on, in all its partitions.
///
/// # Errors
/// [`ClientError`] when the settings make no client. A broker that is away is no error: it is tried until it is there.
pub fn hear(kafka: &Kafka, broker: &BrokerState) -> Result<(StreamHandle, Announcements), ClientError> {
    let (topic, group) = (&kafka.models_topic, &kafka.models_group);
    let source =
        Source { name: "models", topic, group, start: StartAt::Latest, stored: &[], policy: OutOfRange::Earliest };
    let (handle, batches) = start_follower(kafka, &source, broker)?;
    Ok((handle, Announcements { batches, waiting: VecDeque::new() }))
}
