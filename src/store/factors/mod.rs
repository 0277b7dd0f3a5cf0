//! Files of items' factors that were trained elsewhere: Parquet, as Spark writes a model's, or safetensors. The first bytes
//! say which.

mod error;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod parquet_files;
mod tensors;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{ErrorKind, Read, Seek};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::add_to_sum;
use crate::model::candidates::ials::GivenFactors;

pub use error::FactorsError;

/// The most bytes of a file, or of a folder's in all.
pub const MOST_BYTES: u64 = 8 << 30;

/// The first bytes of every Parquet file.
const PARQUET: &[u8] = b"PAR1";

/// Factors with what is told of their files.
#[derive(Debug, Clone, PartialEq)]
pub struct FactorsRead {
    /// The factors; at least one item.
    pub factors: GivenFactors,
    /// `parquet` or `safetensors`.
    pub format: &'static str,
    /// The SHA-256 of the file, or of a folder's files behind each other in the order of their names, in hexadecimal.
    pub sha256: String,
    /// Their length.
    pub bytes: u64,
}

/// Reads a file, or the Parquet files of a folder. Lengths are bounded before anything is read.
///
/// # Errors
/// [`FactorsError`].
pub fn read(path: &Path) -> Result<FactorsRead, FactorsError> {
    let files = files_of(path)?;
    let mut bytes = 0_u64;
    for file in &files {
        bytes += std::fs::metadata(file).map_err(FactorsError::io(file))?.len();
    }
    if bytes > MOST_BYTES {
        return Err(FactorsError::TooBig { file: path.to_owned(), bytes });
    }
    let (mut factors, mut sum, mut format) = (GivenFactors::default(), Sha256::new(), "parquet");
    for path in &files {
        let mut file = File::open(path).map_err(FactorsError::io(path))?;
        if is_parquet(&mut file).map_err(FactorsError::io(path))? {
            file.rewind().and_then(|()| add_to_sum(&mut sum, &mut file)).map_err(FactorsError::io(path))?;
            parquet_files::read(file, path, &mut factors)?;
        } else if files.len() == 1 {
            let bytes = std::fs::read(path).map_err(FactorsError::io(path))?;
            sum.update(&bytes);
            factors = tensors::read(&bytes, path)?;
            format = "safetensors";
        } else {
            return Err(FactorsError::form(path, "it is no Parquet, as the files of a folder must be"));
        }
    }
    if factors.items() == 0 {
        return Err(FactorsError::Empty { file: path.to_owned() });
    }
    Ok(FactorsRead { factors, format, sha256: hex::encode(sum.finalize()), bytes })
}

/// The file itself, or a folder's Parquet files in the order of their names; names that begin with `.` or `_` are what Spark
/// keeps for itself.
fn files_of(path: &Path) -> Result<Vec<PathBuf>, FactorsError> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(FactorsError::io(path))? {
        let entry = entry.map_err(FactorsError::io(path))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".parquet") && !name.starts_with(['.', '_']) {
            files.push(entry.path());
        }
    }
    if files.is_empty() {
        return Err(FactorsError::form(path, "there is no file in it whose name ends in .parquet"));
    }
    files.sort_unstable();
    Ok(files)
}

fn is_parquet(file: &mut File) -> std::io::Result<bool> {
    let mut first = [0; PARQUET.len()];
    match file.read_exact(&mut first) {
        Ok(()) => Ok(first == PARQUET),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}
