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
    /// Whether it was sent back.
    pub replayed: bool,
}

/// Which dead letters are asked for; all where nothing is said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeadLetterFilter {
    /// The topic they came from.
    pub topic: Option<String>,
    /// The partition there.
    pub partition: Option<i32>,
    /// A part of the reason, in any case.
    pub reason: Option<String>,
    /// Only those that were not sent back.
    pub waiting: bool,
}

/// A page of dead letters.
#[derive(Debug, Clone, Default, PartialEq, Serialize, utoipa::ToSchema)]
pub struct DeadLetterPage {
    /// Newest first.
    pub dead_letters: Vec<DeadLetter>,
    /// What `next` is for the page behind this; null on the last one.
    pub next: Option<String>,
}

/// What would become of dead letters that were sent back.
#[derive(Debug, Clone, Default, PartialEq, Serialize, utoipa::ToSchema)]
pub struct DryRun {
    /// How many can be read now.
    pub readable: u64,
    /// How many would come back as dead letters.
    pub unreadable: u64,
    /// Some of those, at most a hundred, each with the reason it has now.
    pub named: Vec<DeadLetter>,
}

/// How many records were sent again.
#[derive(Debug, Clone, Default, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Replayed {
    /// Records sent back to the topic they came from.
    pub replayed: u64,
    /// With `dry_run`: what would become of them; nothing was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<DryRun>,
}

/// The dead-letter topics.
#[async_trait]
pub trait DeadLetters: Send + Sync {
    /// Dead letters, newest first, at most `limit`, from where the page that named `next` ended.
    async fn list(
        &self,
        filter: DeadLetterFilter,
        limit: usize,
        next: Option<String>,
    ) -> Result<DeadLetterPage, PortError>;

    /// Sends dead letters back to the topic they came from, those of `topic` alone where it is given, at most `limit`.
    async fn replay(&self, topic: Option<String>, limit: usize) -> Result<Replayed, PortError>;

    /// As [`Self::replay`], but only says what would become of them.
    async fn check(&self, topic: Option<String>, limit: usize) -> Result<Replayed, PortError>;
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
