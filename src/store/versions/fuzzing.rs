//! Laws of what stands beside weights, for the targets in `fuzz/` and the tests; see [`crate::model::fuzzing`].
#![expect(clippy::unwrap_used, reason = "a law that does not hold panics")]

use super::files::{manifest_bytes, read_manifest, sum};
use crate::model::fuzzing::Law;
use crate::model::ids::{ItemId, Version};
use crate::model::manifest::Manifest;
use crate::store::artifacts::fuzzing::aliases;

/// Manifests, ids and `live.json`.
pub const VERSIONS: [Law; 3] = [("manifests", manifest), ("ids", ids), ("live.json", aliases)];

fn manifest(bytes: &[u8]) -> bool {
    assert!(read_manifest(Version(1), bytes, None).is_err(), "none without a sum");
    let version = serde_json::from_slice::<Manifest>(bytes).map_or(Version(1), |manifest| manifest.version);
    let Ok(read) = read_manifest(version, bytes, Some(sum(bytes).as_bytes())) else { return false };
    let written = manifest_bytes(&read).unwrap();
    let again = read_manifest(version, &written, Some(sum(&written).as_bytes())).unwrap();
    assert_eq!(again, read);
    true
}

fn ids(bytes: &[u8]) -> bool {
    let Ok(ids) = serde_json::from_slice::<Vec<ItemId>>(bytes) else { return false };
    assert_eq!(serde_json::from_slice::<Vec<ItemId>>(&serde_json::to_vec(&ids).unwrap()).unwrap(), ids);
    !ids.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_laws_hold_on_the_committed_files() {
        crate::model::fuzzing::hold_the_corpus("versions", &[&VERSIONS]);
    }
}
