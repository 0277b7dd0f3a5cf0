//! The data folder: names of its files, its lock, its format, and writing files so that they are whole or not there.

use std::fs::{File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::error::LogError;

/// The format of the data folder that this build writes. 2: erased users stand in the tables by a hash. Folders of format 1
/// are brought to it when they are opened.
pub const FORMAT: u32 = 2;

/// Where everything of the log lies.
#[derive(Debug, Clone)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    /// The folder at `root`, which need not exist.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// The data folder itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of fjall's files.
    #[must_use]
    pub fn tables(&self) -> PathBuf {
        self.root.join("tables")
    }

    /// The folder of the sealed segments.
    #[must_use]
    pub fn segments(&self) -> PathBuf {
        self.root.join("segments")
    }

    /// The list of the sealed segments.
    #[must_use]
    pub fn list(&self) -> PathBuf {
        self.root.join("segments.json")
    }

    /// The high-water mark.
    #[must_use]
    pub fn mark(&self) -> PathBuf {
        self.root.join("acknowledged")
    }

    /// Where damaged files are set aside.
    #[must_use]
    pub fn quarantine(&self) -> PathBuf {
        self.root.join("quarantine")
    }

    /// The file that says which format the folder has.
    #[must_use]
    pub fn format(&self) -> PathBuf {
        self.root.join("FORMAT")
    }

    /// Makes the folder where it is missing and takes its lock, which is held until the file is dropped.
    ///
    /// # Errors
    /// [`LogError::Locked`] when another process, or this one, has it already; [`LogError::Io`].
    pub fn lock(&self) -> Result<File, LogError> {
        std::fs::create_dir_all(&self.root).map_err(LogError::io(&self.root))?;
        let path = self.root.join("LOCK");
        let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(LogError::io(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(LogError::Locked { folder: self.root.clone() }),
            Err(TryLockError::Error(source)) => Err(LogError::Io { file: path, source }),
        }
    }

    /// Checks the folder's format and gives it; a folder without anything of the log in it gets this build's.
    ///
    /// # Errors
    /// [`LogError::Format`] for a later one, [`LogError::Damaged`] for none where there should be one, [`LogError::Io`].
    pub fn check_format(&self) -> Result<u32, LogError> {
        let path = self.format();
        match std::fs::read_to_string(&path) {
            Ok(text) => match text.trim().parse::<u32>() {
                Ok(known @ 1..=FORMAT) => Ok(known),
                Ok(later @ 1..) => Err(LogError::Format { file: path, found: later.to_string(), known: FORMAT }),
                Ok(0) | Err(_) => Err(LogError::damaged(&path, "it holds no format's number")),
            },
            Err(e) if e.kind() == std::io::ErrorKind::InvalidData => Err(LogError::damaged(&path, "it is no text")),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                if self.list().exists() || self.tables().exists() {
                    return Err(LogError::damaged(&path, "it is missing beside the log's other files"));
                }
                self.write_format()?;
                Ok(FORMAT)
            }
            Err(source) => Err(LogError::Io { file: path, source }),
        }
    }

    /// Says that the folder is of this build's format.
    ///
    /// # Errors
    /// [`LogError::Io`].
    pub fn write_format(&self) -> Result<(), LogError> {
        write_whole(&self.format(), format!("{FORMAT}\n").as_bytes())
    }
}

/// Makes what was renamed, made or deleted in `folder` durable.
///
/// # Errors
/// [`LogError::Io`].
pub fn sync_folder(folder: &Path) -> Result<(), LogError> {
    File::open(folder).and_then(|file| file.sync_all()).map_err(LogError::io(folder))
}

/// Replaces a file in one step: written beside it, synced, renamed, the folder synced.
///
/// # Errors
/// [`LogError::Io`].
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), LogError> {
    let beside = path.with_extension("tmp");
    let mut file = File::create(&beside).map_err(LogError::io(&beside))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(LogError::io(&beside))?;
    fail::fail_point!("folder.before_rename");
    std::fs::rename(&beside, path).map_err(LogError::io(path))?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// A name in the quarantine that is not taken yet; the quarantine is made where it is missing.
///
/// # Errors
/// [`LogError::Io`].
pub fn aside(folder: &Folder, name: &str) -> Result<PathBuf, LogError> {
    let quarantine = folder.quarantine();
    std::fs::create_dir_all(&quarantine).map_err(LogError::io(&quarantine))?;
    let plain = quarantine.join(name);
    if !plain.exists() {
        return Ok(plain);
    }
    Ok((2..u32::MAX).map(|n| quarantine.join(format!("{name}.{n}"))).find(|path| !path.exists()).unwrap_or(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_locked_once_and_freed_on_drop() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::new(&dir.path().join("new"));
        let lock = folder.lock().unwrap();
        let error = folder.lock().unwrap_err();
        assert!(matches!(&error, LogError::Locked { .. }));
        assert!(
            error.to_string().contains(&folder.root().display().to_string()) && error.to_string().contains("--url")
        );
        drop(lock);
        folder.lock().unwrap();
    }

    #[test]
    fn a_later_format_is_refused_and_a_missing_one_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::new(dir.path());
        assert_eq!(folder.check_format().unwrap(), FORMAT);
        assert_eq!(folder.check_format().unwrap(), FORMAT);
        std::fs::write(folder.format(), "1\n").unwrap();
        assert_eq!(folder.check_format().unwrap(), 1);
        std::fs::write(folder.format(), "3\n").unwrap();
        assert!(matches!(folder.check_format(), Err(LogError::Format { found, known: FORMAT, .. }) if found == "3"));
        for nonsense in [&b""[..], b"0\n", b"q\n", b"\xb1\n"] {
            std::fs::write(folder.format(), nonsense).unwrap();
            assert!(matches!(folder.check_format(), Err(LogError::Damaged { .. })));
        }
        std::fs::remove_file(folder.format()).unwrap();
        std::fs::write(folder.list(), "{}").unwrap();
        assert!(matches!(folder.check_format(), Err(LogError::Damaged { .. })));
    }
}
