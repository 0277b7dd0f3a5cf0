//! A stopped service's folder, opened by a command: the log in memory, the versions, and the live one where it is asked for.

use std::sync::Arc;

use super::{StartError, parts, plan};
use crate::actors::errors::RegistryError;
use crate::actors::ingest_memory::Memory;
use crate::actors::messages::{Registration, Snapshot};
use crate::actors::meters::Meters;
use crate::actors::releases::{load_live, store_error, write_checked};
use crate::model::ids::ItemId;
use crate::model::manifest::Manifest;
use crate::model::serving::live::LiveModel;
use crate::model::serving::recommend::Recommending;
use crate::model::training::pipeline::Plan;
use crate::settings::Settings;
use crate::store::artifacts::Artifacts;
use crate::store::log::{EventLog, LogError};
use crate::store::versions::VersionStore;

/// A folder that no service has open; none can start on it until this is dropped.
pub struct Offline {
    /// The log.
    pub log: EventLog,
    /// The versions.
    pub versions: VersionStore,
    /// What lists are made of; without a model until [`Self::load_live`].
    pub recommending: Recommending,
    memory: Memory,
}

impl Offline {
    /// Opens the log and the artifact store of the settings and reads the log into memory.
    ///
    /// # Errors
    /// [`StartError::Log`], also while a service has the folder, or [`StartError::Artifacts`].
    pub fn open(settings: &Settings) -> Result<Self, StartError> {
        let log = open_log(settings)?;
        let versions = open_versions(settings)?;
        let memory = parts::memory(settings);
        memory.catch_up(&log)?;
        let (histories, catalogue) = (memory.histories.clone(), memory.catalogue.clone());
        let recommending = Recommending::new(histories, catalogue, Arc::default(), parts::rules(settings));
        let recommending = recommending.heeding(log.erasures().clone());
        Ok(Self { log, versions, recommending, memory })
    }

    /// Loads the version that answers, so that lists come from it; none before the first.
    ///
    /// # Errors
    /// [`RegistryError`].
    pub async fn load_live(&self) -> Result<Option<Arc<LiveModel>>, RegistryError> {
        let live = load_live(&self.versions, &self.memory.catalogue, &Meters::default()).await?;
        self.recommending.live.store(live.clone());
        Ok(live)
    }

    /// Whether the catalogue has the item: it has an event, item data, or a place in the version that was loaded.
    #[must_use]
    pub fn knows(&self, item: &ItemId) -> bool {
        self.memory.catalogue.known(item).is_some()
    }

    /// All of the log, to train on. The histories are emptied, since a run needs the room: no list can be made after this.
    ///
    /// # Errors
    /// [`LogError`].
    pub fn snapshot(&self) -> Result<Snapshot, LogError> {
        let snapshot = self.memory.snapshot(self.log.offsets()?);
        self.memory.histories.clear();
        Ok(snapshot)
    }

    /// Writes a version, checks it as it will be loaded, and makes it the one that answers from the next start on.
    ///
    /// # Errors
    /// [`RegistryError`]; the live version is then as it was.
    pub async fn publish(&self, registration: Registration) -> Result<Arc<Manifest>, RegistryError> {
        let (catalogue, erasures, meters) = (&self.memory.catalogue, self.log.erasures(), Meters::default());
        let model = write_checked(&self.versions, catalogue, erasures, &meters, registration).await?;
        let manifest = model.manifest.clone();
        self.versions.activate(manifest.version).await.map_err(store_error)?;
        if let Err(error) = self.versions.prune().await {
            tracing::warn!(%error, "old versions could not be removed");
        }
        Ok(manifest)
    }
}

/// Opens the event log of the settings' data folder, and says what was cut at its end.
///
/// # Errors
/// [`StartError::Log`], also while a service has the folder.
pub fn open_log(settings: &Settings) -> Result<EventLog, StartError> {
    parts::open_log(settings)
}

/// Opens the versions of the settings' artifact store.
///
/// # Errors
/// [`StartError::Artifacts`].
pub fn open_versions(settings: &Settings) -> Result<VersionStore, StartError> {
    Ok(VersionStore::new(Artifacts::open(&settings.storage)?, settings.registry.keep))
}

/// What a run trains and how it judges.
///
/// # Errors
/// [`StartError::Gate`] or [`StartError::Training`].
pub fn run_plan(settings: &Settings) -> Result<Plan, StartError> {
    plan::of(settings)
}
