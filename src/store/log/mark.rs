//! The high-water mark: the last record that was acknowledged, in a small file beside the tables.
//!
//! fjall's journal ends, without a word, where it cannot be read; only this mark tells a torn record that nobody was
//! promised from records that were. It is written after each durable append without a sync of its own: a killed process
//! leaves it exact, a power cut may leave an earlier one, and none ever lies beyond what was durable.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;

use super::error::LogError;

const BYTES: usize = 16;

/// The mark, open for writing.
#[derive(Debug)]
pub struct Mark {
    file: File,
    path: PathBuf,
}

/// What the file said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marked {
    /// There is no file, or an empty one.
    Nothing,
    /// The last acknowledged record.
    Seq(u64),
    /// Its checksum is wrong: the mark says nothing.
    Unreadable,
}

impl Marked {
    /// The last acknowledged record, 0 where it is not known.
    #[must_use]
    pub const fn seq(self) -> u64 {
        match self {
            Self::Seq(seq) => seq,
            Self::Nothing | Self::Unreadable => 0,
        }
    }
}

/// Reads the mark at `path`.
///
/// # Errors
/// [`LogError::Io`].
pub fn read(path: &Path) -> Result<Marked, LogError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Marked::Nothing),
        Err(source) => return Err(LogError::Io { file: path.to_owned(), source }),
    };
    Ok(parse(&bytes))
}

/// What the bytes of a mark say.
pub(super) fn parse(bytes: &[u8]) -> Marked {
    match bytes.as_chunks::<8>() {
        ([], []) => Marked::Nothing,
        ([seq, sum], []) if xxh3_64(seq) == u64::from_le_bytes(*sum) => Marked::Seq(u64::from_le_bytes(*seq)),
        _ => Marked::Unreadable,
    }
}

/// The bytes of a mark.
pub(super) fn bytes(seq: u64) -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    let (number, sum) = bytes.split_at_mut(BYTES / 2);
    number.copy_from_slice(&seq.to_le_bytes());
    sum.copy_from_slice(&xxh3_64(&seq.to_le_bytes()).to_le_bytes());
    bytes
}

impl Mark {
    /// Opens the mark for writing.
    ///
    /// # Errors
    /// [`LogError::Io`].
    pub fn open(path: &Path) -> Result<Self, LogError> {
        let file = File::options().create(true).truncate(false).write(true).open(path).map_err(LogError::io(path))?;
        Ok(Self { file, path: path.to_owned() })
    }

    /// Moves the mark to `seq`.
    ///
    /// # Errors
    /// [`LogError::Io`].
    pub fn set(&self, seq: u64) -> Result<(), LogError> {
        self.file.write_all_at(&bytes(seq), 0).map_err(LogError::io(&self.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_is_read_back_and_a_changed_byte_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("acknowledged");
        assert_eq!(read(&path).unwrap(), Marked::Nothing);
        let mark = Mark::open(&path).unwrap();
        mark.set(7).unwrap();
        mark.set(1_000_000).unwrap();
        assert_eq!(read(&path).unwrap(), Marked::Seq(1_000_000));
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[1] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(read(&path).unwrap(), Marked::Unreadable);
    }
}
