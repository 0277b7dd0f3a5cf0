//! Taking users out of a version's files.
//!
//! A version's files are not written over: the ones that are left of them get names of their own, and the manifest, replaced
//! in one step, names those. So a reader has the old version or the new one, and a crash leaves one of them with files that
//! nothing names, which the next call deletes. The manifest's sum holds both sums while the manifest is replaced.

use std::collections::HashSet;

use bytes::Bytes;

use super::files::{self, MANIFEST, MANIFEST_SUM, USERS, WEIGHTS};
use super::{VersionError, VersionStore, aside, folder, path};
use crate::model::artifact::ArtifactError;
use crate::model::ids::{UserId, Version};
use crate::model::manifest::{FileEntry, Manifest, REWRITTEN_FORMAT};

impl VersionStore {
    /// Takes the users that `gone` names out of a version's table, and deletes what interrupted calls left. Answers how many
    /// there were; the version answers to all others as it did. Items' numbers, which all users had a part in, stay.
    ///
    /// # Errors
    /// As [`Self::load`]; the version is then as it was, or without the users.
    pub async fn forget(
        &self,
        version: Version,
        gone: impl Fn(&Manifest, &UserId) -> bool + Send + 'static,
    ) -> Result<usize, VersionError> {
        let manifest = self.manifest(version).await?;
        let Some(table) = manifest.files.get(USERS) else { return self.sweep(manifest).await.map(|()| 0) };
        let users = self.checked(version, USERS, table).await?;
        let failed = |source| VersionError::Model { version, source };
        let ids: Vec<UserId> = files::from_json(USERS, &users).map_err(failed)?;
        let asked = manifest.clone();
        let (ids, rows) = aside(move || {
            let rows = files::rows_of(&ids, |user| gone(&asked, user));
            (ids, rows)
        })
        .await?;
        if rows.is_empty() {
            return self.sweep(manifest).await.map(|()| 0);
        }
        let Some(wanted) = manifest.files.get(WEIGHTS) else {
            return Err(failed(ArtifactError::Missing(WEIGHTS.to_owned())));
        };
        let weights = self.checked(version, WEIGHTS, wanted).await?;
        let count = rows.len();
        let written = aside(move || files::without_rows(&ids, &weights, &rows)).await?.map_err(failed)?;
        let manifest = self.replace(manifest, written).await?;
        self.sweep(manifest).await?;
        tracing::info!(%version, users = count, "erased users were taken out of a version");
        Ok(count)
    }

    /// Puts `written` in the place of the files it is named for.
    async fn replace(&self, old: Manifest, written: [(&'static str, Bytes); 2]) -> Result<Manifest, VersionError> {
        let version = old.version;
        let failed = |source| VersionError::Model { version, source };
        let mut new = Manifest { format: REWRITTEN_FORMAT, ..old.clone() };
        for (name, bytes) in &written {
            let before = old.files.get(*name).map_or(*name, |file| file.place(name));
            let kept_as = next_name(name, before);
            let entry = files::entry(bytes);
            new.files.insert((*name).to_owned(), FileEntry { kept_as: Some(kept_as), ..entry });
        }
        self.try_out(&new, &written).await?;
        for (name, bytes) in written {
            if let Some(file) = new.files.get(name) {
                self.artifacts.put(&path(version, file.place(name)), bytes).await?;
                fail::fail_point!("forget.after_file");
            }
        }
        let bytes = files::manifest_bytes(&new).map_err(failed)?;
        let sum = files::sum(&bytes);
        let there = self.artifacts.get(&path(version, MANIFEST)).await?.ok_or(VersionError::Unknown(version))?;
        let both = format!("{sum}\n{}", files::sum(&there));
        self.artifacts.put(&path(version, MANIFEST_SUM), Bytes::from(both)).await?;
        fail::fail_point!("forget.before_manifest");
        self.artifacts.put(&path(version, MANIFEST), bytes).await?;
        fail::fail_point!("forget.after_manifest");
        self.artifacts.put(&path(version, MANIFEST_SUM), Bytes::from(sum)).await?;
        Ok(new)
    }

    /// Whether the version that is about to be makes a model.
    async fn try_out(&self, new: &Manifest, written: &[(&'static str, Bytes); 2]) -> Result<(), VersionError> {
        let mut model = Vec::from(written.clone().map(|(name, bytes)| (name.to_owned(), bytes)));
        for (name, wanted) in &new.files {
            if model.iter().all(|(known, _)| known != name) {
                model.push((name.clone(), self.checked(new.version, name, wanted).await?));
            }
        }
        let (new, loader) = (new.clone(), self.loader);
        let version = new.version;
        let file = move |name: &str| model.iter().find(|(known, _)| known == name).map(|(_, bytes)| bytes.clone());
        let made = aside(move || files::fitted(&new, file, loader).map(|_| ())).await?;
        made.map_err(|source| VersionError::Model { version, source })
    }

    /// Deletes files of a version that its manifest does not name.
    async fn sweep(&self, manifest: Manifest) -> Result<(), VersionError> {
        fail::fail_point!("forget.before_sweep");
        let version = manifest.version;
        let named = manifest.files.iter().map(|(name, file)| path(version, file.place(name)));
        let kept: HashSet<String> = named.chain([MANIFEST, MANIFEST_SUM].map(|name| path(version, name))).collect();
        for found in self.artifacts.list(&folder(version)).await? {
            if !kept.contains(&found) {
                self.artifacts.delete(&found).await?;
            }
        }
        Ok(())
    }
}

/// `users.json`, `users-2.json`, `users-3.json`.
fn next_name(name: &str, before: &str) -> String {
    let (stem, ending) = name.rsplit_once('.').unwrap_or((name, ""));
    let number =
        before.strip_prefix(stem).and_then(|rest| rest.strip_prefix('-')?.strip_suffix(ending)?.strip_suffix('.'));
    let number = number.and_then(|number| number.parse::<u32>().ok()).unwrap_or(1);
    format!("{stem}-{}.{ending}", number.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_on_counting() {
        assert_eq!(next_name("users.json", "users.json"), "users-2.json");
        assert_eq!(next_name("users.json", "users-2.json"), "users-3.json");
        assert_eq!(next_name("weights.safetensors", "weights-9.safetensors"), "weights-10.safetensors");
    }
}
