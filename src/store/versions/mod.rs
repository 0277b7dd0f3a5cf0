//! Versions in the artifact store: written once, checked whenever they are read.
//!
//! A version is the folder `versions/{n}`: the model's files, then `manifest.json` with the checksum of each. A folder
//! without a manifest is what an interrupted write left; it is never read, and deleted at the start. Which version answers
//! is a matter of the aliases alone: a crash between writing and activating leaves the old version live.

mod error;
mod files;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

pub use error::VersionError;
use files::Loader;
pub use files::{DAMAGED, ITEMS, MANIFEST, MANIFEST_SUM, ModelFiles, USERS, WEIGHTS};

use super::artifacts::{ALIASES_PATH, Aliases, Artifacts};
use super::off_thread;
use crate::model::candidates;
use crate::model::ids::Version;
use crate::model::manifest::{ARTIFACT_FORMAT, Manifest};
use crate::model::recommender::Fitted;

/// Below it stands a folder per version.
const VERSIONS: &str = "versions";

/// The versions of one place. One process writes (the one with the registry), any number read.
#[derive(Debug, Clone)]
pub struct VersionStore {
    artifacts: Artifacts,
    keep: usize,
    spared: Vec<Version>,
    loader: Loader,
}

/// What is in the place, by the names of the files.
#[derive(Debug, Default)]
struct Folders {
    whole: BTreeSet<Version>,
    unfinished: BTreeSet<Version>,
    set_aside: BTreeSet<Version>,
}

impl VersionStore {
    /// Versions in `artifacts`, of which [`Self::prune`] leaves the `keep` newest.
    #[must_use]
    pub fn new(artifacts: Artifacts, keep: usize) -> Self {
        Self { artifacts, keep, spared: Vec::new(), loader: candidates::load }
    }

    /// The same, of which [`Self::prune`] leaves these too.
    #[must_use]
    pub fn sparing(self, spared: Vec<Version>) -> Self {
        Self { spared, ..self }
    }

    /// The place.
    #[must_use]
    pub fn artifacts(&self) -> &Artifacts {
        &self.artifacts
    }

    /// One more than the highest number that a folder or an alias has, set-aside ones too: no number names two versions.
    ///
    /// # Errors
    /// [`VersionError::Store`].
    pub async fn next_version(&self) -> Result<Version, VersionError> {
        let folders = self.folders().await?;
        let aliases = self.aliases().await?;
        let taken = [&folders.whole, &folders.unfinished, &folders.set_aside].into_iter().filter_map(|set| set.last());
        let highest = taken.chain(&aliases.live).chain(&aliases.previous).max();
        Ok(Version(highest.map_or(1, |version| version.0 + 1)))
    }

    /// Writes a version under the next number. `draft` is its manifest but for number, format and files, which are set
    /// here. It is not live yet. Use [`Self::write_files`] where copying the weights would hold somebody up.
    ///
    /// # Errors
    /// [`VersionError::Model`], [`VersionError::Taken`] or [`VersionError::Store`]; what was written by then is deleted at
    /// the next [`Self::clean`].
    pub async fn write(&self, draft: Manifest, fitted: &Fitted) -> Result<Manifest, VersionError> {
        let files = ModelFiles::of(fitted);
        let version = draft.version;
        self.write_files(draft, files.map_err(|source| VersionError::Model { version, source })?).await
    }

    /// As [`Self::write`], with the files already made.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub async fn write_files(&self, draft: Manifest, files: ModelFiles) -> Result<Manifest, VersionError> {
        let version = self.next_version().await?;
        let mut manifest = Manifest { version, format: ARTIFACT_FORMAT, files: BTreeMap::new(), ..draft };
        for (name, bytes) in files.0 {
            let summed = bytes.clone();
            manifest.files.insert(name.to_owned(), aside(move || files::entry(&summed)).await?);
            // The first file is the claim: it must not be there.
            if !self.artifacts.put_new(&path(version, name), bytes).await? {
                return Err(VersionError::Taken(version));
            }
            fail::fail_point!("versions.after_file");
        }
        fail::fail_point!("versions.before_manifest");
        let bytes = files::manifest_bytes(&manifest).map_err(|source| VersionError::Model { version, source })?;
        self.artifacts.put(&path(version, MANIFEST_SUM), Bytes::from(files::sum(&bytes))).await?;
        if !self.artifacts.put_new(&path(version, MANIFEST), bytes).await? {
            return Err(VersionError::Taken(version));
        }
        fail::fail_point!("versions.after_manifest");
        Ok(manifest)
    }

    /// Reads a version's manifest, checked.
    ///
    /// # Errors
    /// [`VersionError::Unknown`], [`VersionError::Damaged`], [`VersionError::Later`] or [`VersionError::Store`].
    pub async fn manifest(&self, version: Version) -> Result<Manifest, VersionError> {
        if self.artifacts.exists(&path(version, DAMAGED)).await? {
            return Err(VersionError::Unknown(version));
        }
        let bytes = self.artifacts.get(&path(version, MANIFEST)).await?.ok_or(VersionError::Unknown(version))?;
        let sum = self.artifacts.get(&path(version, MANIFEST_SUM)).await?;
        files::read_manifest(version, &bytes, sum.as_deref())
    }

    /// One of a version's files as it is, unchecked.
    ///
    /// # Errors
    /// [`VersionError::Unknown`] where it is not there, or [`VersionError::Store`].
    pub async fn file(&self, version: Version, name: &str) -> Result<Bytes, VersionError> {
        self.artifacts.get(&path(version, name)).await?.ok_or(VersionError::Unknown(version))
    }

    /// Reads a version's manifest and model, every file checked against its checksum.
    ///
    /// # Errors
    /// As [`Self::manifest`], and [`VersionError::Model`] when whole files make no model.
    pub async fn load(&self, version: Version) -> Result<(Manifest, Fitted), VersionError> {
        let manifest = self.manifest(version).await?;
        let mut files = BTreeMap::new();
        for (name, wanted) in &manifest.files {
            let bytes = self.artifacts.get(&path(version, name)).await?;
            let bytes = bytes.ok_or_else(|| files::damaged(version, name, "is missing".to_owned()))?;
            let (name, wanted) = (name.clone(), wanted.clone());
            let checked = move || files::check(version, &name, &bytes, &wanted).map(|()| (name, bytes));
            files.extend([aside(checked).await??]);
        }
        let loader = self.loader;
        aside(move || match files::fitted(&manifest, |name| files.get(name).cloned(), loader) {
            Ok(fitted) => Ok((manifest, fitted)),
            Err(source) => Err(VersionError::Model { version, source }),
        })
        .await?
    }

    /// The manifests of all whole versions, newest first. One that cannot be read is left out and logged; loading it says
    /// why.
    ///
    /// # Errors
    /// [`VersionError::Store`].
    pub async fn list(&self) -> Result<Vec<Manifest>, VersionError> {
        let mut manifests = Vec::new();
        for &version in self.folders().await?.whole.iter().rev() {
            match self.manifest(version).await {
                Ok(manifest) => manifests.push(manifest),
                Err(VersionError::Store(error)) => return Err(error.into()),
                Err(error) => tracing::warn!(%version, %error, "a version was left out of the list"),
            }
        }
        Ok(manifests)
    }

    /// The numbers of all versions that were written to their end and are not set aside, whole or not, in order.
    ///
    /// # Errors
    /// [`VersionError::Store`].
    pub async fn numbers(&self) -> Result<Vec<Version>, VersionError> {
        Ok(self.folders().await?.whole.into_iter().collect())
    }

    /// Which version answers, and which one did before.
    ///
    /// # Errors
    /// [`VersionError::Store`].
    pub async fn aliases(&self) -> Result<Aliases, VersionError> {
        Ok(self.artifacts.read_alias().await?.map(|(aliases, _)| aliases).unwrap_or_default())
    }

    /// Names the two newest versions in the place of aliases that are damaged; what is left of those is kept in the
    /// quarantine. Any version that was written to its end passed the gate.
    ///
    /// # Errors
    /// [`VersionError::Conflict`] or [`VersionError::Store`].
    pub async fn renew_aliases(&self) -> Result<Aliases, VersionError> {
        let mut newest = self.numbers().await?.into_iter().rev();
        let renewed = Aliases { live: newest.next(), previous: newest.next(), ..Aliases::default() };
        let Some((damaged, tag)) = self.artifacts.raw_alias().await? else { return Ok(Aliases::default()) };
        let mut number = 1_u64;
        while !self.artifacts.put_new(&format!("quarantine/{ALIASES_PATH}-{number}"), damaged.clone()).await? {
            number += 1;
        }
        self.artifacts.replace_alias(&renewed, Some(tag)).await?;
        Ok(renewed)
    }

    /// Makes `version` the live one, and the live one the previous. Nothing changes when it is live already.
    ///
    /// # Errors
    /// [`VersionError::Unknown`], [`VersionError::Conflict`] or [`VersionError::Store`].
    pub async fn activate(&self, version: Version) -> Result<Aliases, VersionError> {
        if !self.folders().await?.whole.contains(&version) {
            return Err(VersionError::Unknown(version));
        }
        self.change(|old| match old.live {
            Some(live) if live == version => Ok(old),
            live => Ok(Aliases { live: Some(version), previous: live, ..old }),
        })
        .await
    }

    /// Swaps the live version and the previous one.
    ///
    /// # Errors
    /// [`VersionError::NoPrevious`], [`VersionError::Conflict`] or [`VersionError::Store`].
    pub async fn rollback(&self) -> Result<Aliases, VersionError> {
        self.change(|old| match old.previous {
            Some(previous) => Ok(Aliases { live: Some(previous), previous: old.live, ..old }),
            None => Err(VersionError::NoPrevious),
        })
        .await
    }

    /// Takes a damaged version out of use without deleting it, with the reason in a note beside its files. The aliases let
    /// go of it first: where it was live, the previous one is.
    ///
    /// # Errors
    /// [`VersionError::Conflict`] or [`VersionError::Store`].
    pub async fn set_aside(&self, version: Version, reason: &str) -> Result<Aliases, VersionError> {
        let aliases = self
            .change(|old| {
                let live = old.live.filter(|&live| live != version);
                let previous = old.previous.filter(|&previous| previous != version);
                let fallen = old.live.is_some() && live.is_none();
                Ok(if fallen { Aliases { live: previous, previous: None, ..old } } else { Aliases { previous, ..old } })
            })
            .await?;
        let note = serde_json::json!({ "version": version, "reason": reason });
        self.artifacts.set_aside(&folder(version), DAMAGED, Bytes::from(format!("{note}\n"))).await?;
        Ok(aliases)
    }

    /// Deletes all but the newest `keep` versions, the live one, the previous one and those that are spared; answers those
    /// deleted.
    ///
    /// # Errors
    /// [`VersionError::Store`]; what is left of a version then is deleted at the next [`Self::clean`].
    pub async fn prune(&self) -> Result<Vec<Version>, VersionError> {
        let aliases = self.aliases().await?;
        let whole = self.folders().await?.whole;
        let named = |version: &Version| {
            aliases.live == Some(*version) || aliases.previous == Some(*version) || self.spared.contains(version)
        };
        let old: Vec<Version> = whole.into_iter().rev().skip(self.keep).filter(|version| !named(version)).collect();
        for &version in &old {
            // Without its manifest it is no version any more, whatever happens to the rest.
            self.artifacts.delete(&path(version, MANIFEST)).await?;
            self.artifacts.delete_prefix(&folder(version)).await?;
        }
        Ok(old)
    }

    /// Deletes what interrupted writes left; to be called at the start by the one process that writes. Answers the numbers.
    ///
    /// # Errors
    /// [`VersionError::Store`].
    pub async fn clean(&self) -> Result<Vec<Version>, VersionError> {
        let unfinished: Vec<Version> = self.folders().await?.unfinished.into_iter().collect();
        for &version in &unfinished {
            self.artifacts.delete_prefix(&folder(version)).await?;
        }
        self.artifacts.clean_alias().await?;
        Ok(unfinished)
    }

    async fn change(
        &self,
        decide: impl FnOnce(Aliases) -> Result<Aliases, VersionError>,
    ) -> Result<Aliases, VersionError> {
        let (old, tag) = match self.artifacts.read_alias().await? {
            Some((aliases, tag)) => (aliases, Some(tag)),
            None => (Aliases::default(), None),
        };
        let new = decide(old.clone())?;
        if new != old {
            self.artifacts.replace_alias(&new, tag).await?;
        }
        Ok(new)
    }

    async fn folders(&self) -> Result<Folders, VersionError> {
        let mut names: BTreeMap<Version, Vec<String>> = BTreeMap::new();
        for path in self.artifacts.list(VERSIONS).await? {
            let mut parts = path.split('/').skip(1);
            if let (Some(Ok(number)), Some(name)) = (parts.next().map(str::parse), parts.next()) {
                names.entry(Version(number)).or_default().push(name.to_owned());
            }
        }
        let mut folders = Folders::default();
        for (version, names) in names {
            let has = |wanted: &str| names.iter().any(|name| name == wanted);
            let set = match (has(DAMAGED), has(MANIFEST)) {
                (true, _) => &mut folders.set_aside,
                (false, true) => &mut folders.whole,
                (false, false) => &mut folders.unfinished,
            };
            set.insert(version);
        }
        for path in self.artifacts.list(&format!("quarantine/{VERSIONS}")).await? {
            let number = path.split('/').nth(2).and_then(|name| name.split('-').next()).map(str::parse);
            if let Some(Ok(number)) = number {
                folders.set_aside.insert(Version(number));
            }
        }
        Ok(folders)
    }
}

fn folder(version: Version) -> String {
    format!("{VERSIONS}/{version}")
}

fn path(version: Version, name: &str) -> String {
    format!("{VERSIONS}/{version}/{name}")
}

/// Computes where it holds nobody up: checksums of weights take a while.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, VersionError> {
    Ok(off_thread(work).await?)
}
