//! Why the log could not be opened, read or written.

use std::path::{Path, PathBuf};

use super::room::is_no_room;

/// Why the log could not be opened, read or written. Damage is always named with its file; nothing is given up by itself.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// Another process has the folder.
    #[error(
        "the data folder {} is in use by another process; stop the service, or go through it with --url", .folder.display()
    )]
    Locked {
        /// The folder.
        folder: PathBuf,
    },
    /// The folder was written by a later build.
    #[error("{}: format {found} is not known to this build, which knows up to {known}; use a later build", .file.display())]
    Format {
        /// The file that says so.
        file: PathBuf,
        /// What it says.
        found: String,
        /// The latest format of this build.
        known: u32,
    },
    /// A file or row is not what was written.
    #[error("{} is damaged: {reason}; `ouzel doctor --repair` sets the damage aside", .file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What is wrong, and where.
        reason: String,
    },
    /// Records that were acknowledged are not there.
    #[error(
        "{}: records {first} to {last} were acknowledged and are missing{hint}; restore the folder from a copy, or accept the loss with `ouzel doctor --repair`", .folder.display()
    )]
    Missing {
        /// The data folder.
        folder: PathBuf,
        /// The first missing record.
        first: u64,
        /// The last missing record.
        last: u64,
        /// What is known beside, beginning with a comma or empty.
        hint: String,
    },
    /// There is no room on the disk.
    #[error(
        "the disk of {} is full: {free} bytes are free and {wanted} are wanted (storage.min_free); free some, nothing is written before", .folder.display()
    )]
    Full {
        /// The data folder.
        folder: PathBuf,
        /// Bytes that are free.
        free: u64,
        /// Bytes that are to be free.
        wanted: u64,
    },
    /// The tables are being opened anew after a failed write.
    #[error("the log's tables are being opened anew after a failed write, try again in a moment")]
    Reopening,
    /// The batch contradicts itself.
    #[error("the batch cannot be written: {0}")]
    Batch(String),
    /// A file operation failed.
    #[error("{}: {source}", .file.display())]
    Io {
        /// The file or folder.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The tables failed.
    #[error("the log's tables cannot be used: {0}")]
    Tables(#[from] fjall::Error),
    /// A segment could not be written.
    #[error("a segment cannot be written: {0}")]
    Segment(#[from] parquet::errors::ParquetError),
}

impl LogError {
    /// Whether it says that there is no room on the disk.
    #[must_use]
    pub fn is_full(&self) -> bool {
        match self {
            Self::Full { .. } => true,
            Self::Io { source, .. } | Self::Tables(fjall::Error::Io(source)) => is_no_room(source),
            Self::Segment(parquet::errors::ParquetError::External(source)) => {
                source.downcast_ref().is_some_and(is_no_room)
            }
            _ => false,
        }
    }

    /// An error of a file operation.
    pub fn io(file: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let file = file.to_owned();
        move |source| Self::Io { file, source }
    }

    /// Damage of a file.
    pub fn damaged(file: &Path, reason: impl Into<String>) -> Self {
        Self::Damaged { file: file.to_owned(), reason: reason.into() }
    }
}
