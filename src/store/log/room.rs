//! Whether there is room to write: looked at before each write, so that a full disk is met with a clear word and not in the
//! middle of one.

use std::io::{Error, ErrorKind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::error::LogError;

/// What is to be free after a write has failed for want of room, whatever the settings say: fjall's files and the next batch
/// have to fit.
const AFTER_FAILURE: u64 = 8 << 20;

/// The room on the disk of the data folder.
#[derive(Debug)]
pub(super) struct Room {
    /// Bytes that are left free.
    min_free: u64,
    full: AtomicBool,
    /// Whether a write has failed, and not only been refused.
    failed: AtomicBool,
}

impl Room {
    pub(super) const fn new(min_free: u64) -> Self {
        Self { min_free, full: AtomicBool::new(false), failed: AtomicBool::new(false) }
    }

    /// Whether there was no room at the last look.
    pub(super) fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    /// Whether a write has failed since [`Self::mended`].
    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// Looks whether there is room in `folder`.
    ///
    /// # Errors
    /// [`LogError::Full`] where there is not, [`LogError::Io`].
    pub(super) fn check(&self, folder: &Path) -> Result<(), LogError> {
        let wanted = if self.has_failed() { self.min_free.max(AFTER_FAILURE) } else { self.min_free };
        let free = free_bytes(folder).map_err(LogError::io(folder))?;
        let full = free < wanted;
        self.full.store(full, Ordering::Relaxed);
        if full { Err(LogError::Full { folder: folder.to_owned(), free, wanted }) } else { Ok(()) }
    }

    /// What is said of a write that has failed for want of room.
    pub(super) fn full(&self, folder: &Path) -> LogError {
        let wanted = self.min_free.max(AFTER_FAILURE);
        LogError::Full { folder: folder.to_owned(), free: free_bytes(folder).unwrap_or_default(), wanted }
    }

    /// A write has failed, so that the tables take no more.
    pub(super) fn fail(&self, error: &LogError) {
        self.failed.store(true, Ordering::Relaxed);
        if error.is_full() {
            self.full.store(true, Ordering::Relaxed);
        }
    }

    /// The tables take writes again.
    pub(super) fn mended(&self) {
        self.failed.store(false, Ordering::Relaxed);
        self.full.store(false, Ordering::Relaxed);
    }
}

/// Bytes that this process may still write where `folder` is.
///
/// # Errors
/// What the system says.
pub fn free_bytes(folder: &Path) -> Result<u64, Error> {
    let found = rustix::fs::statvfs(folder)?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

/// Whether an error says that there is no room.
#[must_use]
pub fn is_no_room(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserve_larger_than_the_disk_is_said_and_a_failed_write_asks_for_more() {
        let dir = tempfile::tempdir().unwrap();
        let room = Room::new(1 << 62);
        let error = room.check(dir.path()).unwrap_err();
        assert!(room.is_full() && error.is_full());
        assert!(error.to_string().contains("storage.min_free"), "{error}");
        let room = Room::new(0);
        room.check(dir.path()).unwrap();
        room.fail(&LogError::io(dir.path())(Error::from(ErrorKind::StorageFull)));
        assert!(room.is_full() && room.has_failed());
        room.check(dir.path()).unwrap();
        room.mended();
        assert!(!room.is_full() && !room.has_failed());
    }
}
