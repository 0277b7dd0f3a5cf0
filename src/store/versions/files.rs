//! A version's files as bytes, and back.

use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::VersionError;
use crate::model::artifact::{ArtifactError, Tensors};
use crate::model::ids::{UserId, Version};
use crate::model::manifest::{FileEntry, Manifest, REWRITTEN_FORMAT};
use crate::model::recommender::{Fitted, RecipeSpec, Recommender};

/// The model's tensors.
pub const WEIGHTS: &str = "weights.safetensors";
/// The items' ids in the model's order: a JSON array of strings.
pub const ITEMS: &str = "items.json";
/// The users' ids by row, for a model with a user table: a JSON array of strings.
pub const USERS: &str = "users.json";
/// The tensor with a row for each of them.
const USER_ROWS: &str = "users";
/// What the others must be; written last, so that a folder with it is whole.
pub const MANIFEST: &str = "manifest.json";
/// The SHA-256 of the manifest, in hexadecimal.
pub const MANIFEST_SUM: &str = "manifest.sha256";
/// The note in a version that was set aside.
pub const DAMAGED: &str = "damaged.json";

/// Reads weights back to a model: [`crate::model::candidates::load`], but for tests.
pub(super) type Loader = fn(&RecipeSpec, Tensors) -> Result<Box<dyn Recommender>, ArtifactError>;

/// A fitted model as files, by name. Making them costs a copy of the weights, writing them costs only time.
#[derive(Debug, Clone)]
pub struct ModelFiles(pub(super) Vec<(&'static str, Bytes)>);

impl ModelFiles {
    /// The files of a model, the weights first.
    ///
    /// # Errors
    /// [`ArtifactError`] when a tensor cannot be represented.
    pub fn of(fitted: &Fitted) -> Result<Self, ArtifactError> {
        let mut files = vec![
            (WEIGHTS, Bytes::from(fitted.recommender.save()?.to_bytes()?)),
            (ITEMS, json(ITEMS, &*fitted.item_ids)?),
        ];
        if !fitted.user_ids.is_empty() {
            files.push((USERS, json(USERS, &*fitted.user_ids)?));
        }
        Ok(Self(files))
    }
}

impl ModelFiles {
    /// The same without the users that `gone` names; `users` are all there are, by row.
    ///
    /// # Errors
    /// [`ArtifactError`] when the tensors have no row for each of them.
    pub fn without(self, users: &[UserId], gone: impl Fn(&UserId) -> bool) -> Result<Self, ArtifactError> {
        let rows = rows_of(users, gone);
        let Some((_, weights)) = self.0.iter().find(|(name, _)| *name == WEIGHTS).filter(|_| !rows.is_empty()) else {
            return Ok(self);
        };
        let mut left = Vec::from(without_rows(users, weights, &rows)?);
        left.extend(self.0.into_iter().filter(|(name, _)| ![USERS, WEIGHTS].contains(name)));
        Ok(Self(left))
    }
}

/// The rows of the users that `gone` names, in order.
pub(super) fn rows_of(users: &[UserId], gone: impl Fn(&UserId) -> bool) -> Vec<usize> {
    users.iter().enumerate().filter(|(_, user)| gone(user)).map(|(row, _)| row).collect()
}

/// The files of users and weights without some rows.
pub(super) fn without_rows(
    users: &[UserId],
    weights: &[u8],
    rows: &[usize],
) -> Result<[(&'static str, Bytes); 2], ArtifactError> {
    let mut tensors = Tensors::from_bytes(weights)?;
    tensors.remove_rows(USER_ROWS, rows)?;
    let left = users.iter().enumerate().filter(|(row, _)| rows.binary_search(row).is_err());
    let left: Vec<&UserId> = left.map(|(_, user)| user).collect();
    Ok([(WEIGHTS, Bytes::from(tensors.to_bytes()?)), (USERS, json(USERS, &left)?)])
}

/// The manifest's bytes.
pub(super) fn manifest_bytes(manifest: &Manifest) -> Result<Bytes, ArtifactError> {
    json(MANIFEST, manifest)
}

/// What a manifest says of a file.
pub(super) fn entry(bytes: &[u8]) -> FileEntry {
    FileEntry { sha256: sum(bytes), bytes: bytes.len() as u64, kept_as: None }
}

/// SHA-256 in hexadecimal.
pub(super) fn sum(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Reads a manifest, checked against its sum and its place.
pub(super) fn read_manifest(version: Version, bytes: &[u8], wanted: Option<&[u8]>) -> Result<Manifest, VersionError> {
    let damaged = |reason: String| damaged(version, MANIFEST, reason);
    let Some(wanted) = wanted else { return Err(damaged(format!("has no {MANIFEST_SUM} beside it"))) };
    // Two while it is being replaced: that of the new one and that of the old one.
    let found = sum(bytes);
    if !wanted.split(|&byte| byte == b'\n').any(|wanted| wanted.trim_ascii() == found.as_bytes()) {
        return Err(damaged(format!("has another checksum than {MANIFEST_SUM} says")));
    }
    let manifest: Manifest = serde_json::from_slice(bytes).map_err(|error| later_or_damaged(version, bytes, &error))?;
    if manifest.format > REWRITTEN_FORMAT {
        return Err(VersionError::Later { version, format: manifest.format });
    }
    if manifest.version != version {
        return Err(damaged(format!("belongs to version {}", manifest.version)));
    }
    Ok(manifest)
}

/// Checks a file against the manifest.
pub(super) fn check(version: Version, name: &str, bytes: &[u8], wanted: &FileEntry) -> Result<(), VersionError> {
    if bytes.len() as u64 != wanted.bytes {
        return Err(damaged(version, name, format!("has {} bytes instead of {}", bytes.len(), wanted.bytes)));
    }
    if sum(bytes) != wanted.sha256 {
        return Err(damaged(version, name, "has another checksum than the manifest says".to_owned()));
    }
    Ok(())
}

/// The model in files that were checked. `file` gives the bytes of one.
pub(super) fn fitted(
    manifest: &Manifest,
    file: impl Fn(&str) -> Option<Bytes>,
    load: Loader,
) -> Result<Fitted, ArtifactError> {
    let weights = file(WEIGHTS).ok_or_else(|| ArtifactError::Missing(WEIGHTS.to_owned()))?;
    let recommender = load(&manifest.recipe, Tensors::from_bytes(&weights)?)?;
    let item_ids: Vec<_> = match file(ITEMS) {
        Some(bytes) => from_json(ITEMS, &bytes)?,
        None => return Err(ArtifactError::Missing(ITEMS.to_owned())),
    };
    if item_ids.len() != recommender.items() {
        let reason = format!("it names {} items, the weights have {}", item_ids.len(), recommender.items());
        return Err(ArtifactError::Shape { name: ITEMS.to_owned(), reason });
    }
    let user_ids: Vec<_> = match file(USERS) {
        Some(bytes) => from_json(USERS, &bytes)?,
        None => Vec::new(),
    };
    let settings = manifest.recipe.settings.clone();
    Ok(Fitted { recommender, settings, item_ids: Arc::new(item_ids), user_ids: Arc::new(user_ids) })
}

pub(super) fn damaged(version: Version, file: &str, reason: String) -> VersionError {
    VersionError::Damaged { version, file: file.to_owned(), reason }
}

/// A later format may have other fields: its number decides what is said.
fn later_or_damaged(version: Version, bytes: &[u8], error: &serde_json::Error) -> VersionError {
    #[derive(serde::Deserialize)]
    struct Head {
        format: u32,
    }
    match serde_json::from_slice::<Head>(bytes) {
        Ok(Head { format }) if format > REWRITTEN_FORMAT => VersionError::Later { version, format },
        _ => damaged(version, MANIFEST, format!("cannot be read: {error}")),
    }
}

pub(super) fn json<T: Serialize>(name: &str, value: &T) -> Result<Bytes, ArtifactError> {
    let shape = |error: serde_json::Error| ArtifactError::Shape { name: name.to_owned(), reason: error.to_string() };
    serde_json::to_vec(value).map(Bytes::from).map_err(shape)
}

pub(super) fn from_json<T: DeserializeOwned>(name: &str, bytes: &[u8]) -> Result<T, ArtifactError> {
    let shape = |error: serde_json::Error| ArtifactError::Shape { name: name.to_owned(), reason: error.to_string() };
    serde_json::from_slice(bytes).map_err(shape)
}
