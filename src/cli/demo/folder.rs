//! Where the demo keeps its data.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A data folder; one that was made for the time being goes with its owner.
#[derive(Debug)]
pub(super) struct DataFolder {
    path: PathBuf,
    passing: bool,
}

impl DataFolder {
    /// The folder `kept`, or a new one below the system's folder for temporary files.
    pub(super) fn new(kept: Option<&Path>) -> io::Result<Self> {
        if let Some(path) = kept {
            return Ok(Self { path: path.to_owned(), passing: false });
        }
        let name = format!("ouzel-demo-{}-{:08x}", std::process::id(), rand::random::<u32>());
        let path = std::env::temp_dir().join(name);
        // Not `create_dir_all`: a folder that somebody else put there is not taken.
        fs::create_dir(&path)?;
        Ok(Self { path, passing: true })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it goes at the end.
    pub(super) fn passing(&self) -> bool {
        self.passing
    }
}

impl Drop for DataFolder {
    fn drop(&mut self) {
        if !self.passing {
            return;
        }
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!(folder = %self.path.display(), %error, "the demo's data could not be removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temporary_folder_goes_with_its_data_and_a_kept_one_stays() {
        let passing = DataFolder::new(None).unwrap();
        let path = passing.path().to_owned();
        fs::write(path.join("a"), "b").unwrap();
        drop(passing);
        assert!(!path.exists());
        let home = tempfile::tempdir().unwrap();
        drop(DataFolder::new(Some(home.path())).unwrap());
        assert!(home.path().exists());
    }
}
