//! Files and objects that are imported again when they change: the first part of a run's snapshot.

use std::sync::Arc;

use super::handles::IngestHandle;
use crate::model::training::job::Job;
use crate::settings::Storage;
use crate::store::log::EventLog;

/// The watched files.
#[derive(Clone)]
pub struct Watched {}

impl Watched {
    /// What `storage.import_watch` names.
    pub fn new(_storage: &Storage, _log: Arc<EventLog>) -> Self {
        Self {}
    }

    /// Imports what changed.
    pub async fn import_changed(&self, _ingest: &IngestHandle, _job: &Job) {}
}
