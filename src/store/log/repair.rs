//! Setting damage aside, so that the log opens with all that is whole.
//!
//! Nothing is thrown away: damaged files, stretches and rows go to `quarantine/`. The records lost with them become
//! accepted gaps in `segments.json`, which every later start names.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use fjall::Readable;

use super::erased;
use super::error::LogError;
use super::folder::{Folder, aside, sync_folder, write_whole};
use super::journal::{self, Journal};
use super::list::{Gap, SegmentList};
use super::mark;
use super::open::tail_spans;
use super::segment::SegmentReader;
use super::tables::{Tables, check_row, offset_key};
use super::verify::read_whole;

/// What a repair did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RepairReport {
    /// What was moved or copied to the quarantine, by its new path.
    pub set_aside: Vec<PathBuf>,
    /// Records that are lost; the next starts say so.
    pub missing: Vec<Gap>,
    /// A sentence for each thing done.
    pub notes: Vec<String>,
}

/// Sets everything damaged in the log of `dir` aside; a whole log is left as it is.
///
/// # Errors
/// [`LogError::Locked`] while a service has the folder, [`LogError::Format`], or a failed file operation; then it may be
/// run again.
pub fn repair(dir: &Path) -> Result<RepairReport, LogError> {
    let folder = Folder::new(dir);
    let _lock = folder.lock()?;
    let mut repair = Repair { folder, report: RepairReport::default() };
    repair.format()?;
    let mut list = repair.list()?;
    let lost = repair.segments(&mut list)?;
    let journals = repair.journals()?;
    repair.version(&journals)?;
    let tables = repair.tables(&list)?;
    repair.rows(&tables)?;
    repair.forget_imports(&tables, &list, &lost)?;
    repair.accept_gaps(&tables, &mut list)?;
    list.save(&repair.folder.list())?;
    Ok(repair.report)
}

struct Repair {
    folder: Folder,
    report: RepairReport,
}

impl Repair {
    fn note(&mut self, text: String) {
        tracing::warn!(folder = %self.folder.root().display(), "{text}");
        self.report.notes.push(text);
    }

    fn set_aside(&mut self, path: &Path) -> Result<(), LogError> {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("file");
        let to = aside(&self.folder, name)?;
        std::fs::rename(path, &to).map_err(LogError::io(path))?;
        sync_folder(&self.folder.quarantine())?;
        self.note(format!("{} was moved to {}", path.display(), to.display()));
        self.report.set_aside.push(to);
        Ok(())
    }

    fn keep_bytes(&mut self, name: &str, bytes: &[u8]) -> Result<(), LogError> {
        let to = aside(&self.folder, name)?;
        write_whole(&to, bytes)?;
        self.report.set_aside.push(to);
        Ok(())
    }

    fn format(&mut self) -> Result<(), LogError> {
        match self.folder.check_format() {
            Err(LogError::Damaged { file, .. }) => {
                if file.exists() {
                    self.set_aside(&file)?;
                }
                self.note(format!("{} was missing or damaged and was written anew", file.display()));
                // The first one: the next start brings what is of it, if anything is, to this build's.
                write_whole(&file, b"1\n")
            }
            other => other.map(|_| ()),
        }
    }

    /// The list; a damaged one is made anew of what the segment files say of themselves.
    fn list(&mut self) -> Result<SegmentList, LogError> {
        let path = self.folder.list();
        match SegmentList::load(&path) {
            Err(LogError::Damaged { .. }) => self.set_aside(&path)?,
            Ok(list) if !list.segments.is_empty() || path.exists() => return Ok(list),
            other => {
                other?;
            }
        }
        let mut list = SegmentList::default();
        for path in files(&self.folder.segments())? {
            if path.extension().is_none_or(|ext| ext != "parquet") {
                continue;
            }
            match SegmentReader::open_unlisted(&path).and_then(|reader| reader.entry()) {
                Ok(segment) => list.segments.push(segment),
                Err(LogError::Damaged { .. }) => self.set_aside(&path)?,
                Err(other) => return Err(other),
            }
        }
        // Of one that was rewritten and the one before it, which a crash left, the later counts.
        list.segments.sort_by(|a, b| (a.first, &a.file).cmp(&(b.first, &b.file)));
        list.segments.reverse();
        list.segments.dedup_by_key(|segment| segment.first);
        list.segments.reverse();
        self.note(format!("the list of segments was made anew of {} files", list.segments.len()));
        Ok(list)
    }

    /// Takes damaged segments off the list; gives them.
    fn segments(&mut self, list: &mut SegmentList) -> Result<Vec<super::Segment>, LogError> {
        let folder = self.folder.segments();
        let mut lost = Vec::new();
        for segment in std::mem::take(&mut list.segments) {
            match read_whole(&folder, &segment) {
                Ok(_) => list.segments.push(segment),
                Err(LogError::Damaged { file, reason }) => {
                    list.gaps.push(Gap { first: segment.first, last: segment.last, reason: reason.clone() });
                    self.note(format!("{}: {reason}", file.display()));
                    if file.exists() {
                        self.set_aside(&file)?;
                    }
                    self.report.missing.extend(list.gaps.last().cloned());
                    lost.push(segment);
                }
                Err(other) => return Err(other),
            }
        }
        list.gaps.sort_by_key(|gap| gap.first);
        Ok(lost)
    }

    /// Keeps a copy of each journal that is damaged or torn and leaves only its whole records in it. Gives the journals as
    /// they were found.
    fn journals(&mut self) -> Result<Vec<Journal>, LogError> {
        let journals = journal::read_all(&self.folder.tables())?;
        for journal in &journals {
            if journal.damaged.is_empty() && journal.torn.is_empty() {
                continue;
            }
            let bytes = std::fs::read(&journal.path).map_err(LogError::io(&journal.path))?;
            let used = journal.torn.end.max(journal.batches.last().map_or(0, |batch| batch.end));
            let name = journal.path.file_name().and_then(|name| name.to_str()).unwrap_or("journal");
            self.keep_bytes(name, bytes.get(..used).unwrap_or(&bytes))?;
            let whole: Vec<u8> =
                journal.batches.iter().filter_map(|batch| bytes.get(batch.clone())).flatten().copied().collect();
            write_whole(&journal.path, &whole)?;
            let bad: usize = journal.damaged.iter().chain([&journal.torn]).map(ExactSizeIterator::len).sum();
            self.note(format!("{bad} unreadable bytes were taken out of {}", journal.path.display()));
        }
        Ok(journals)
    }

    /// Writes the small file anew that names fjall's format, where the journals are in that format.
    fn version(&mut self, journals: &[Journal]) -> Result<(), LogError> {
        let path = self.folder.tables().join("version");
        let known = journals.iter().any(|journal| !journal.batches.is_empty());
        if known && path.exists() && std::fs::read(&path).map_err(LogError::io(&path))? != journal::MAGIC {
            self.set_aside(&path)?;
            write_whole(&path, &journal::MAGIC)?;
            self.note(format!("{} was written anew", path.display()));
        }
        Ok(())
    }

    /// Opens the tables. Those that cannot be opened or read to the end are replaced by new ones with what could be read.
    fn tables(&mut self, list: &SegmentList) -> Result<Tables, LogError> {
        let path = self.folder.tables();
        let opened = match Tables::open(&path) {
            Ok(tables) if readable(&tables) => return Ok(tables),
            Ok(tables) => Some(tables),
            Err(LogError::Damaged { reason, .. }) => {
                self.note(reason);
                None
            }
            Err(other) => return Err(other),
        };
        let beside = self.folder.root().join("tables.new");
        if beside.exists() {
            std::fs::remove_dir_all(&beside).map_err(LogError::io(&beside))?;
        }
        let fresh = Tables::open(&beside)?;
        if let Some(old) = &opened {
            salvage(old, &fresh)?;
        }
        let mut write = fresh.durable();
        for offset in list.segments.last().map(|segment| &segment.offsets).into_iter().flatten() {
            if fresh.next_offset(&offset.topic, offset.partition)?.is_none_or(|known| known < offset.next) {
                write.insert(&fresh.offsets, offset_key(&offset.topic, offset.partition), offset.next.to_le_bytes());
            }
        }
        write.commit()?;
        drop((opened, fresh));
        self.set_aside(&path)?;
        std::fs::rename(&beside, &path).map_err(LogError::io(&path))?;
        sync_folder(self.folder.root())?;
        let lost = "item data, erasures, runs and known event ids may be lost with the tail";
        self.note(format!("the tables were made anew of the rows that could be read; {lost}"));
        Tables::open(&path)
    }

    /// Moves rows that are not what their table should hold into files.
    fn rows(&mut self, tables: &Tables) -> Result<(), LogError> {
        let mut write = tables.durable();
        for (name, table) in tables.all() {
            for guard in tables.db.snapshot().iter(table) {
                let (key, value) = tables.pair(guard)?;
                let Err(why) = check_row(name, &key, &value) else { continue };
                let row = hex::encode(&key);
                self.keep_bytes(&format!("{name}-{}", row.get(..64).unwrap_or(&row)), &value)?;
                self.note(format!("row {row} of table {name} was taken out: {why}"));
                write.remove(table, key);
            }
        }
        write.commit()?;
        if erased::has_key(tables) {
            return Ok(());
        }
        let mut write = tables.durable();
        for guard in tables.db.snapshot().iter(&tables.erased) {
            let (key, value) = tables.pair(guard)?;
            if erased::is_hashed(&value) {
                self.keep_bytes(&format!("erased-{}", hex::encode(&key)), &value)?;
                self.note(
                    "the key of an erasure is lost, and with it whom it was of: erase again whoever asked".into(),
                );
                write.remove(&tables.erased, key);
            }
        }
        Ok(write.commit()?)
    }

    /// Lets a file be imported again from where its lost segments began, if none of its later ones is there.
    fn forget_imports(&mut self, tables: &Tables, list: &SegmentList, lost: &[super::Segment]) -> Result<(), LogError> {
        for segment in lost {
            let Some(mark) = &segment.import else { continue };
            let others = list.segments.iter().filter_map(|other| other.import.as_ref().zip(Some(other.first)));
            let same: Vec<_> = others.filter(|(other, _)| other.content == mark.content).collect();
            if same.iter().any(|&(_, first)| first > segment.first) {
                self.note(format!("lines up to {} of an imported file are lost in part", mark.lines_done));
                continue;
            }
            let mut write = tables.durable();
            match same.last() {
                Some((before, _)) => {
                    let json = serde_json::to_vec(before).map_err(|e| LogError::Batch(e.to_string()))?;
                    write.insert(&tables.imports, mark.content.as_bytes(), json);
                }
                None => write.remove(&tables.imports, mark.content.as_bytes()),
            }
            write.commit()?;
            self.note(format!("the imported file {} may be imported again to fill the gap", mark.content));
        }
        Ok(())
    }

    /// Writes every hole that is left into the list.
    fn accept_gaps(&mut self, tables: &Tables, list: &mut SegmentList) -> Result<(), LogError> {
        let spans: Vec<(u64, u64)> = tail_spans(tables)?.iter().map(|row| (row.first, row.last)).collect();
        let acknowledged = mark::read(&self.folder.mark())?.seq();
        while let Err((first, last)) = list.coverage(&spans, acknowledged) {
            let gap = Gap { first, last, reason: "these records were nowhere to be found".to_owned() };
            self.note(format!("records {first} to {last} are lost"));
            self.report.missing.push(gap.clone());
            list.gaps.push(gap);
            list.gaps.sort_by_key(|gap| gap.first);
        }
        Ok(())
    }
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, LogError> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let entries = std::fs::read_dir(folder).map_err(LogError::io(folder))?;
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry.map_err(LogError::io(folder))?.path());
    }
    paths.sort();
    Ok(paths)
}

/// Whether every row of every table can be read.
fn readable(tables: &Tables) -> bool {
    tables.all().iter().all(|(_, table)| table.iter().all(|guard| guard.into_inner().is_ok()))
}

/// Copies what can be read: from the front up to the first unreadable row, then from the back.
fn salvage(old: &Tables, fresh: &Tables) -> Result<(), LogError> {
    for ((_, from), (_, to)) in old.all().into_iter().zip(fresh.all()) {
        let copy = |guard: fjall::Guard| -> Result<ControlFlow<()>, LogError> {
            let Ok((key, value)) = guard.into_inner() else { return Ok(ControlFlow::Break(())) };
            let mut write = fresh.buffered();
            write.insert(to, key, value);
            write.commit()?;
            Ok(ControlFlow::Continue(()))
        };
        let mut broken = false;
        for guard in from.iter() {
            broken = copy(guard)?.is_break();
            if broken {
                break;
            }
        }
        if broken {
            for guard in from.iter().rev() {
                if copy(guard)?.is_break() {
                    break;
                }
            }
        }
    }
    Ok(())
}
