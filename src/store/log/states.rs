//! A look at the states of fjall's tables before fjall opens them.
//!
//! A table's folder holds its latest state, a file such as `v7` that lists the table's files, and `current`, which names the
//! state with its sum: `7 u64 | xxh3 u128 | 0`. fjall 3 writes that sum but does not check it, and panics over some states
//! that make no sense, in a way that ends the process without a word.

use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_128;

use super::error::LogError;

/// Bits in which two sums of different bytes differ, at least: half of them do on average.
const OTHER: u32 = 16;

/// Checks the state of each table in fjall's folder `tables`, where there is a sum to check it by.
///
/// # Errors
/// [`LogError::Damaged`] naming the state's file, or [`LogError::Io`].
pub fn check(tables: &Path) -> Result<(), LogError> {
    let keyspaces = tables.join("keyspaces");
    let entries = match std::fs::read_dir(&keyspaces) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(LogError::Io { file: keyspaces, source }),
    };
    for entry in entries {
        let table = entry.map_err(LogError::io(&keyspaces))?.path();
        let Some(current) = read(table.join("current"))? else { continue };
        let Some((number, rest)) = current.split_first_chunk::<8>() else { continue };
        let state = table.join(format!("v{}", u64::from_le_bytes(*number)));
        let Some(bytes) = read(state.clone())? else { continue };
        // A few bits of difference: the sum itself was changed, or cut, and the state is whole.
        let listed = rest.first_chunk::<16>().map(|sum| u128::from_le_bytes(*sum));
        if listed.is_some_and(|listed| (listed ^ xxh3_128(&bytes)).count_ones() >= OTHER) {
            return Err(LogError::damaged(&state, "its checksum is not the one that `current` names"));
        }
    }
    Ok(())
}

/// A file's bytes; what fjall says of a missing one is clear enough.
fn read(path: PathBuf) -> Result<Option<Vec<u8>>, LogError> {
    match std::fs::read(&path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if matches!(e.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => Ok(None),
        Err(source) => Err(LogError::Io { file: path, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_bit_of_a_state_is_named_and_one_of_its_sum_does_no_harm() {
        let dir = tempfile::tempdir().unwrap();
        {
            let db = fjall::Database::builder(dir.path()).open().unwrap();
            let table = db.keyspace("t", fjall::KeyspaceCreateOptions::default).unwrap();
            table.insert("key", "value").unwrap();
            table.rotate_memtable_and_wait().unwrap();
        }
        check(dir.path()).unwrap();
        let table = dir.path().join("keyspaces/1");
        let current = std::fs::read(table.join("current")).unwrap();
        let state = table.join(format!("v{}", u64::from_le_bytes(*current.first_chunk().unwrap())));
        let whole = std::fs::read(&state).unwrap();
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&state, bytes).unwrap();
            assert!(matches!(check(dir.path()), Err(LogError::Damaged { file, .. }) if file == state), "bit {bit}");
        }
        std::fs::write(&state, whole).unwrap();
        for bit in 64..current.len() * 8 {
            let mut bytes = current.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(table.join("current"), bytes).unwrap();
            check(dir.path()).unwrap();
        }
    }
}
