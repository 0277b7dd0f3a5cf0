//! What callers said of users, beside their events: kept in the log's notes, taken out with the user.
//!
//! The log writes a note in one step and erases it in the step that erases the user, so that this needs no actor.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::errors::IngestError;
use crate::model::ids::UserId;
use crate::store::log::{EventLog, LogError};
use crate::store::off_thread;

/// What was said of a user.
pub type UserNote = Map<String, Value>;

/// The notes from outside.
#[derive(Clone)]
pub struct UserNotes {
    log: Arc<EventLog>,
}

impl UserNotes {
    /// The notes in `log`.
    #[must_use]
    pub const fn new(log: Arc<EventLog>) -> Self {
        Self { log }
    }

    /// Keeps notes over those that were; on the disk when this returns.
    ///
    /// # Errors
    /// [`IngestError::Full`] and [`IngestError::Log`].
    pub async fn put(&self, notes: Vec<(UserId, UserNote)>) -> Result<(), IngestError> {
        self.with(move |log| log.put_user_notes(&notes)).await
    }

    /// What was said of a user.
    ///
    /// # Errors
    /// [`IngestError::Log`].
    pub async fn get(&self, user: UserId) -> Result<Option<UserNote>, IngestError> {
        self.with(move |log| log.user_note(&user)).await
    }

    /// The notes of the `n` users next behind `after`, by id; from the first where that is empty.
    ///
    /// # Errors
    /// [`IngestError::Log`].
    pub async fn page(&self, after: String, n: usize) -> Result<BTreeMap<UserId, UserNote>, IngestError> {
        self.with(move |log| log.user_notes(&after, n)).await
    }

    /// Reads and writes files on a thread that may wait for them.
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&EventLog) -> Result<T, LogError> + Send + 'static,
    ) -> Result<T, IngestError> {
        let log = self.log.clone();
        let done = off_thread(move || work(&log)).await.map_err(|error| IngestError::Log(error.to_string()))?;
        Ok(done?)
    }
}
