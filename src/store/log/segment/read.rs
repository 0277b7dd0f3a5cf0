//! Reads a segment, a few thousand rows at a time.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, FloatType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::{FileReader, RowGroupReader};
use parquet::file::serialized_reader::SerializedFileReader;
use sha2::{Digest, Sha256};
use xxhash_rust::xxh3::xxh3_64;

use super::super::error::LogError;
use super::super::list::{Segment, hex_sum};
use super::{ABOUT, About, FORMAT};
use crate::model::event::Event;
use crate::model::ids::{IdError, ItemId, UserId};
use crate::store::guarded::guarded;

/// Rows decoded at once.
const ROWS: usize = 4096;

/// A segment, read into memory and checked against its sum. The file is compressed, and bounded by the sealing.
pub struct SegmentReader {
    reader: SerializedFileReader<Bytes>,
    path: PathBuf,
    sha256: String,
}

/// One row: the record's number, when it came in, the event.
type Apply<'a> = &'a mut dyn FnMut(u64, i64, Event) -> ControlFlow<()>;

impl SegmentReader {
    /// Reads the file of `segment` in `folder`.
    ///
    /// # Errors
    /// [`LogError::Damaged`] when it is missing, has another length or sum, or is no Parquet; [`LogError::Format`] for a
    /// later build's; [`LogError::Io`].
    pub fn open(folder: &Path, segment: &Segment) -> Result<Self, LogError> {
        let (path, bytes) = checked(folder, segment)?;
        Self::parse(path, bytes, false)
    }

    /// Reads any segment file, without a list that says what it must be; with its SHA-256.
    ///
    /// # Errors
    /// [`LogError::Damaged`] or [`LogError::Io`].
    pub fn open_unlisted(path: &Path) -> Result<Self, LogError> {
        Self::parse(path.to_owned(), read(path)?, true)
    }

    /// Reads the bytes of the segment file `path`, with their SHA-256 where `sum` says so.
    ///
    /// # Errors
    /// [`LogError::Damaged`].
    pub fn parse(path: PathBuf, bytes: Bytes, sum: bool) -> Result<Self, LogError> {
        let sha256 = if sum { hex::encode(Sha256::digest(&bytes)) } else { String::new() };
        let reader = guarded(|| SerializedFileReader::new(bytes)).map_err(|e| damaged(&path, &e))?;
        // The number is read by itself: what a later build writes beside it is not known here.
        let format = about(reader.metadata()).and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok());
        match format.as_ref().and_then(|about| about.get("format")).and_then(serde_json::Value::as_u64) {
            Some(found) if found > u64::from(FORMAT) => {
                Err(LogError::Format { file: path, found: found.to_string(), known: FORMAT })
            }
            _ => Ok(Self { reader, path, sha256 }),
        }
    }

    /// Whether the file's SHA-256 is the listed one; reads the file again.
    ///
    /// # Errors
    /// [`LogError::Damaged`] or [`LogError::Io`].
    pub fn check_sha256(folder: &Path, segment: &Segment) -> Result<(), LogError> {
        let path = folder.join(&segment.file);
        if hex::encode(Sha256::digest(&read(&path)?)) == segment.sha256 {
            return Ok(());
        }
        Err(LogError::damaged(&path, "its SHA-256 is not the listed one"))
    }

    /// The list's entry for this file, as the file itself says; only after [`Self::open_unlisted`].
    ///
    /// # Errors
    /// [`LogError::Damaged`] or [`LogError::Io`].
    pub fn entry(&self) -> Result<Segment, LogError> {
        let about: About = about(self.reader.metadata())
            .and_then(|text| serde_json::from_str(text).ok())
            .ok_or_else(|| LogError::damaged(&self.path, "it does not say which records it holds"))?;
        let bytes = read(&self.path)?;
        Ok(Segment {
            file: self.path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned(),
            first: about.first,
            last: about.last,
            rows: rows(self.reader.metadata()),
            bytes: bytes.len() as u64,
            sha256: self.sha256.clone(),
            xxh3: hex_sum(xxh3_64(&bytes)),
            offsets: about.offsets,
            import: about.import,
        })
    }

    /// Gives every event, in order, until `apply` breaks.
    ///
    /// # Errors
    /// [`LogError::Damaged`].
    pub fn each(&self, apply: Apply<'_>) -> Result<ControlFlow<()>, LogError> {
        for index in 0..self.reader.num_row_groups() {
            let group = guarded(|| self.reader.get_row_group(index)).map_err(|e| damaged(&self.path, &e))?;
            let flow = each_of(&*group, apply).map_err(|e| LogError::damaged(&self.path, e.to_string()))?;
            if flow.is_break() {
                return Ok(flow);
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

/// Checks a listed file against its length and sum, without decoding it: a start that goes on must not find out later.
///
/// # Errors
/// [`LogError::Damaged`] or [`LogError::Io`].
pub fn check_sum(folder: &Path, segment: &Segment) -> Result<(), LogError> {
    checked(folder, segment).map(|_| ())
}

/// A listed file's path and bytes, of the length and the sum that the list says.
fn checked(folder: &Path, segment: &Segment) -> Result<(PathBuf, Bytes), LogError> {
    let path = folder.join(&segment.file);
    let bytes = read(&path)?;
    let (found, listed) = (bytes.len() as u64, segment.bytes);
    if found != listed {
        return Err(LogError::damaged(&path, format!("it has {found} bytes, the list says {listed}")));
    }
    if hex_sum(xxh3_64(&bytes)) != segment.xxh3 {
        return Err(LogError::damaged(&path, "its checksum is wrong"));
    }
    Ok((path, bytes))
}

/// What the file says of itself.
fn about(metadata: &ParquetMetaData) -> Option<&str> {
    let pairs = metadata.file_metadata().key_value_metadata()?;
    pairs.iter().find(|pair| pair.key == ABOUT)?.value.as_deref()
}

fn rows(metadata: &ParquetMetaData) -> u64 {
    u64::try_from(metadata.file_metadata().num_rows()).unwrap_or(0)
}

fn read(path: &Path) -> Result<Bytes, LogError> {
    std::fs::read(path).map(Bytes::from).map_err(|e| missing_or_io(path, e))
}

fn missing_or_io(path: &Path, error: std::io::Error) -> LogError {
    if error.kind() == std::io::ErrorKind::NotFound {
        return LogError::damaged(path, "it is listed but missing");
    }
    LogError::io(path)(error)
}

fn damaged(path: &Path, error: &ParquetError) -> LogError {
    LogError::damaged(path, error.to_string())
}

/// Why rows cannot be read.
#[derive(Debug, thiserror::Error)]
enum RowError {
    #[error(transparent)]
    Parquet(#[from] ParquetError),
    #[error(transparent)]
    Id(#[from] IdError),
    #[error("its columns are not those of a segment")]
    Columns,
    #[error("a column is shorter than another")]
    Short,
}

fn each_of(group: &dyn RowGroupReader, apply: Apply<'_>) -> Result<ControlFlow<()>, RowError> {
    let mut columns = guarded(|| Columns::open(group))?;
    let mut left = u64::try_from(group.metadata().num_rows()).unwrap_or(0);
    while left > 0 {
        let count = guarded(|| columns.read(usize::try_from(left).unwrap_or(ROWS).min(ROWS)))?;
        for row in 0..count {
            let (seq, arrival_ms, event) = columns.row(row)?;
            if apply(seq, arrival_ms, event).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        left -= count as u64;
    }
    Ok(ControlFlow::Continue(()))
}

/// One column: its reader and the values of the rows at hand, without those of optional ones that have none.
struct Column<T: DataType> {
    reader: ColumnReaderImpl<T>,
    values: Vec<T::T>,
    levels: Vec<i16>,
    next: usize,
}

impl<T: DataType> Column<T> {
    const fn new(reader: ColumnReaderImpl<T>) -> Self {
        Self { reader, values: Vec::new(), levels: Vec::new(), next: 0 }
    }

    fn read(&mut self, count: usize) -> Result<(), RowError> {
        self.values.clear();
        self.levels.clear();
        self.next = 0;
        let (records, _, _) = self.reader.read_records(count, Some(&mut self.levels), None, &mut self.values)?;
        if records == count { Ok(()) } else { Err(RowError::Short) }
    }

    /// The value of a required column in the row.
    fn at(&self, row: usize) -> Result<&T::T, RowError> {
        self.values.get(row).ok_or(RowError::Short)
    }

    /// The value of an optional column in the row; rows must be asked in order.
    fn optional(&mut self, row: usize) -> Option<&T::T> {
        if self.levels.get(row) != Some(&1) {
            return None;
        }
        self.next += 1;
        self.values.get(self.next - 1)
    }
}

struct Columns {
    seq: Column<Int64Type>,
    user: Column<ByteArrayType>,
    item: Column<ByteArrayType>,
    kind: Column<ByteArrayType>,
    value: Column<FloatType>,
    timestamp: Column<Int64Type>,
    arrival: Column<Int64Type>,
    id: Column<ByteArrayType>,
    recommendation: Column<ByteArrayType>,
    kind_text: Arc<str>,
}

impl Columns {
    fn open(group: &dyn RowGroupReader) -> Result<Self, RowError> {
        use ColumnReader::{ByteArrayColumnReader, FloatColumnReader, Int64ColumnReader};
        if group.num_columns() != 9 {
            return Err(RowError::Columns);
        }
        let numbers = |index| match group.get_column_reader(index)? {
            Int64ColumnReader(reader) => Ok(Column::new(reader)),
            _ => Err(RowError::Columns),
        };
        let texts = |index| match group.get_column_reader(index)? {
            ByteArrayColumnReader(reader) => Ok(Column::new(reader)),
            _ => Err(RowError::Columns),
        };
        let FloatColumnReader(value) = group.get_column_reader(4)? else { return Err(RowError::Columns) };
        Ok(Self {
            seq: numbers(0)?,
            user: texts(1)?,
            item: texts(2)?,
            kind: texts(3)?,
            value: Column::new(value),
            timestamp: numbers(5)?,
            arrival: numbers(6)?,
            id: texts(7)?,
            recommendation: texts(8)?,
            kind_text: Arc::from(""),
        })
    }

    fn read(&mut self, count: usize) -> Result<usize, RowError> {
        // Of these rows' own: another thread lets go of those before while this one counts up.
        self.kind_text = Arc::from(&*self.kind_text);
        self.seq.read(count)?;
        self.user.read(count)?;
        self.item.read(count)?;
        self.kind.read(count)?;
        self.value.read(count)?;
        self.timestamp.read(count)?;
        self.arrival.read(count)?;
        self.id.read(count)?;
        self.recommendation.read(count)?;
        Ok(count)
    }

    fn row(&mut self, row: usize) -> Result<(u64, i64, Event), RowError> {
        let kind = self.kind.at(row)?;
        if self.kind_text.as_bytes() != kind.data() {
            self.kind_text = Arc::from(text(kind)?);
        }
        let optional = |value: Option<&ByteArray>| value.map(text).transpose().map(|text| text.map(Arc::from));
        let event = Event {
            user: UserId::new(text(self.user.at(row)?)?)?,
            item: ItemId::new(text(self.item.at(row)?)?)?,
            kind: self.kind_text.clone(),
            value: *self.value.at(row)?,
            timestamp_ms: self.timestamp.optional(row).copied(),
            id: optional(self.id.optional(row))?,
            recommendation_id: optional(self.recommendation.optional(row))?,
        };
        Ok((self.seq.at(row)?.cast_unsigned(), *self.arrival.at(row)?, event))
    }
}

fn text(value: &ByteArray) -> Result<&str, RowError> {
    Ok(value.as_utf8()?)
}
