//! Files of real data for tests, from the folder that `OUZEL_DATA` names (default `../shared/data` beside the crate). Where
//! they are not there the tests say so and end, since the data is no part of the repository.

use std::path::{Path, PathBuf};

/// The path of `file`; none, with a word on stderr, where it is missing.
pub(crate) fn real_file(file: &str) -> Option<PathBuf> {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let path = std::env::var_os("OUZEL_DATA").map_or_else(default, PathBuf::from).join(file);
    if !path.exists() {
        eprintln!("not tested: {} is missing (OUZEL_DATA names its folder)", path.display());
        return None;
    }
    Some(path)
}
