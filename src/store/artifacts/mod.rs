//! Where versions live: a folder, or a bucket of an S3 server, behind one face.
//!
//! Paths are relative to the place, with `/` between their parts. [`StoreError`] says what failed and where; "not there"
//! is never an error here but `None` or false.

mod alias;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod local;
#[cfg(test)]
pub(super) mod tests;

use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;

pub use alias::{ALIASES_FORMAT, ALIASES_PATH, AliasError, Aliases, Tag};
use local::{Folder, tag_of};

use super::log::is_no_room;
use super::off_thread;
use super::s3::{Bucket, S3Error, S3Url};
use crate::settings::Storage;

/// Why the artifact store could not be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder failed.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The S3 server failed.
    #[error(transparent)]
    S3(#[from] S3Error),
    /// The setting names neither a folder nor a bucket.
    #[error("storage.artifacts is {0}: write a folder or s3://bucket/prefix")]
    Place(String),
    /// The aliases cannot be read or written.
    #[error("live.json cannot be used: {0}")]
    Aliases(String),
    /// The aliases are not what was written.
    #[error("live.json is damaged: {0}")]
    AliasesDamaged(String),
    /// The runtime that did the work is stopping.
    #[error("the service is stopping")]
    Stopping,
}

impl StoreError {
    /// Whether it says that there is no room on the disk.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Io { source, .. } if is_no_room(source))
    }
}

/// A place for versions. Cheap to clone; all clones are the same place.
#[derive(Debug, Clone)]
pub struct Artifacts {
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Local(Folder),
    S3(Bucket),
}

impl Artifacts {
    /// The place that the settings name; empty means the folder `artifacts` below `data_dir`. A folder is created, a
    /// bucket must be there (which shows with the first call, not here).
    ///
    /// # Errors
    /// [`StoreError`] when the folder cannot be made or the place cannot be understood.
    pub fn open(storage: &Storage) -> Result<Self, StoreError> {
        match storage.artifacts.as_str() {
            "" => Self::local(storage.data_dir.join("artifacts")),
            url if S3Url::is_one(url) => Ok(Self { kind: Kind::S3(Bucket::open(&S3Url::parse(url)?, storage)?) }),
            other if other.contains("://") => Err(StoreError::Place(other.to_owned())),
            folder => Self::local(folder),
        }
    }

    /// A folder, created where it is missing.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn local(folder: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let folder = folder.into();
        match Folder::open(folder.clone()) {
            Ok(folder) => Ok(Self { kind: Kind::Local(folder) }),
            Err(source) => Err(StoreError::Io { path: folder, source }),
        }
    }

    /// The place, for messages: a folder's path or an `s3://` address.
    #[must_use]
    pub fn place(&self) -> String {
        match &self.kind {
            Kind::Local(folder) => folder.root().display().to_string(),
            Kind::S3(bucket) => bucket.place().to_owned(),
        }
    }

    /// Writes a file, over an old one if there is one. Durable when it returns.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put(&self, path: &str, bytes: Bytes) -> Result<(), StoreError> {
        match &self.kind {
            Kind::Local(folder) => locally(folder, path, move |folder, path| folder.put(path, &bytes)).await,
            Kind::S3(bucket) => Ok(bucket.put(path, bytes).await?),
        }
    }

    /// Writes a file where there is none; false, with nothing written, where there is one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_new(&self, path: &str, bytes: Bytes) -> Result<bool, StoreError> {
        match &self.kind {
            Kind::Local(folder) => locally(folder, path, move |folder, path| folder.put_new(path, &bytes)).await,
            Kind::S3(bucket) => Ok(bucket.replace(path, bytes, None).await?),
        }
    }

    /// A file's bytes.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn get(&self, path: &str) -> Result<Option<Bytes>, StoreError> {
        match &self.kind {
            Kind::Local(folder) => Ok(locally(folder, path, Folder::get).await?.map(Bytes::from)),
            Kind::S3(bucket) => Ok(bucket.get(path).await?.map(|(bytes, _)| bytes)),
        }
    }

    /// Whether a file is there.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn exists(&self, path: &str) -> Result<bool, StoreError> {
        match &self.kind {
            Kind::Local(folder) => locally(folder, path, Folder::exists).await,
            Kind::S3(bucket) => Ok(bucket.exists(path).await?),
        }
    }

    /// The paths of all files below the folder `prefix`, sorted; leftovers of an interrupted write among them.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        match &self.kind {
            Kind::Local(folder) => locally(folder, prefix, Folder::list).await,
            Kind::S3(bucket) => Ok(bucket.list(prefix).await?),
        }
    }

    /// Deletes a file, if it is there.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn delete(&self, path: &str) -> Result<(), StoreError> {
        match &self.kind {
            Kind::Local(folder) => locally(folder, path, Folder::delete).await,
            Kind::S3(bucket) => Ok(bucket.delete(path).await?),
        }
    }

    /// Deletes all files below the folder `prefix`, and the folder.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn delete_prefix(&self, prefix: &str) -> Result<(), StoreError> {
        match &self.kind {
            Kind::Local(folder) => locally(folder, prefix, Folder::delete_prefix).await,
            Kind::S3(bucket) => {
                for path in bucket.list(prefix).await? {
                    bucket.delete(&path).await?;
                }
                Ok(())
            }
        }
    }

    /// Deletes what interrupted replacements of the aliases left; to be called by the one process that replaces them.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn clean_alias(&self) -> Result<(), StoreError> {
        match &self.kind {
            Kind::Local(folder) => locally(folder, ALIASES_PATH, Folder::delete_temporaries).await,
            // An object is there whole or not at all.
            Kind::S3(_) => Ok(()),
        }
    }

    /// Takes a folder out of use without losing it, with `note` in it as `file`: locally it moves below `quarantine/`, on
    /// S3, where nothing can be moved, the note is the mark.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn set_aside(&self, path: &str, file: &str, note: Bytes) -> Result<(), StoreError> {
        self.put(&format!("{path}/{file}"), note).await?;
        match &self.kind {
            Kind::Local(folder) => locally(folder, path, Folder::quarantine).await,
            Kind::S3(_) => Ok(()),
        }
    }

    /// The aliases, with the tag to replace them by; none before the first version went live.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn read_alias(&self) -> Result<Option<(Aliases, Tag)>, StoreError> {
        self.raw_alias().await?.map(|(bytes, tag)| Ok((alias::decode(&bytes)?, tag))).transpose()
    }

    /// What stands where the aliases should, damaged or not, with the tag to replace it by.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn raw_alias(&self) -> Result<Option<(Bytes, Tag)>, StoreError> {
        let read = match &self.kind {
            Kind::Local(folder) => locally(folder, ALIASES_PATH, Folder::get).await?.map(|bytes| {
                let tag = tag_of(&bytes);
                (Bytes::from(bytes), tag)
            }),
            Kind::S3(bucket) => bucket.get(ALIASES_PATH).await?,
        };
        Ok(read.map(|(bytes, tag)| (bytes, Tag(tag))))
    }

    /// Replaces the aliases in one step, if they still are those that were read with `expected` (none: there were none).
    ///
    /// # Errors
    /// [`AliasError::Conflict`] when they are not, [`AliasError::Store`].
    pub async fn replace_alias(&self, new: &Aliases, expected: Option<Tag>) -> Result<(), AliasError> {
        let bytes = Bytes::from(alias::encode(new)?);
        let expected = expected.map(|tag| tag.0);
        let replaced = match &self.kind {
            Kind::Local(folder) => {
                let work = move |folder: &Folder, path: &str| folder.replace(path, &bytes, expected.as_deref());
                locally(folder, ALIASES_PATH, work).await?
            }
            Kind::S3(bucket) => bucket.replace(ALIASES_PATH, bytes, expected).await.map_err(StoreError::from)?,
        };
        if replaced {
            return Ok(());
        }
        // A request to S3 is repeated when its answer was lost, and then meets what it wrote itself.
        match self.read_alias().await? {
            Some((found, _)) if found == *new && matches!(self.kind, Kind::S3(_)) => Ok(()),
            _ => Err(AliasError::Conflict),
        }
    }
}

/// Works on the folder where blocking harms nobody.
async fn locally<T: Send + 'static>(
    folder: &Folder,
    path: &str,
    work: impl FnOnce(&Folder, &str) -> io::Result<T> + Send + 'static,
) -> Result<T, StoreError> {
    let (folder, path) = (folder.clone(), path.to_owned());
    let place = folder.root().join(Path::new(&path));
    off_thread(move || work(&folder, &path)).await?.map_err(|source| StoreError::Io { path: place, source })
}
