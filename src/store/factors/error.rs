//! Why factors could not be read.

use std::path::{Path, PathBuf};

use crate::model::candidates::ials::GivenError;

/// Why factors could not be read. Nothing is imported of a file with a bad row.
#[derive(Debug, thiserror::Error)]
pub enum FactorsError {
    /// The file cannot be opened or read.
    #[error("{}: {source}", .file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not of a form that is read.
    #[error("{}: {reason}", .file.display())]
    Form {
        /// The file.
        file: PathBuf,
        /// What is wrong, and what should be there.
        reason: String,
    },
    /// A column or tensor is missing.
    #[error("{}: {wanted} is missing; there are: {found}", .file.display())]
    Missing {
        /// The file.
        file: PathBuf,
        /// What should be there.
        wanted: &'static str,
        /// What is there.
        found: String,
    },
    /// There is no row.
    #[error("{}: there is no item in it", .file.display())]
    Empty {
        /// The file or folder.
        file: PathBuf,
    },
    /// As many ids as factors are wanted.
    #[error("{}: there are {ids} ids for {rows} rows of factors; one for each is wanted", .file.display())]
    Ids {
        /// The file.
        file: PathBuf,
        /// How many ids there are.
        ids: usize,
        /// How many rows there are.
        rows: usize,
    },
    /// A row cannot be read.
    #[error("{}: row {row}: {reason}", .file.display())]
    Row {
        /// The file.
        file: PathBuf,
        /// The row's number in the file, from 1.
        row: u64,
        /// What is wrong.
        reason: String,
    },
    /// A row is refused.
    #[error("{}: {source}", .file.display())]
    Refused {
        /// The file.
        file: PathBuf,
        /// Why.
        source: GivenError,
    },
    /// More bytes than are read.
    #[error("{}: it has {bytes} bytes, at most {} are read; train with fewer factors", .file.display(), super::MOST_BYTES)]
    TooBig {
        /// The file or folder.
        file: PathBuf,
        /// How many bytes there are.
        bytes: u64,
    },
}

impl FactorsError {
    pub(super) fn io(file: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let file = file.to_owned();
        move |source| Self::Io { file, source }
    }

    pub(super) fn form(file: &Path, reason: impl Into<String>) -> Self {
        Self::Form { file: file.to_owned(), reason: reason.into() }
    }

    pub(super) fn row(file: &Path, row: u64, reason: impl Into<String>) -> Self {
        Self::Row { file: file.to_owned(), row, reason: reason.into() }
    }

    pub(super) fn refused(file: &Path) -> impl FnOnce(GivenError) -> Self {
        let file = file.to_owned();
        move |source| Self::Refused { file, source }
    }
}
