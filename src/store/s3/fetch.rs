//! Single objects: has it changed, and its bytes as a local file.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Bucket, S3Error, S3Url};
use crate::settings::Storage;

/// Keeps the names of one process's copies apart.
static NEXT_COPY: AtomicU64 = AtomicU64::new(0);

/// What tells one state of an object from the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectState {
    /// The server's tag of the content.
    pub etag: String,
    /// Its length.
    pub bytes: u64,
    /// When it was written, milliseconds of the epoch.
    pub modified_ms: i64,
}

/// A file that is deleted when this is dropped.
#[derive(Debug)]
pub struct TempFile {
    path: PathBuf,
}

impl TempFile {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(path = %self.path.display(), %error, "a temporary copy was not deleted");
        }
    }
}

/// An object's copy.
#[derive(Debug)]
pub struct Fetched {
    /// The copy; its name ends like the object's, so that the endings `.csv.gz` and the like still say what it is.
    pub file: TempFile,
    /// The state that was copied.
    pub state: ObjectState,
}

/// Asks what is known of an object, without its bytes.
///
/// # Errors
/// Any [`S3Error`]; [`S3Error::Missing`] when there is none.
pub async fn head(url: &str, storage: &Storage) -> Result<ObjectState, S3Error> {
    Bucket::open(&object_url(url)?, storage)?.state().await
}

/// Copies an object to a file in `folder`, piece by piece: memory does not grow with it.
///
/// # Errors
/// Any [`S3Error`]; nothing is left in the folder.
pub async fn fetch_to_temp(url: &str, storage: &Storage, folder: &Path) -> Result<Fetched, S3Error> {
    let url = object_url(url)?;
    let bucket = Bucket::open(&url, storage)?;
    fs::create_dir_all(folder).map_err(|source| S3Error::Io { path: folder.to_owned(), source })?;
    let name = url.key().rsplit('/').next().unwrap_or_default();
    let number = NEXT_COPY.fetch_add(1, Ordering::Relaxed);
    let file = TempFile { path: folder.join(format!("fetched-{}-{number}-{name}", std::process::id())) };
    let state = bucket.copy_to(file.path()).await?;
    Ok(Fetched { file, state })
}

fn object_url(text: &str) -> Result<S3Url, S3Error> {
    let url = S3Url::parse(text)?;
    if url.key().is_empty() {
        return Err(S3Error::Url { url: text.to_owned(), reason: "it names no object".to_owned() });
    }
    Ok(url)
}
