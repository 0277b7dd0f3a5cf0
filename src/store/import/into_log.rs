//! A file into the log of a stopped service: straight into segments, resumed where it was left, once only.

use std::path::Path;

use sha2::{Digest, Sha256};

use super::error::{BadLine, ImportError, LineError};
use super::source::{ImportFormat, Source, Times};
use crate::model::event::Event;
use crate::store::add_to_sum;
use crate::store::log::EventLog;

/// Bad lines that a report names; all are counted.
const NAMED: usize = 100;

/// Lines between two calls of the progress.
const STEP: u64 = 8192;

/// How a file is imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImportOptions {
    /// Stops at the first bad line, with nothing of its batch added.
    pub strict: bool,
    /// Now, milliseconds of the epoch: the events' arrival.
    pub now_ms: i64,
    /// Events in a segment.
    pub segment_events: u64,
}

impl ImportOptions {
    /// Not strict, a million events to a segment.
    #[must_use]
    pub const fn new(now_ms: i64) -> Self {
        Self { strict: false, now_ms, segment_events: 1_000_000 }
    }
}

/// How far an import is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ImportProgress {
    /// Bytes of the file that are read.
    pub bytes_read: u64,
    /// The file's length.
    pub bytes: u64,
    /// Events read, new or known.
    pub rows: u64,
    /// Bad lines.
    pub bad: u64,
}

/// What an import did.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct ImportReport {
    /// Events read: new and known ones.
    pub rows: u64,
    /// Events that were added.
    pub accepted: u64,
    /// Events that were in the log already.
    pub duplicates: u64,
    /// The first hundred bad lines.
    pub bad: Vec<BadLine>,
    /// How many lines are bad.
    pub bad_lines: u64,
    /// Whether the file is in the log to its end.
    pub complete: bool,
}

/// The SHA-256 of a file's bytes, in hexadecimal: what an import is known by.
///
/// # Errors
/// [`ImportError::Io`].
pub fn content_hash(path: &Path, name: &str) -> Result<String, ImportError> {
    let mut file = std::fs::File::open(path).map_err(ImportError::io(name))?;
    let mut sum = Sha256::new();
    add_to_sum(&mut sum, &mut file).map_err(ImportError::io(name))?;
    Ok(hex::encode(sum.finalize()))
}

/// Brings the local file `path`, which messages call `name`, into the log. A file with the same bytes is brought in once:
/// a second time adds nothing, and an import that was stopped midway goes on behind its last segment. Lines known already
/// are read again and counted as duplicates; bad ones are named again.
///
/// # Errors
/// [`ImportError::Strict`] at the first bad line where none is allowed; [`ImportError::Io`] and [`ImportError::Form`] for
/// the file (what was read before a broken end is not added beyond whole segments), [`ImportError::Log`] for the log.
pub fn import(
    log: &EventLog,
    path: &Path,
    name: &str,
    format: ImportFormat,
    options: ImportOptions,
    progress: &dyn Fn(ImportProgress),
) -> Result<ImportReport, ImportError> {
    let content = content_hash(path, name)?;
    let mut source = Source::open(path, name, format, Times::Checked { now_ms: options.now_ms })?;
    let mark = log.import_mark(&content)?;
    // Without a mark nothing of the file came in any way, and no line has to be looked for.
    let perhaps_sent = mark.is_some();
    let mark = mark.unwrap_or_default();
    let done = if mark.complete { u64::MAX } else { mark.lines_done };
    let mut bulk = if mark.complete { None } else { Some(log.bulk_import(&content, options.now_ms)?) };
    let (mut report, mut pending_from) = (ImportReport::default(), 0);
    let (mut last_line, mut lines) = (mark.lines_done, 0_u64);
    let mut events: Vec<Event> = Vec::new();
    loop {
        events.clear();
        let line = match source.next_line(&mut events) {
            None => break,
            Some(Ok(line)) => line,
            Some(Err(LineError::Failed(error))) => return Err(error),
            Some(Err(LineError::Bad(bad))) if options.strict => {
                return Err(ImportError::Strict { name: name.to_owned(), bad, accepted: pending_from });
            }
            Some(Err(LineError::Bad(bad))) => {
                let line = bad.line;
                report.bad_lines += 1;
                if report.bad.len() < NAMED {
                    report.bad.push(bad);
                }
                line
            }
        };
        report.rows += events.len() as u64;
        last_line = last_line.max(line);
        match &mut bulk {
            Some(bulk) if line > done => {
                for (place, event) in events.iter().enumerate() {
                    let sent = perhaps_sent && event.id.is_none() && bulk.was_sent(line, place)?;
                    if !sent && bulk.push(event)? {
                        report.accepted += 1;
                    } else {
                        report.duplicates += 1;
                    }
                }
                if bulk.pending() >= options.segment_events.max(1) {
                    bulk.commit(line, false)?;
                    pending_from = report.accepted;
                }
            }
            _ => report.duplicates += events.len() as u64,
        }
        lines += 1;
        if lines % STEP == 0 {
            progress(at(&source, &report));
        }
    }
    if let Some(bulk) = &mut bulk {
        bulk.commit(last_line, true)?;
    }
    report.complete = true;
    progress(ImportProgress { bytes_read: source.bytes(), ..at(&source, &report) });
    Ok(report)
}

fn at(source: &Source, report: &ImportReport) -> ImportProgress {
    ImportProgress { bytes_read: source.bytes_read(), bytes: source.bytes(), rows: report.rows, bad: report.bad_lines }
}
