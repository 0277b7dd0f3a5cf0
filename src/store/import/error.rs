//! What can be wrong with a line, and with a file as a whole.

use std::fmt;

use crate::store::log::LogError;

/// A line that was left out. For Parquet the number is the row's, from 1.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct BadLine {
    /// Its number in the file, from 1, a header counted in.
    pub line: u64,
    /// What is wrong with it.
    pub reason: String,
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)
    }
}

/// Why a line gave no event.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// The line is bad; the ones behind it can be read.
    #[error("{0}")]
    Bad(BadLine),
    /// The file cannot be read any further.
    #[error(transparent)]
    Failed(#[from] ImportError),
}

/// Why a file could not be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be opened or read on.
    #[error("{name}: {source}")]
    Io {
        /// The file's name.
        name: String,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not of the form that was asked for.
    #[error("{name}: {reason}")]
    Form {
        /// The file's name.
        name: String,
        /// What is wrong, and what should be there.
        reason: String,
    },
    /// A bad line, where none is allowed.
    #[error("{name}: {bad}; {accepted} events of the lines before are in the log, none of the batch with this line")]
    Strict {
        /// The file's name.
        name: String,
        /// The line.
        bad: BadLine,
        /// Events that this import had added before.
        accepted: u64,
    },
    /// A bad line in a list that must be whole.
    #[error("{name}: {bad}")]
    Line {
        /// The file's name.
        name: String,
        /// The line.
        bad: BadLine,
    },
    /// The log could not be written.
    #[error(transparent)]
    Log(#[from] LogError),
}

impl ImportError {
    pub(super) fn io(name: &str) -> impl FnOnce(std::io::Error) -> Self {
        let name = name.to_owned();
        move |source| Self::Io { name, source }
    }

    pub(super) fn form(name: &str, reason: impl Into<String>) -> Self {
        Self::Form { name: name.to_owned(), reason: reason.into() }
    }
}
