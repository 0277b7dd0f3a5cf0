//! One file of events, whatever its form.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, Read};
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::baskets::Baskets;
use super::columns::ParquetEvents;
use super::csv::CsvEvents;
use super::error::{ImportError, LineError};
use super::lines::Lines;
use super::ndjson::Ndjson;
use crate::model::event::Event;

/// What a file holds, as `--format` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportFormat {
    /// Events: CSV, NDJSON or Parquet.
    Events,
    /// The original's baskets: CSV `customerId,products`.
    Transactions,
}

impl FromStr for ImportFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "events" => Ok(Self::Events),
            "transactions" => Ok(Self::Transactions),
            other => Err(format!("format {other:?} is not known; it is events or transactions")),
        }
    }
}

/// What a time in the file may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// A time that the log takes: from 1990, not in the future of `now_ms`; numbers are of the epoch.
    Checked {
        /// Now, milliseconds of the epoch.
        now_ms: i64,
    },
    /// Any time, also a small integer that only orders the rows: for an evaluation.
    Ordered,
}

/// A reader that gives the events of one line after the other.
pub(super) trait NextLine: Send {
    /// Adds the next line's events, one or several, and gives its number; none at the end of the file.
    fn next_line(&mut self, events: &mut Vec<Event>) -> Option<Result<u64, LineError>>;
}

/// One file of events: an iterator of events with the number of their line, and of bad lines. It goes on behind a bad
/// line and ends behind a failure.
pub struct Source {
    reader: Box<dyn NextLine>,
    line: u64,
    events: Vec<Event>,
    waiting: VecDeque<Event>,
    read: Arc<AtomicU64>,
    bytes: u64,
    over: bool,
}

impl Source {
    /// Opens the local file `path`, which messages call `name`. Parquet is told by its first bytes, NDJSON by its name
    /// (`.ndjson`, `.jsonl`, `.json`) or a first `{`, gzip and zstd by their first bytes; all else is CSV.
    ///
    /// # Errors
    /// [`ImportError::Io`], or [`ImportError::Form`] when header or columns are not those of the format.
    pub fn open(path: &Path, name: &str, format: ImportFormat, times: Times) -> Result<Self, ImportError> {
        let mut file = File::open(path).map_err(ImportError::io(name))?;
        let bytes = file.metadata().map_err(ImportError::io(name))?.len();
        let mut first = Vec::new();
        file.by_ref().take(4).read_to_end(&mut first).map_err(ImportError::io(name))?;
        let read = Arc::new(AtomicU64::new(0));
        let reader: Box<dyn NextLine> = if first == b"PAR1" {
            if format == ImportFormat::Transactions {
                return Err(ImportError::form(name, "transactions are read from CSV only, this is Parquet"));
            }
            Box::new(ParquetEvents::open(path, name, times, &read)?)
        } else {
            text(Lines::open(path, name, &read)?, name, format, times)?
        };
        Ok(Self::new(reader, read, bytes))
    }

    /// Reads plain text, CSV or NDJSON, from anywhere.
    ///
    /// # Errors
    /// As [`Source::open`].
    pub fn from_reader(
        reader: Box<dyn BufRead + Send>,
        name: &str,
        format: ImportFormat,
        times: Times,
    ) -> Result<Self, ImportError> {
        let reader = text(Lines::new(reader, name), name, format, times)?;
        Ok(Self::new(reader, Arc::default(), 0))
    }

    fn new(reader: Box<dyn NextLine>, read: Arc<AtomicU64>, bytes: u64) -> Self {
        Self { reader, line: 0, events: Vec::new(), waiting: VecDeque::new(), read, bytes, over: false }
    }

    /// The file's length in bytes, as it lies on the disk; 0 for a reader.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many of these bytes are read.
    #[must_use]
    pub fn bytes_read(&self) -> u64 {
        self.read.load(Ordering::Relaxed).min(self.bytes)
    }

    /// The next line that holds events: they are added to `events`, and the line's number is given. For those who cut
    /// batches, since a mark stands between lines; not to be mixed with the iterator.
    ///
    /// # Errors
    /// [`LineError::Bad`], behind which it goes on, or [`LineError::Failed`], behind which it ends.
    pub fn next_line(&mut self, events: &mut Vec<Event>) -> Option<Result<u64, LineError>> {
        if self.over {
            return None;
        }
        let line = self.reader.next_line(events);
        self.over = matches!(line, None | Some(Err(LineError::Failed(_))));
        line
    }
}

impl Iterator for Source {
    type Item = Result<(u64, Event), LineError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some(Ok((self.line, event)));
            }
            let mut events = std::mem::take(&mut self.events);
            let line = self.next_line(&mut events);
            self.waiting.extend(events.drain(..));
            self.events = events;
            match line? {
                Ok(line) => self.line = line,
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

fn text(mut lines: Lines, name: &str, format: ImportFormat, times: Times) -> Result<Box<dyn NextLine>, ImportError> {
    if format == ImportFormat::Transactions {
        return Ok(Box::new(Baskets::open(lines, name)?));
    }
    let plain = name.to_ascii_lowercase();
    let plain = plain.strip_suffix(".gz").or_else(|| plain.strip_suffix(".zst")).unwrap_or(&plain);
    let named = [".ndjson", ".jsonl", ".json"].iter().any(|end| plain.ends_with(end));
    let braced = !plain.ends_with(".csv") && lines.peek()?.trim_ascii_start().starts_with(b"{");
    if named || braced {
        return Ok(Box::new(Ndjson::new(lines, times)));
    }
    Ok(Box::new(CsvEvents::open(lines, name, times)?))
}
