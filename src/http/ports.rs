//! What HTTP asks of parts that may not be there: Kafka, and versions other than the live one. The composition root
//! implements these for what the settings turn on.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use serde::Serialize;

use crate::actors::errors::RegistryError;
use crate::model::ids::Version;
use crate::model::serving::live::LiveModel;

/// Why a part could not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PortError {
    /// It cannot be reached; to be tried again.
    #[error("{0}")]
    Away(String),
    /// It does not know what was asked for.
    #[error("{0}")]
    Unknown(String),
    /// It cannot do it as things stand.
    #[error("{0}")]
    Refused(String),
}

/// Kafka as `/state` shows it.
pub trait KafkaStatus: Send + Sync {
    /// Connection, offsets and lag, as a JSON object; reads memory, waits on nobody.
    fn status(&self) -> serde_json::Value;
}

/// One record that could not be read or applied.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct DeadLetter {
    /// The topic it came from.
    pub topic: String,
    /// The partition there.
    pub partition: i32,
    /// Its offset there.
    pub offset: i64,
    /// Its time there, milliseconds of the epoch.
    pub timestamp: Option<i64>,
    /// Why it was set aside.
    pub reason: String,
    /// Its bytes as text, those that are no UTF-8 replaced; cut after 4 KiB.
    pub value: String,
    /// How many bytes it has.
    pub bytes: u64,
}

/// How many records were sent again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Replayed {
    /// Records sent back to the topic they came from.
    pub replayed: u64,
}

/// The dead-letter topics.
#[async_trait]
pub trait DeadLetters: Send + Sync {
    /// The latest dead letters, newest first, at most `limit`.
    async fn list(&self, limit: usize) -> Result<Vec<DeadLetter>, PortError>;

    /// Sends dead letters back to the topic they came from, those of `topic` alone where it is given, at most `limit`.
    async fn replay(&self, topic: Option<String>, limit: usize) -> Result<Replayed, PortError>;
}

/// Loads versions that are not live, for questions that name one.
#[async_trait]
pub trait VersionLoader: Send + Sync {
    /// The version, bound to this process's catalogue; kept for a while by the loader.
    async fn load(&self, version: Version) -> Result<Arc<LiveModel>, RegistryError>;
}

/// A version's files in one.
pub struct Download {
    /// The name to save it under.
    pub file_name: String,
    /// Its content type.
    pub content_type: &'static str,
    /// The bytes.
    pub bytes: BoxStream<'static, Result<Bytes, std::io::Error>>,
}

/// Gives out the files of versions.
#[async_trait]
pub trait Downloads: Send + Sync {
    /// Opens the files of a version.
    async fn open(&self, version: Version) -> Result<Download, RegistryError>;
}
