//! What can be wrong with versions.

use crate::model::artifact::ArtifactError;
use crate::model::ids::Version;
use crate::model::manifest::REWRITTEN_FORMAT;
use crate::store::artifacts::{AliasError, StoreError};

/// Why a version was not written, read or made live. The aliases are as they were.
#[derive(Debug, thiserror::Error)]
pub enum VersionError {
    /// No such version: never written, pruned or set aside.
    #[error("there is no version {0}")]
    Unknown(Version),
    /// A file is not what the manifest says, or the manifest itself cannot be read.
    #[error("version {version} is damaged: {file} {reason}")]
    Damaged {
        /// The version.
        version: Version,
        /// The file's name in the version's folder.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// It was written by a later build.
    #[error(
        "version {version}: its manifest.json is of format {format}, this build knows up to {REWRITTEN_FORMAT}: use a later build or promote another version"
    )]
    Later {
        /// The version.
        version: Version,
        /// Its format.
        format: u32,
    },
    /// Its files are whole, but they do not make a model.
    #[error("version {version} makes no model: {source}")]
    Model {
        /// The version.
        version: Version,
        /// What is wrong.
        source: ArtifactError,
    },
    /// Another process writes versions to the same place.
    #[error("version {0} is being written by another process: only one process of role all or train may use a store")]
    Taken(Version),
    /// Another process changed the live version.
    #[error("the live version was changed by another process meanwhile, read it again and decide anew")]
    Conflict,
    /// Nothing was live before.
    #[error("there is no previous version to roll back to")]
    NoPrevious,
    /// The artifact store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<AliasError> for VersionError {
    fn from(error: AliasError) -> Self {
        match error {
            AliasError::Conflict => Self::Conflict,
            AliasError::Store(error) => Self::Store(error),
        }
    }
}
