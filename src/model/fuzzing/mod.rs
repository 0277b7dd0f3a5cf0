//! Laws that hold whatever bytes a decoder is handed: nothing panics, what is accepted is within its bounds, and what is
//! written again is read as the same. The targets in `fuzz/` try them on made-up bytes, the tests on the committed ones;
//! no other build has them.
#![expect(clippy::unwrap_used, reason = "a law that does not hold panics")]

mod bodies;
mod weights;

pub use bodies::BODIES;
pub use weights::WEIGHTS;

/// A law by its name. It says whether the decoder accepted the bytes, and panics where the law does not hold.
pub type Law = (&'static str, fn(&[u8]) -> bool);

/// The time at which events are read, milliseconds of the epoch.
pub const NOW: i64 = 1_800_000_000_000;

/// Holds all laws against the bytes.
pub fn hold(laws: &[Law], bytes: &[u8]) {
    for (_, law) in laws {
        law(bytes);
    }
}

/// Holds the laws against the committed inputs of a fuzz target, and sees to it that each decoder accepts one of them:
/// a corpus of which nothing is accepted any more has grown old.
#[cfg(test)]
pub(crate) fn hold_the_corpus(target: &str, laws: &[&[Law]]) {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let files = std::fs::read_dir(&folder).unwrap().map(|file| std::fs::read(file.unwrap().path()).unwrap());
    let inputs: Vec<Vec<u8>> = files.collect();
    for (name, law) in laws.iter().copied().flatten() {
        let accepted = inputs.iter().filter(|bytes| law(bytes)).count();
        assert!(accepted > 0, "{name}: none of the {} files in {} is accepted", inputs.len(), folder.display());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_laws_hold_on_the_committed_weights() {
        hold_the_corpus("weights", &[&WEIGHTS]);
    }
}
