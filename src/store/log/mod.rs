//! The event log: what was acknowledged is in it, whatever happens to the process.
//!
//! **Writing.** A batch of events, item changes and erasures is one atomic write to fjall's journal, synced before
//! [`EventLog::append`] returns, together with the Kafka offsets it came from, the ids by which a second sending is known
//! and the mark of an import. Each record has a number (`seq`), dense from 1. Events stand in the *tail*, one row per
//! batch; item data and erasures have tables of their own, the latest state each.
//!
//! **Sealing.** [`EventLog::seal`] writes the tail's events into a Parquet segment and syncs it; then replaces
//! `segments.json` in one step, which is the moment the segment belongs to the log; only then drops the tail's rows. A
//! crash in between leaves an unlisted file, which the next start deletes, or rows that a listed segment covers, which it
//! skips and removes. [`EventLog::bulk_import`] writes segments without the detour over the tail.
//!
//! **Reading.** [`EventLog::replay`] gives all records behind a number in order: events from segments and tail, item data
//! and erasures from their tables at the number of their last change. Events of a user erased later are left out.
//!
//! **Erasing.** From its record on an erased user's events are left out of every reading. [`EventLog::rewrite`] then takes
//! their bytes out of the files: the tail is sealed without them, segments that hold them are replaced one by one (the new
//! file first, then the list, then the old file goes), and fjall is made to drop its journal and old tables (`scrub`). Killed
//! anywhere, the erasures still wait and all of it is done again.
//!
//! **No room.** Before each write the disk is looked at (`room`): with less than `min_free` left nothing is written. Where a
//! write fails all the same, what it left is cut off and the tables are opened anew once there is room (`heal`).
//!
//! **Damage.** fjall ends its journal at the first entry it cannot read. Before it is opened the journals are therefore
//! looked through (`journal`): a torn end is cut, kept aside until it is clear that nothing of it was acknowledged (`mark`),
//! and said; damage with whole records behind it, a wrong checksum of a row or segment and a hole in the numbers stop the
//! start, named. [`repair`] sets damaged parts aside in `quarantine/` and writes the accepted gap into `segments.json`.

mod append;
pub mod batch;
mod bulk;
mod codec;
mod erased;
mod error;
mod folder;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod heal;
mod journal;
mod keep;
mod list;
mod mark;
mod open;
mod record;
mod repair;
mod replay;
mod rewrite;
mod room;
mod scrub;
mod seal;
mod segment;
mod states;
mod tables;
mod verify;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};

pub use bulk::BulkImport;
pub use error::LogError;
pub use list::{Gap, Segment};
pub use open::Recovery;
pub use record::{Appended, Change, LogRecord, Outcome};
pub use repair::{RepairReport, repair};
pub use room::{free_bytes, is_no_room};
pub use verify::{Finding as VerifyFinding, VerifyReport, verify};

use crate::model::erasure::Erasures;
use crate::model::manifest::PartitionOffset;
use folder::Folder;
use list::SegmentList;
use mark::Mark;
use room::Room;
use tables::Tables;

/// How the log works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogOptions {
    /// Events in the tail from which on sealing is due.
    pub seal_events: u64,
    /// How long an event's id is remembered, in milliseconds of arrival.
    pub dedup_window_ms: i64,
    /// Bytes that are left free on the disk.
    pub min_free: u64,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self { seal_events: 100_000, dedup_window_ms: 7 * 24 * 3600 * 1000, min_free: 0 }
    }
}

/// The event log of one data folder, open; nobody else can open the folder until this is dropped.
///
/// One writer at a time goes in; readers see what was written before they began. A panic of a caller leaves it usable.
pub struct EventLog {
    // Dropped in this order: the lock last.
    /// None for the moment in which they are opened anew.
    tables: RwLock<Option<Arc<Tables>>>,
    healing: Mutex<()>,
    room: Room,
    writer: Mutex<Writer>,
    list: RwLock<Arc<SegmentList>>,
    last: AtomicU64,
    tail_events: AtomicU64,
    options: LogOptions,
    erasures: Arc<Erasures>,
    /// Held by those who read whole files, and alone by who takes files away.
    reading: RwLock<()>,
    folder: Folder,
    _lock: File,
}

/// What only the writer needs.
struct Writer {
    mark: Mark,
}

impl std::fmt::Debug for EventLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventLog").field("folder", &self.folder.root()).field("last_seq", &self.last_seq()).finish()
    }
}

impl EventLog {
    /// Opens the log in the data folder `dir`, which is made where it is missing, checks it and says what was found.
    ///
    /// # Errors
    /// [`LogError::Locked`] while another process has the folder, [`LogError::Format`] for a later build's folder,
    /// [`LogError::Damaged`] and [`LogError::Missing`] for what [`repair`] would set aside, and failed file operations.
    pub fn open(dir: &Path, options: LogOptions) -> Result<(Self, Recovery), LogError> {
        open::open(&Folder::new(dir), options)
    }

    /// The last record, 0 before the first.
    #[must_use]
    pub fn last_seq(&self) -> u64 {
        self.last.load(Ordering::Acquire)
    }

    /// The data folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.folder.root()
    }

    /// The sealed segments, in order.
    #[must_use]
    pub fn segments(&self) -> Vec<Segment> {
        self.list.read().segments.clone()
    }

    /// Where a segment's file is.
    #[must_use]
    pub fn segment_path(&self, segment: &Segment) -> std::path::PathBuf {
        self.folder.segments().join(&segment.file)
    }

    /// The records that are lost and whose loss was accepted.
    #[must_use]
    pub fn gaps(&self) -> Vec<Gap> {
        self.list.read().gaps.clone()
    }

    /// Where the next record of each Kafka partition is, by topic and partition.
    ///
    /// # Errors
    /// [`LogError::Damaged`] or [`LogError::Tables`].
    pub fn offsets(&self) -> Result<Vec<PartitionOffset>, LogError> {
        self.tables()?.offsets()
    }

    /// Events in the tail.
    #[must_use]
    pub fn tail_events(&self) -> u64 {
        self.tail_events.load(Ordering::Acquire)
    }

    /// Whether the tail holds enough for a segment.
    #[must_use]
    pub fn seal_due(&self) -> bool {
        self.tail_events() >= self.options.seal_events.max(1)
    }
}
