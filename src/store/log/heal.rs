//! Writing again after a write has failed: fjall takes no more then, so the tables are opened anew, in the running process.
//!
//! What a failed write left in the journal was not acknowledged and is cut off, so that nobody who sends it again has it
//! twice. A batch that is whole in the journal and whose sync failed is kept: it may be on the disk.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use fjall::OwnedWriteBatch;

use super::EventLog;
use super::error::LogError;
use super::journal::{self, Journal};
use super::open::tail_spans;
use super::tables::Tables;

/// How long readers of the old tables may take to be done.
const READERS: Duration = Duration::from_secs(5);

const GLANCE: Duration = Duration::from_millis(1);

impl EventLog {
    /// The tables.
    ///
    /// # Errors
    /// [`LogError::Reopening`] for the moment in which they are opened anew.
    pub(super) fn tables(&self) -> Result<Arc<Tables>, LogError> {
        self.tables.read().clone().ok_or(LogError::Reopening)
    }

    /// Whether there was no room on the disk at the last look, or a write has failed: nothing is taken in.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.room.is_full() || self.room.has_failed()
    }

    /// Looks whether something can be written, and makes the tables take writes again where a write has failed.
    ///
    /// # Errors
    /// [`LogError::Full`] while there is no room; what keeps the tables from being opened.
    pub fn make_writable(&self) -> Result<(), LogError> {
        self.room.check(self.folder.root())?;
        if !self.room.has_failed() {
            return Ok(());
        }
        let _healing = self.healing.lock();
        if self.room.has_failed() {
            self.reopen()?;
            self.room.mended();
            tracing::warn!(folder = %self.folder.root().display(), "the log takes writes again after one has failed");
        }
        Ok(())
    }

    /// Commits what was prepared, and remembers where that fails.
    pub(super) fn commit(&self, write: OwnedWriteBatch) -> Result<(), LogError> {
        write.commit().map_err(|error| {
            let error = LogError::from(error);
            self.room.fail(&error);
            self.plainly(error)
        })
    }

    /// The error, in plain words where it comes of a full disk.
    pub(super) fn plainly(&self, error: LogError) -> LogError {
        if error.is_full() { self.room.full(self.folder.root()) } else { error }
    }

    fn reopen(&self) -> Result<(), LogError> {
        let folder = self.folder.tables();
        if let Some(old) = self.tables.write().take() {
            // Nothing moves in the journals since the failure. Closing them writes what was still held back.
            let ends = ends(&folder)?;
            if let Err(old) = close(old) {
                *self.tables.write() = Some(old);
                return Err(LogError::Reopening);
            }
            cut(&folder, &ends)?;
        }
        let tables = Tables::open(&folder)?;
        let sealed_to = self.list.read().sealed_to();
        let rows = tail_spans(&tables)?;
        let events = rows.iter().filter(|row| row.last > sealed_to).map(|row| row.events).sum();
        self.tail_events.store(events, Ordering::Release);
        if let Some(row) = rows.last() {
            self.last.fetch_max(row.last, Ordering::AcqRel);
        }
        *self.tables.write() = Some(Arc::new(tables));
        Ok(())
    }
}

/// Where the whole batches of each journal end.
fn ends(tables: &Path) -> Result<HashMap<PathBuf, u64>, LogError> {
    let journals = journal::read_all(tables)?;
    Ok(journals.iter().map(|journal| (journal.path.clone(), end_of(journal))).collect())
}

/// Closes the tables once nobody reads them; gives them back where somebody still does.
fn close(tables: Arc<Tables>) -> Result<(), Arc<Tables>> {
    let until = Instant::now() + READERS;
    while Arc::strong_count(&tables) > 1 {
        if Instant::now() >= until {
            return Err(tables);
        }
        std::thread::sleep(GLANCE);
    }
    drop(tables);
    Ok(())
}

/// Cuts the journals off behind what was whole in them, where something came behind it.
fn cut(folder: &Path, ends: &HashMap<PathBuf, u64>) -> Result<(), LogError> {
    for journal in journal::read_all(folder)? {
        let Some(&end) = ends.get(&journal.path) else { continue };
        if journal.torn.is_empty() && end_of(&journal) <= end {
            continue;
        }
        let file = File::options().write(true).open(&journal.path).map_err(LogError::io(&journal.path))?;
        file.set_len(end).and_then(|()| file.sync_all()).map_err(LogError::io(&journal.path))?;
    }
    Ok(())
}

fn end_of(journal: &Journal) -> u64 {
    journal.batches.last().map_or(0, |batch| batch.end) as u64
}
