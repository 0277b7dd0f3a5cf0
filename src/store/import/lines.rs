//! Lines of a text file, through gzip or zstd, one in memory at a time.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::read::MultiGzDecoder;

use super::error::{BadLine, ImportError, LineError};

/// The longest line that is read, in bytes.
pub const MAX_LINE: usize = 1 << 20;

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const BUFFER: usize = 1 << 17;

/// The lines of one file.
pub struct Lines {
    reader: Box<dyn BufRead + Send>,
    name: String,
    number: u64,
    line: Vec<u8>,
}

impl Lines {
    /// Opens a file, which is unpacked where its first bytes say so; `read` counts the bytes taken from it.
    pub fn open(path: &Path, name: &str, read: &Arc<AtomicU64>) -> Result<Self, ImportError> {
        let failed = || ImportError::io(name);
        let mut file = File::open(path).map_err(failed())?;
        let mut first = Vec::new();
        file.by_ref().take(4).read_to_end(&mut first).map_err(failed())?;
        file.seek(SeekFrom::Start(0)).map_err(failed())?;
        let counted = BufReader::with_capacity(BUFFER, Counted { inner: file, read: read.clone() });
        let reader: Box<dyn BufRead + Send> = if first.starts_with(&GZIP) {
            Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(counted)))
        } else if first.starts_with(&ZSTD) {
            let decoder = zstd::Decoder::with_buffer(counted).map_err(failed())?;
            Box::new(BufReader::with_capacity(BUFFER, decoder))
        } else {
            Box::new(counted)
        };
        Ok(Self::new(reader, name))
    }

    /// Lines of plain text.
    pub fn new(reader: Box<dyn BufRead + Send>, name: &str) -> Self {
        Self { reader, name: name.to_owned(), number: 0, line: Vec::new() }
    }

    /// The first bytes, without taking them.
    pub fn peek(&mut self) -> Result<&[u8], ImportError> {
        self.reader.fill_buf().map_err(ImportError::io(&self.name))
    }

    /// The number of the line that was given last, from 1.
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// The next line that is not blank, without its end and without a byte-order mark.
    pub fn next_line(&mut self) -> Option<Result<&str, LineError>> {
        loop {
            self.line.clear();
            let mut limited = self.reader.by_ref().take(MAX_LINE as u64 + 1);
            match limited.read_until(b'\n', &mut self.line) {
                Ok(0) => return None,
                Ok(_) => self.number += 1,
                Err(e) => return Some(Err(self.failed(e))),
            }
            if self.line.len() > MAX_LINE && self.line.last() != Some(&b'\n') {
                if let Err(e) = self.reader.skip_until(b'\n') {
                    return Some(Err(self.failed(e)));
                }
                return Some(Err(self.bad(format!("it is longer than {MAX_LINE} bytes"))));
            }
            if !self.line.trim_ascii().is_empty() {
                break;
            }
        }
        let line = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line = if self.number == 1 { line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line) } else { line };
        match std::str::from_utf8(line) {
            Ok(text) => Some(Ok(text)),
            Err(_) => Some(Err(self.bad("it is not UTF-8"))),
        }
    }

    fn bad(&self, reason: impl Into<String>) -> LineError {
        LineError::Bad(BadLine { line: self.number, reason: reason.into() })
    }

    #[expect(clippy::needless_pass_by_value, reason = "as map_err hands it")]
    fn failed(&self, error: std::io::Error) -> LineError {
        let behind = format!("behind line {}: {error}", self.number);
        LineError::Failed(ImportError::io(&self.name)(std::io::Error::new(error.kind(), behind)))
    }
}

/// Counts what is read, for the progress bar.
struct Counted<R> {
    inner: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}
