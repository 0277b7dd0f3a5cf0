//! Records that cannot be read or applied, kept where they can be looked at and sent again.

use std::sync::Arc;

use super::producer::{OutRecord, ProduceError, Producer};
use super::record::Record;

impl Producer {
    /// Sends a record to its topic's dead letters: key, value and headers as they were, with the headers `dlq.topic`,
    /// `dlq.partition`, `dlq.offset`, `dlq.timestamp` (-1 where it has none) and `dlq.reason` behind them.
    ///
    /// # Errors
    /// [`ProduceError`] as of [`Producer::send`]; the record is not done with then.
    pub async fn dead_letter(&self, record: &Record, reason: &str) -> Result<(), ProduceError> {
        tracing::warn!(record = record.place(), reason, "record put among the dead letters");
        self.send(dead_letter(record, &self.dead_letter_suffix, reason)).await
    }
}

fn dead_letter(record: &Record, suffix: &str, reason: &str) -> OutRecord {
    let said = [
        ("dlq.topic", record.topic.to_string()),
        ("dlq.partition", record.partition.to_string()),
        ("dlq.offset", record.offset.to_string()),
        ("dlq.timestamp", record.timestamp_ms.unwrap_or(-1).to_string()),
        ("dlq.reason", reason.to_owned()),
    ];
    let said = said.map(|(name, value)| (name.to_owned(), value.into_bytes()));
    OutRecord {
        topic: Arc::from(format!("{}{suffix}", record.topic)),
        key: record.key.clone(),
        payload: record.payload.clone(),
        headers: record.headers.iter().cloned().chain(said).collect(),
    }
}
