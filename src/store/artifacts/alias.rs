//! `live.json`: the one small object that says which version answers.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

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

/// The object: the aliases with a sum over them, which is absent where an earlier build wrote it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Object {
    format: u32,
    live: Option<Version>,
    previous: Option<Version>,
    sum: Option<String>,
}

/// The object's bytes.
pub(super) fn encode(aliases: &Aliases) -> Result<Vec<u8>, StoreError> {
    let Aliases { format, live, previous } = aliases.clone();
    let object = Object { format, live, previous, sum: Some(sum(aliases)?) };
    let mut bytes = serde_json::to_vec(&object).map_err(|error| StoreError::Aliases(error.to_string()))?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Reads the object's bytes.
pub(super) fn decode(bytes: &[u8]) -> Result<Aliases, StoreError> {
    #[derive(Deserialize)]
    struct Head {
        format: u32,
    }
    let damaged = |error: serde_json::Error| StoreError::AliasesDamaged(error.to_string());
    let Head { format } = serde_json::from_slice(bytes).map_err(damaged)?;
    if format > ALIASES_FORMAT {
        return Err(StoreError::Aliases(format!(
            "it is of format {format}, this build knows up to {ALIASES_FORMAT}: use a later build"
        )));
    }
    let Object { format, live, previous, sum: wanted } = serde_json::from_slice(bytes).map_err(damaged)?;
    let aliases = Aliases { format, live, previous };
    if wanted.is_some() && wanted != Some(sum(&aliases)?) {
        return Err(StoreError::AliasesDamaged("its checksum is wrong".to_owned()));
    }
    Ok(aliases)
}

fn sum(aliases: &Aliases) -> Result<String, StoreError> {
    let bytes = serde_json::to_vec(aliases).map_err(|error| StoreError::Aliases(error.to_string()))?;
    Ok(format!("{:016x}", xxh3_64(&bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_is_stable_and_a_later_format_is_refused() {
        let aliases = Aliases { live: Some(Version(7)), ..Aliases::default() };
        let bytes = encode(&aliases).unwrap();
        let text = std::str::from_utf8(&bytes).unwrap();
        assert_eq!(text, "{\"format\":1,\"live\":7,\"previous\":null,\"sum\":\"3d1916b4cb836b6f\"}\n");
        assert_eq!(decode(&bytes).unwrap(), aliases);
        assert_eq!(decode(br#"{"format":1,"live":7,"previous":null}"#).unwrap(), aliases, "without a sum");
        let later = br#"{"format":2,"live":{"eu":7}}"#;
        assert!(
            matches!(decode(later), Err(StoreError::Aliases(text)) if text.contains("format 2, this build knows up to 1"))
        );
    }

    #[test]
    fn no_cut_and_no_flipped_bit_makes_other_aliases() {
        let aliases = Aliases { live: Some(Version(12)), previous: Some(Version(9)), ..Aliases::default() };
        let bytes = encode(&aliases).unwrap();
        let cut = (0..bytes.len()).map(|length| bytes[..length].to_vec());
        let flipped = (0..bytes.len() * 8).map(|bit| {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            bytes
        });
        for damaged in cut.chain(flipped) {
            let read = decode(&damaged);
            assert!(read.is_err() || read.is_ok_and(|read| read == aliases), "{}", String::from_utf8_lossy(&damaged));
        }
    }
}
