//! The law of `live.json`, for the targets in `fuzz/` and the tests; see [`crate::model::fuzzing`].
#![expect(clippy::unwrap_used, reason = "a law that does not hold panics")]

use super::alias::{Aliases, decode, encode};

/// Reads `live.json`, and aliases without the file's sum.
pub fn aliases(bytes: &[u8]) -> bool {
    let whole = decode(bytes);
    let bare = serde_json::from_slice::<Aliases>(bytes).ok().filter(|aliases| aliases.format <= super::ALIASES_FORMAT);
    for aliases in whole.iter().chain(&bare) {
        assert_eq!(decode(&encode(aliases).unwrap()).unwrap(), *aliases);
    }
    whole.is_ok()
}
