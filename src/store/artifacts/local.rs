//! Artifacts in a folder. Every file is written whole under a name of its own, made durable, then renamed: a reader sees
//! the old file or the new one, also after a power cut.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};

/// Held while something is written only if nobody else wrote it first.
const LOCK_FILE: &str = ".lock";

/// Follows the name of a file in that under which it is written first.
const TEMPORARY: &str = ".tmp-";

/// Keeps the temporary names of one process apart.
static NEXT_TEMPORARY: AtomicU64 = AtomicU64::new(0);

/// A folder of artifacts. Paths are relative, with `/` between their parts.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    root: PathBuf,
}

impl Folder {
    pub(super) fn open(root: PathBuf) -> io::Result<Self> {
        create_folders(&root)?;
        Ok(Self { root })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn put(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let target = self.root.join(path);
        let (Some(folder), Some(name)) = (target.parent(), target.file_name()) else {
            return Err(io::Error::new(ErrorKind::InvalidInput, "a path without a file name"));
        };
        create_folders(folder)?;
        let number = NEXT_TEMPORARY.fetch_add(1, Ordering::Relaxed);
        let temporary = folder.join(format!("{}{TEMPORARY}{}-{number}", name.to_string_lossy(), std::process::id()));
        let written = write_durably(&temporary, bytes).and_then(|()| {
            fail::fail_point!("artifacts.before_rename");
            fs::rename(&temporary, &target)
        });
        if let Err(error) = written {
            // What is left of it is only litter; the first error is the one to be told.
            fs::remove_file(&temporary).ok();
            return Err(error);
        }
        sync_folder(folder)
    }

    /// False, with nothing written, when the file is there already.
    pub(super) fn put_new(&self, path: &str, bytes: &[u8]) -> io::Result<bool> {
        let _lock = self.lock()?;
        if self.exists(path)? {
            return Ok(false);
        }
        self.put(path, bytes).map(|()| true)
    }

    /// False, with nothing written, when the file is not the one that has `tag` (none: no file).
    pub(super) fn replace(&self, path: &str, bytes: &[u8], tag: Option<&str>) -> io::Result<bool> {
        let _lock = self.lock()?;
        let found = self.get(path)?.map(|old| tag_of(&old));
        if found.as_deref() != tag {
            return Ok(false);
        }
        self.put(path, bytes).map(|()| true)
    }

    pub(super) fn get(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.root.join(path)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) fn exists(&self, path: &str) -> io::Result<bool> {
        self.root.join(path).try_exists()
    }

    /// Every file below `prefix`, temporary ones too, sorted.
    pub(super) fn list(&self, prefix: &str) -> io::Result<Vec<String>> {
        let mut found = Vec::new();
        let mut waiting = vec![prefix.to_owned()];
        while let Some(folder) = waiting.pop() {
            let entries = match fs::read_dir(self.root.join(&folder)) {
                Ok(entries) => entries,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            for entry in entries {
                let entry = entry?;
                let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
                if entry.file_type()?.is_dir() { waiting.push(path) } else { found.push(path) }
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    pub(super) fn delete(&self, path: &str) -> io::Result<()> {
        ignore_missing(fs::remove_file(self.root.join(path)))
    }

    pub(super) fn delete_prefix(&self, prefix: &str) -> io::Result<()> {
        ignore_missing(fs::remove_dir_all(self.root.join(prefix)))
    }

    /// Moves a folder to the first free name below `quarantine/`.
    pub(super) fn quarantine(&self, folder: &str) -> io::Result<()> {
        let source = self.root.join(folder);
        let mut number = 1_u64;
        let mut target = self.root.join(format!("quarantine/{folder}-{number}"));
        while target.try_exists()? {
            number += 1;
            target = self.root.join(format!("quarantine/{folder}-{number}"));
        }
        for parent in [&target, &source].into_iter().filter_map(|path| path.parent()) {
            create_folders(parent)?;
        }
        fs::rename(&source, &target)?;
        [&target, &source].into_iter().filter_map(|path| path.parent()).try_for_each(sync_folder)
    }

    /// Deletes what interrupted writes of the file left beside it; nobody else may be writing it.
    pub(super) fn delete_temporaries(&self, path: &str) -> io::Result<()> {
        let _lock = self.lock()?;
        let target = self.root.join(path);
        let (Some(folder), Some(name)) = (target.parent(), target.file_name()) else { return Ok(()) };
        let begin = format!("{}{TEMPORARY}", name.to_string_lossy());
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(&begin) {
                ignore_missing(fs::remove_file(entry.path()))?;
            }
        }
        Ok(())
    }

    fn lock(&self) -> io::Result<File> {
        let file = File::options().create(true).truncate(false).write(true).open(self.root.join(LOCK_FILE))?;
        file.lock()?;
        Ok(file)
    }
}

/// The tag of a local file: what is in it.
pub(super) fn tag_of(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Creates a folder and those above it, each durable in the one that holds it.
fn create_folders(folder: &Path) -> io::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    let parent = folder.parent().unwrap_or(Path::new(""));
    create_folders(parent)?;
    match fs::create_dir(folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => sync_folder(parent),
    }
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    File::open(folder)?.sync_all()
}

fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
