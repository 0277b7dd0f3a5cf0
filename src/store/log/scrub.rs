//! Making fjall drop the bytes of what was removed or overwritten.
//!
//! fjall keeps them in three places: its journal, which it leaves for a new one only when 64 MB are written and all that
//! is in it has gone to the tables; the tables' files, until they are merged; and the memory that becomes such files. It has
//! no call for the first. So the journal is filled up with rows of a table of its own until fjall begins a new one; then
//! every table's memory is written out, which lets the old journals go, and the tables that hold what users did are merged
//! whole. What was there before is waited for until it is gone: files are named by a number that is not given twice.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fjall::Keyspace;

use super::EventLog;
use super::error::LogError;
use super::tables::Tables;

/// The bytes of one row of filler.
const FILLER: usize = 1 << 20;

/// Rows of filler, together more than the 64 MB at which fjall leaves a journal.
const ROWS: usize = 65;

/// A key that no table has: longer than any id, and no text.
const NO_KEY: [u8; 300] = [0xff; 300];

/// How long fjall may take to let old files go.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks at its files.
const AGAIN: Duration = Duration::from_millis(10);

impl EventLog {
    /// Makes everything that is removed or overwritten by now leave fjall's files. Appends go on; replays wait, since what
    /// they look at is kept for them.
    pub(super) fn scrub(&self) -> Result<(), LogError> {
        let _alone = self.reading.write();
        let tables = self.tables()?;
        let mut old = files(tables.folder(), "jnl")?;
        fail::fail_point!("scrub.begin");
        // A write that fails is remembered, as one of an event's would be.
        let failed = |error| {
            let error = tables.failed(error);
            self.room.fail(&error);
            error
        };
        for _ in 0..ROWS {
            tables.filler.insert("filler", vec![b'-'; FILLER]).map_err(failed)?;
        }
        tables.filler.remove("filler").map_err(failed)?;
        fail::fail_point!("scrub.filled");
        for (_, table) in tables.all() {
            write_out(&tables, table)?;
        }
        write_out(&tables, &tables.filler)?;
        fail::fail_point!("scrub.written_out");
        let merged = [&tables.tail, &tables.erased, &tables.notes, &tables.filler];
        for table in merged {
            old.extend(files(&table.path().join("tables"), "")?);
        }
        let begun = Instant::now();
        loop {
            let mut left = false;
            for table in merged {
                let folder = table.path().join("tables");
                let files_left = old.iter().any(|path| path.starts_with(&folder) && path.exists());
                if files_left || (table.name() != tables.filler.name() && holds_more(&tables, table)?) {
                    left = true;
                    write_out(&tables, table)?;
                    table.major_compact().map_err(|e| tables.failed(e))?;
                }
            }
            if !left && !old.iter().any(|path| path.exists()) {
                break;
            }
            if begun.elapsed() > PATIENCE {
                let left: Vec<String> = old.iter().filter(|p| p.exists()).map(|p| p.display().to_string()).collect();
                let late = std::io::Error::other(format!("these files of before did not go: {}", left.join(", ")));
                return Err(LogError::io(tables.folder())(late));
            }
            if old.iter().any(|path| path.extension().is_some_and(|ext| ext == "jnl") && path.exists()) {
                write_nothing(&tables).inspect_err(|error| self.room.fail(error))?;
            }
            // A written row and its way to a file make fjall look through what it keeps.
            tables.filler.insert("filler", "").map_err(failed)?;
            write_out(&tables, &tables.filler)?;
            std::thread::sleep(AGAIN);
        }
        fail::fail_point!("scrub.done");
        Ok(())
    }
}

/// Gives every table a file that says that a row which never was is gone. A journal goes when each table has files of as
/// late a number, and one whose rows are all gone, its files merged away, has none.
fn write_nothing(tables: &Tables) -> Result<(), LogError> {
    for (_, table) in tables.all() {
        table.remove(NO_KEY).map_err(|e| tables.failed(e))?;
        write_out(tables, table)?;
    }
    Ok(())
}

/// Whether a table's files hold more than its rows: older values, or marks of what was removed. A snapshot that was open
/// while they were merged leaves such.
fn holds_more(tables: &Tables, table: &Keyspace) -> Result<bool, LogError> {
    let entries = table.approximate_len();
    Ok(entries > table.len().map_err(|e| tables.failed(e))?)
}

/// Writes a table's rows from memory to files, and waits for it.
fn write_out(tables: &Tables, table: &Keyspace) -> Result<(), LogError> {
    table.rotate_memtable().map_err(|e| tables.failed(e))?;
    let begun = Instant::now();
    while table.sealed_memtable_count() > 0 {
        if begun.elapsed() > PATIENCE {
            let late = std::io::Error::other("the tables were not written out in time");
            return Err(LogError::io(tables.folder())(late));
        }
        std::thread::sleep(AGAIN);
    }
    Ok(())
}

/// The files of a folder with the extension `ext`; all of them where it is empty.
fn files(folder: &Path, ext: &str) -> Result<Vec<PathBuf>, LogError> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(LogError::io(folder))? {
        let path = entry.map_err(LogError::io(folder))?.path();
        if ext.is_empty() || path.extension() == Some(&OsString::from(ext)) {
            found.push(path);
        }
    }
    Ok(found)
}
