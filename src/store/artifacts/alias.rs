//! `live.json`: the one small object that says which version answers.

use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::model::ids::Version;

/// Where the aliases are, below the artifacts' place.
pub const ALIASES_PATH: &str = "live.json";

/// The format that this build writes; a later one is refused.
pub const ALIASES_FORMAT: u32 = 1;

/// The names that move from version to version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aliases {
    /// [`ALIASES_FORMAT`] when they were written.
    pub format: u32,
    /// The version that answers.
    pub live: Option<Version>,
    /// The version that a rollback brings back.
    pub previous: Option<Version>,
}

impl Default for Aliases {
    fn default() -> Self {
        Self { format: ALIASES_FORMAT, live: None, previous: None }
    }
}

/// The state in which aliases were read: an S3 object's `ETag`, or a local file's SHA-256. Replacing them asks for it, so
/// that a change by somebody else in between is never lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag(pub(super) String);

/// Why the aliases were not replaced. They are as they were.
#[derive(Debug, thiserror::Error)]
pub enum AliasError {
    /// Somebody else replaced them since they were read.
    #[error("the live version was changed by another process meanwhile, read it again and decide anew")]
    Conflict,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The object's bytes.
pub(super) fn encode(aliases: &Aliases) -> Result<Vec<u8>, StoreError> {
    let mut bytes = serde_json::to_vec(aliases).map_err(|error| StoreError::Aliases(error.to_string()))?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Reads the object's bytes.
pub(super) fn decode(bytes: &[u8]) -> Result<Aliases, StoreError> {
    let aliases: Aliases = serde_json::from_slice(bytes).map_err(|error| StoreError::Aliases(error.to_string()))?;
    if aliases.format > ALIASES_FORMAT {
        let format = aliases.format;
        return Err(StoreError::Aliases(format!("format {format} is later than this build's {ALIASES_FORMAT}")));
    }
    Ok(aliases)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_is_stable_and_a_later_format_is_refused() {
        let aliases = Aliases { live: Some(Version(7)), ..Aliases::default() };
        let bytes = encode(&aliases).unwrap();
        assert_eq!(bytes, b"{\"format\":1,\"live\":7,\"previous\":null}\n");
        assert_eq!(decode(&bytes).unwrap(), aliases);
        assert!(matches!(decode(br#"{"format":2,"live":7,"previous":6}"#), Err(StoreError::Aliases(_))));
        assert!(matches!(decode(&bytes[..20]), Err(StoreError::Aliases(_))));
    }
}
