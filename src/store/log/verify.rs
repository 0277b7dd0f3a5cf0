//! Reading everything without changing anything: what `ouzel doctor` says of the log.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use fjall::Readable;

use super::error::LogError;
use super::folder::Folder;
use super::journal;
use super::list::{Segment, SegmentList};
use super::mark::{self, Marked};
use super::open::tail_spans;
use super::segment::SegmentReader;
use super::tables::{Tables, check_row};

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The file or folder.
    pub file: PathBuf,
    /// What is wrong.
    pub problem: String,
    /// Whether the next start deals with it by itself; otherwise it stops until a repair.
    pub harmless: bool,
}

/// What a look at the whole log found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// What is wrong; empty for a whole log.
    pub findings: Vec<Finding>,
    /// Sealed segments.
    pub segments: usize,
    /// Events in segments and tail that could be read.
    pub events: u64,
    /// The last record, as far as it could be told.
    pub last_seq: u64,
}

impl VerifyReport {
    /// Whether the log would open.
    #[must_use]
    pub fn opens(&self) -> bool {
        self.findings.iter().all(|finding| finding.harmless)
    }

    fn add(&mut self, file: &Path, problem: impl Into<String>, harmless: bool) {
        self.findings.push(Finding { file: file.to_owned(), problem: problem.into(), harmless });
    }

    /// Takes damage in as a finding; any other error stops the look.
    fn take(&mut self, error: LogError) -> Result<(), LogError> {
        match error {
            LogError::Damaged { file, reason } => self.add(&file, reason, false),
            other => return Err(other),
        }
        Ok(())
    }
}

/// Reads every segment with its SHA-256 and every row of every table of the log in `dir`, and changes nothing. A torn end
/// of a journal is left for the next start to cut, and the tables are then not looked into.
///
/// # Errors
/// [`LogError::Locked`] while a service has the folder, [`LogError::Format`], [`LogError::Io`] or [`LogError::Tables`].
pub fn verify(dir: &Path) -> Result<VerifyReport, LogError> {
    let folder = Folder::new(dir);
    let mut report = VerifyReport::default();
    if !folder.root().exists() {
        return Ok(report);
    }
    let _lock = folder.lock()?;
    if let Err(error) = folder.check_format() {
        report.take(error)?;
    }
    let list = match SegmentList::load(&folder.list()) {
        Ok(list) => list,
        Err(error) => {
            report.take(error)?;
            return Ok(report);
        }
    };
    report.segments = list.segments.len();
    for segment in &list.segments {
        match read_whole(&folder.segments(), segment) {
            Ok(rows) => report.events += rows,
            Err(error) => report.take(error)?,
        }
    }
    let journals = journal::read_all(&folder.tables())?;
    if let Some((file, reason)) = journal::damage(&journals) {
        report.add(&file, reason, false);
        return Ok(report);
    }
    let torn = journals.iter().filter(|journal| !journal.torn.is_empty()).collect::<Vec<_>>();
    for journal in &torn {
        let bytes = journal.torn.len();
        report.add(&journal.path, format!("its last {bytes} bytes are torn, the next start cuts them"), true);
    }
    if torn.is_empty() && folder.tables().exists() {
        verify_tables(&folder, &list, &mut report)?;
    }
    Ok(report)
}

fn verify_tables(folder: &Folder, list: &SegmentList, report: &mut VerifyReport) -> Result<(), LogError> {
    let tables = match Tables::open(&folder.tables()) {
        Ok(tables) => tables,
        Err(error) => return report.take(error),
    };
    let mut whole = true;
    for (name, table) in tables.all() {
        for guard in tables.db.snapshot().iter(table) {
            let checked = tables.pair(guard).and_then(|(key, value)| {
                check_row(name, &key, &value).map_err(|why| tables.bad_row(name, &hex::encode(&key), &why))
            });
            if let Err(error) = checked {
                report.take(error)?;
                whole = false;
                break;
            }
        }
    }
    if !whole {
        return Ok(());
    }
    let spans = tail_spans(&tables)?;
    report.events += spans.iter().filter(|row| row.last > list.sealed_to()).map(|row| row.events).sum::<u64>();
    let marked = mark::read(&folder.mark())?;
    if marked == Marked::Unreadable {
        report.add(&folder.mark(), "the high-water mark cannot be read, the next start writes it anew", true);
    }
    match list.coverage(&spans.iter().map(|row| (row.first, row.last)).collect::<Vec<_>>(), marked.seq()) {
        Ok(last) => report.last_seq = last,
        Err((first, last)) => {
            report.add(folder.root(), format!("records {first} to {last} were acknowledged and are missing"), false);
        }
    }
    Ok(())
}

/// Reads a segment to its end: sums, rows, numbers in order. Gives its events.
pub(super) fn read_whole(folder: &Path, segment: &Segment) -> Result<u64, LogError> {
    SegmentReader::check_sha256(folder, segment)?;
    let (mut rows, mut before, mut wrong) = (0, segment.first.saturating_sub(1), None);
    let flow = SegmentReader::open(folder, segment)?.each(&mut |seq, _, _| {
        if seq <= before || seq > segment.last {
            wrong = Some(seq);
            return ControlFlow::Break(());
        }
        before = seq;
        rows += 1;
        ControlFlow::Continue(())
    })?;
    if flow.is_break() || rows != segment.rows {
        let reason = wrong.map_or_else(
            || format!("it has {rows} events, the list says {}", segment.rows),
            |seq| format!("record {seq} is out of order"),
        );
        return Err(LogError::damaged(&folder.join(&segment.file), reason));
    }
    Ok(rows)
}
