//! The registry's work: a version written, loaded back, probed, aliased, swapped in and announced.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::errors::{CallError, RegistryError};
use super::messages::{Registration, VersionList};
use super::meters::Meters;
use super::registry::RegistryParts;
use super::serving::{Activate, Serving};
use super::slot::Slot;
use crate::model::catalogue::Catalogue;
use crate::model::erasure::Erasures;
use crate::model::ids::{UserId, Version};
use crate::model::manifest::Manifest;
use crate::model::serving::live::LiveModel;
use crate::model::training::probes::check_probes;
use crate::model::version_news::{By, VersionNews, What};
use crate::store::artifacts::StoreError;
use crate::store::standing_back;
use crate::store::versions::{ModelFiles, VersionError, VersionStore};

/// How long the serving actor may take for a swap, a restart of it counted in.
const SWAP: Duration = Duration::from_secs(15);

/// Between two tries of a swap while the serving actor is rebuilt.
const SWAP_AGAIN: Duration = Duration::from_millis(100);

/// Tells others what happened to versions; must not block.
pub type Announce = Arc<dyn Fn(VersionNews) + Send + Sync>;

/// The version store with the models it has loaded.
pub struct Releases {
    store: Arc<VersionStore>,
    catalogue: Arc<Catalogue>,
    serving: Slot<Serving>,
    announce: Announce,
    follows: bool,
    erasures: Arc<Erasures>,
    meters: Arc<Meters>,
    live: Option<Arc<LiveModel>>,
    previous: Option<Arc<LiveModel>>,
    asked: Option<Arc<LiveModel>>,
}

impl Releases {
    /// Releases out of a store, with nothing loaded.
    pub fn new(parts: RegistryParts) -> Self {
        let RegistryParts { store, catalogue, serving, announce, follows, looked: _, erasures, meters } = parts;
        let (live, previous, asked) = (None, None, None);
        Self { store, catalogue, serving, announce, follows, erasures, meters, live, previous, asked }
    }

    /// Makes the alias's version answer. A damaged one is set aside and the one before takes its place.
    pub async fn resume(&mut self) -> Result<(), RegistryError> {
        if self.follows {
            return self.look().await;
        }
        if let Err(error) = self.store.clean().await {
            tracing::warn!(%error, "what interrupted writes left could not be removed");
        }
        match load_live(&self.store, &self.catalogue, &self.meters).await? {
            Some(model) => self.swap(model).await,
            None => Ok(()),
        }
    }

    /// Makes the alias's version answer where another process changed it. Nothing is written.
    pub async fn look(&mut self) -> Result<(), RegistryError> {
        let aliases = self.store.aliases().await.map_err(store_error)?;
        let Some(version) = aliases.live else { return Ok(()) };
        if self.live.as_ref().is_some_and(|live| live.version() == version) {
            return Ok(());
        }
        let model = self.loaded(version).await?;
        self.asked = None;
        self.swap(model).await
    }

    /// Writes, loads back, probes, aliases, swaps, announces, prunes.
    pub async fn register(&mut self, registration: Registration) -> Result<Arc<Manifest>, RegistryError> {
        self.may_write()?;
        let model = write_checked(&self.store, &self.catalogue, &self.erasures, &self.meters, registration).await?;
        let by = By { run: model.manifest.run.clone(), ..By::default() };
        self.make_live(model, What::Published, by).await
    }

    /// Makes a version live, loading it unless it is at hand.
    pub async fn promote(&mut self, version: Version, by: By) -> Result<Arc<Manifest>, RegistryError> {
        self.bring_back(version, What::Promoted, by).await
    }

    /// A version's model, from memory where it is at hand; the last one that was not is kept.
    pub async fn loaded(&mut self, version: Version) -> Result<Arc<LiveModel>, RegistryError> {
        let known = [&self.live, &self.previous, &self.asked].into_iter().flatten();
        let at_hand = known.into_iter().find(|model| model.version() == version).cloned();
        if let Some(model) = at_hand {
            return Ok(model);
        }
        let model = match self.follows {
            true => read(&self.store, &self.catalogue, &self.meters, version).await.map_err(store_error)?,
            false => load(&self.store, &self.catalogue, &self.meters, version).await?,
        };
        self.asked = Some(model.clone());
        Ok(model)
    }

    /// Makes the previous version live.
    pub async fn rollback(&mut self, by: By) -> Result<Arc<Manifest>, RegistryError> {
        let aliases = self.store.aliases().await.map_err(store_error)?;
        self.bring_back(aliases.previous.ok_or(RegistryError::NoPrevious)?, What::RolledBack, by).await
    }

    async fn bring_back(&mut self, version: Version, what: What, by: By) -> Result<Arc<Manifest>, RegistryError> {
        self.may_write()?;
        let model = self.loaded(version).await?;
        self.asked = None;
        self.make_live(model, what, by).await
    }

    /// Takes erased users out of the first version behind `after`; answers which that was.
    pub async fn forget_next(&mut self, after: Version) -> Result<Option<Version>, RegistryError> {
        if self.follows {
            return Ok(None);
        }
        if after == Version(0) {
            // No write is under way here: what looks like one was interrupted.
            self.store.clean().await.map_err(store_error)?;
        }
        let numbers = self.store.numbers().await.map_err(store_error)?;
        let Some(version) = numbers.into_iter().find(|&version| version > after) else { return Ok(None) };
        if self.forget_in(version).await? {
            self.load_again(version).await?;
        }
        Ok(Some(version))
    }

    /// Takes erased users out of a version's files; whether there were any. A damaged version is set aside.
    async fn forget_in(&self, version: Version) -> Result<bool, RegistryError> {
        let erasures = self.erasures.clone();
        let gone = move |manifest: &Manifest, user: &UserId| {
            erasures.outdates(user, manifest.data.applied_seq, manifest.created_ms)
        };
        match self.store.forget(version, gone).await {
            Ok(users) => Ok(users > 0),
            Err(error @ VersionError::Damaged { .. }) => {
                tracing::error!(%error, "it is set aside as it is, erased users in it too");
                self.store.set_aside(version, &error.to_string()).await.map_err(store_error)?;
                Ok(false)
            }
            Err(error) => Err(store_error(error)),
        }
    }

    /// Puts a version whose files were rewritten in the place of what is loaded of it.
    async fn load_again(&mut self, version: Version) -> Result<(), RegistryError> {
        let is = |model: &Option<Arc<LiveModel>>| model.as_ref().is_some_and(|model| model.version() == version);
        let (live, previous) = (is(&self.live), is(&self.previous));
        if is(&self.asked) {
            self.asked = None;
        }
        if !live && !previous {
            return Ok(());
        }
        let model = load(&self.store, &self.catalogue, &self.meters, version).await?;
        if previous {
            self.previous = Some(model.clone());
        }
        if live { self.swap(model).await } else { Ok(()) }
    }

    /// Every version with the aliases.
    pub async fn list(&mut self) -> Result<VersionList, RegistryError> {
        let versions = self.store.list().await.map_err(store_error)?;
        let aliases = self.store.aliases().await.map_err(store_error)?;
        Ok(VersionList {
            versions: versions.into_iter().map(Arc::new).collect(),
            live: aliases.live,
            previous: aliases.previous,
        })
    }

    /// One version's manifest.
    pub async fn show(&mut self, version: Version) -> Result<Arc<Manifest>, RegistryError> {
        let listed = self.list().await?.versions;
        listed.into_iter().find(|manifest| manifest.version == version).ok_or(RegistryError::Unknown(version))
    }

    fn may_write(&self) -> Result<(), RegistryError> {
        if self.follows { Err(RegistryError::Follows) } else { Ok(()) }
    }

    async fn make_live(&mut self, model: Arc<LiveModel>, what: What, by: By) -> Result<Arc<Manifest>, RegistryError> {
        let manifest = model.manifest.clone();
        let previous = self.live.as_ref().map(|live| live.version());
        fail::fail_point!("registry.before_alias");
        self.store.activate(manifest.version).await.map_err(store_error)?;
        fail::fail_point!("registry.after_alias");
        self.swap(model).await?;
        (self.announce)(VersionNews::live(what, &manifest, previous, by));
        if let Err(error) = self.store.prune().await {
            tracing::warn!(%error, "old versions could not be removed");
        }
        Ok(manifest)
    }

    /// Hands the model to the serving actor, over a restart of it.
    async fn swap(&mut self, model: Arc<LiveModel>) -> Result<(), RegistryError> {
        let begun = tokio::time::Instant::now();
        loop {
            match self.serving.call(Activate(model.clone()), SWAP).await {
                Ok(activated) => {
                    tracing::info!(version = %activated.version, "a version answers");
                    break;
                }
                Err(CallError::Away | CallError::Busy) if begun.elapsed() < SWAP => {
                    tokio::time::sleep(SWAP_AGAIN).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
        let version = model.version();
        let before = self.live.replace(model).filter(|live| live.version() != version);
        if before.is_some() {
            self.previous = before;
        }
        Ok(())
    }
}

/// Loads the version that the alias names. A damaged one is set aside and the one before takes its place; where the aliases
/// themselves are damaged, the newest does.
///
/// # Errors
/// [`RegistryError`].
pub async fn load_live(
    store: &VersionStore,
    catalogue: &Arc<Catalogue>,
    meters: &Meters,
) -> Result<Option<Arc<LiveModel>>, RegistryError> {
    let aliases = match store.aliases().await {
        Err(VersionError::Store(damage @ StoreError::AliasesDamaged(_))) => {
            let aliases = store.renew_aliases().await.map_err(store_error)?;
            tracing::error!(error = %damage, live = ?aliases.live, "it was set aside, the newest version is live");
            aliases
        }
        other => other.map_err(store_error)?,
    };
    for version in [aliases.live, aliases.previous].into_iter().flatten() {
        match load(store, catalogue, meters, version).await {
            Ok(model) => {
                if aliases.live != Some(version) {
                    store.activate(version).await.map_err(store_error)?;
                }
                return Ok(Some(model));
            }
            Err(error @ (RegistryError::Damaged(..) | RegistryError::Unknown(_))) => {
                tracing::error!(%error, "the version before is tried");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Writes a version, without those who were erased while it was trained, loads it back and asks it the probes; one that
/// answers otherwise is set aside. It is not live yet.
///
/// # Errors
/// [`RegistryError`].
pub async fn write_checked(
    store: &VersionStore,
    catalogue: &Arc<Catalogue>,
    erasures: &Erasures,
    meters: &Meters,
    registration: Registration,
) -> Result<Arc<LiveModel>, RegistryError> {
    let Registration { draft, fitted, mut probes } = registration;
    let (applied_seq, created_ms) = (draft.data.applied_seq, draft.created_ms);
    let gone = |user: &UserId| erasures.outdates(user, applied_seq, created_ms);
    probes.probes.retain(|probe| !gone(&probe.user));
    let version = draft.version;
    let files = ModelFiles::of(&fitted).and_then(|files| files.without(&fitted.user_ids, gone));
    let files = files.map_err(|source| store_error(VersionError::Model { version, source }))?;
    let manifest = store.write_files(draft, files).await.map_err(store_error)?;
    drop(fitted);
    fail::fail_point!("registry.after_write");
    let model = load(store, catalogue, meters, manifest.version).await?;
    if let Err(reason) = check_probes(&model.fitted, &probes) {
        store.set_aside(manifest.version, &reason).await.map_err(store_error)?;
        return Err(RegistryError::Damaged(manifest.version, reason));
    }
    Ok(model)
}

/// Loads a version and binds it to the catalogue; a damaged one is set aside.
async fn load(
    store: &VersionStore,
    catalogue: &Arc<Catalogue>,
    meters: &Meters,
    version: Version,
) -> Result<Arc<LiveModel>, RegistryError> {
    match read(store, catalogue, meters, version).await {
        Ok(model) => Ok(model),
        Err(error @ VersionError::Damaged { .. }) => {
            store.set_aside(version, &error.to_string()).await.map_err(store_error)?;
            Err(store_error(error))
        }
        Err(error) => Err(store_error(error)),
    }
}

/// Loads a version and binds it to the catalogue; writes nothing.
async fn read(
    store: &VersionStore,
    catalogue: &Arc<Catalogue>,
    meters: &Meters,
    version: Version,
) -> Result<Arc<LiveModel>, VersionError> {
    let begun = Instant::now();
    let (manifest, fitted) = store.load(version).await?;
    meters.load.record(begun.elapsed());
    let begun = Instant::now();
    let catalogue = catalogue.clone();
    let bound = standing_back(move || Arc::new(LiveModel::bind(Arc::new(manifest), fitted, &catalogue))).await?;
    meters.bind.record(begun.elapsed());
    Ok(bound)
}

/// The store's failure as callers of the registry know it.
#[must_use]
pub fn store_error(error: VersionError) -> RegistryError {
    match error {
        VersionError::Unknown(version) => RegistryError::Unknown(version),
        VersionError::Damaged { version, file, reason } => RegistryError::Damaged(version, format!("{file} {reason}")),
        VersionError::NoPrevious => RegistryError::NoPrevious,
        VersionError::Store(error) if error.is_full() => RegistryError::Full(error.to_string()),
        other => RegistryError::Store(other.to_string()),
    }
}
