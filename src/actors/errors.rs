//! What a call to an actor can end in. HTTP turns each into a status in one match, Kafka into a retry or a dead letter.

use crate::model::ids::Version;
use crate::store::log::LogError;

/// Why an actor did not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Its queue is full; to be tried again soon.
    #[error("too much is waiting, try again in a moment")]
    Busy,
    /// It is being rebuilt, or the service is stopping.
    #[error("this part of the service is restarting, try again in a moment")]
    Away,
    /// It did not answer in time; what was asked may still happen.
    #[error("no answer in time; what was asked may still happen")]
    Deadline,
}

/// Why events, item changes or erasures were not taken in. Nothing of the batch was acknowledged.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum IngestError {
    /// The ingestor did not answer.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The log could not be written.
    #[error("the event log cannot be written: {0}")]
    Log(String),
    /// There is no room on the disk.
    #[error("{0}")]
    Full(String),
    /// Kafka did not take it in time, or it did not come back.
    #[error("Kafka, over which processes share what they are told, cannot be used: {0}")]
    Away(String),
    /// Kafka refuses it, and would again.
    #[error("{0}")]
    Refused(String),
}

/// Why the files were not rewritten after an erasure. The user is erased all the same, and the rewriting is tried again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EraseError {
    /// The service is stopping; the next start takes it up.
    #[error("the user is erased; the service is stopping and rewrites the files after its next start")]
    Stopping,
    /// A file could not be read or written.
    #[error("the user is erased; the files could not be rewritten and are tried again: {0}")]
    Failed(String),
}

/// Why a call on runs failed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RunError {
    /// The trainer did not answer.
    #[error(transparent)]
    Call(#[from] CallError),
    /// No such run.
    #[error("there is no run {0}")]
    Unknown(String),
    /// The run is over.
    #[error("run {0} is over and cannot be cancelled")]
    Over(String),
    /// The history could not be read or written.
    #[error("the run history cannot be used: {0}")]
    Store(String),
    /// There is no room on the disk.
    #[error("{0}")]
    Full(String),
    /// The schedule does not make sense; the field is named.
    #[error("{0}")]
    Schedule(String),
}

/// Why a call on versions failed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RegistryError {
    /// The registry or the serving actor did not answer.
    #[error(transparent)]
    Call(#[from] CallError),
    /// No such version.
    #[error("there is no version {0}")]
    Unknown(Version),
    /// Nothing was live before.
    #[error("there is no previous version to roll back to")]
    NoPrevious,
    /// This process follows the versions of another.
    #[error("this process follows the versions that another writes: ask the one of role train")]
    Follows,
    /// Its files are not what the manifest says.
    #[error("version {0} is damaged and was set aside: {1}")]
    Damaged(Version, String),
    /// The artifact store failed.
    #[error("the artifact store cannot be used: {0}")]
    Store(String),
    /// There is no room on the disk.
    #[error("the artifact store has no room left: {0}; free some and try again")]
    Full(String),
}

impl From<LogError> for IngestError {
    fn from(error: LogError) -> Self {
        if error.is_full() { Self::Full(error.to_string()) } else { Self::Log(error.to_string()) }
    }
}

impl From<LogError> for RunError {
    fn from(error: LogError) -> Self {
        if error.is_full() { Self::Full(error.to_string()) } else { Self::Store(error.to_string()) }
    }
}
