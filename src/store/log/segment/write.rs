//! Writes a segment, row group by row group.

use std::fs::File;
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, FloatType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::ColumnPath;
use sha2::{Digest, Sha256};
use xxhash_rust::xxh3::Xxh3;

use super::super::error::LogError;
use super::super::list::hex_sum;
use super::{ABOUT, About, schema};
use crate::model::event::Event;

/// Events of a row group: what a writer holds in memory.
const ROW_GROUP: usize = 1 << 18;

/// A segment file, finished and synced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Events in it.
    pub rows: u64,
    /// The file's length.
    pub bytes: u64,
    /// The SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
    /// The xxh3 of its bytes, in hexadecimal.
    pub xxh3: String,
}

/// A segment being written. Memory is bounded by one row group.
pub struct SegmentWriter {
    writer: SerializedFileWriter<Hashed>,
    columns: Columns,
    rows: u64,
    path: PathBuf,
}

impl SegmentWriter {
    /// Begins a file at `path`, over whatever is there.
    ///
    /// # Errors
    /// [`LogError::Io`] or [`LogError::Segment`].
    pub fn create(path: &Path) -> Result<Self, LogError> {
        let file = File::create(path).map_err(LogError::io(path))?;
        let hashed = Hashed { file, bytes: 0, sha256: Sha256::new(), xxh3: Xxh3::new() };
        let writer = SerializedFileWriter::new(hashed, schema()?, Arc::new(properties()?))?;
        Ok(Self { writer, columns: Columns::default(), rows: 0, path: path.to_owned() })
    }

    /// The file being written.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds an event.
    ///
    /// # Errors
    /// [`LogError::Segment`], also for a full disk.
    pub fn push(&mut self, seq: u64, arrival_ms: i64, event: &Event) -> Result<(), LogError> {
        self.columns.push(seq, arrival_ms, event);
        self.rows += 1;
        if self.columns.seq.len() >= ROW_GROUP { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), LogError> {
        if !self.columns.seq.is_empty() {
            std::mem::take(&mut self.columns).write(self.writer.next_row_group()?)?;
        }
        Ok(())
    }

    /// Writes what is left and the footer, and syncs the file.
    ///
    /// # Errors
    /// [`LogError::Io`] or [`LogError::Segment`].
    pub fn finish(mut self, about: &About) -> Result<Written, LogError> {
        self.flush()?;
        let about = serde_json::to_string(about).map_err(|e| LogError::io(&self.path)(e.into()))?;
        self.writer.append_key_value_metadata(KeyValue::new(ABOUT.to_owned(), about));
        let hashed = self.writer.into_inner()?;
        fail::fail_point!("segment.before_sync");
        hashed.file.sync_all().map_err(LogError::io(&self.path))?;
        Ok(Written {
            rows: self.rows,
            bytes: hashed.bytes,
            sha256: hex::encode(hashed.sha256.finalize()),
            xxh3: hex_sum(hashed.xxh3.digest()),
        })
    }
}

fn properties() -> Result<WriterProperties, ParquetError> {
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_dictionary_page_size_limit(8 << 20)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_created_by(concat!("ouzel ", env!("CARGO_PKG_VERSION")).to_owned());
    for counted in ["seq", "timestamp", "arrival"] {
        let column = ColumnPath::from(counted);
        properties = properties
            .set_column_dictionary_enabled(column.clone(), false)
            .set_column_encoding(column, Encoding::DELTA_BINARY_PACKED);
    }
    for text in ["id", "recommendation_id"] {
        properties = properties.set_column_dictionary_enabled(ColumnPath::from(text), false);
    }
    Ok(properties.build())
}

/// The columns of one row group.
#[derive(Default)]
struct Columns {
    seq: Vec<i64>,
    user: Texts,
    item: Texts,
    kind: Texts,
    value: Vec<f32>,
    timestamp: Vec<i64>,
    timestamp_levels: Vec<i16>,
    arrival: Vec<i64>,
    id: Texts,
    id_levels: Vec<i16>,
    recommendation: Texts,
    recommendation_levels: Vec<i16>,
}

impl Columns {
    fn push(&mut self, seq: u64, arrival_ms: i64, event: &Event) {
        self.seq.push(seq.cast_signed());
        self.user.push(event.user.as_str());
        self.item.push(event.item.as_str());
        self.kind.push(&event.kind);
        self.value.push(event.value);
        self.timestamp.extend(event.timestamp_ms);
        self.timestamp_levels.push(event.timestamp_ms.is_some().into());
        self.arrival.push(arrival_ms);
        self.id.extend(event.id.as_deref());
        self.id_levels.push(event.id.is_some().into());
        self.recommendation.extend(event.recommendation_id.as_deref());
        self.recommendation_levels.push(event.recommendation_id.is_some().into());
    }

    fn write(self, mut group: SerializedRowGroupWriter<'_, Hashed>) -> Result<(), ParquetError> {
        column::<Int64Type>(&mut group, &self.seq, None)?;
        column::<ByteArrayType>(&mut group, &self.user.into_values(), None)?;
        column::<ByteArrayType>(&mut group, &self.item.into_values(), None)?;
        column::<ByteArrayType>(&mut group, &self.kind.into_values(), None)?;
        column::<FloatType>(&mut group, &self.value, None)?;
        column::<Int64Type>(&mut group, &self.timestamp, Some(&self.timestamp_levels))?;
        column::<Int64Type>(&mut group, &self.arrival, None)?;
        column::<ByteArrayType>(&mut group, &self.id.into_values(), Some(&self.id_levels))?;
        column::<ByteArrayType>(&mut group, &self.recommendation.into_values(), Some(&self.recommendation_levels))?;
        group.close().map(|_| ())
    }
}

fn column<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, Hashed>,
    values: &[T::T],
    levels: Option<&[i16]>,
) -> Result<(), ParquetError> {
    let Some(mut column) = group.next_column()? else {
        return Err(ParquetError::General("the schema has too few columns".into()));
    };
    column.typed::<T>().write_batch(values, levels, None)?;
    column.close()
}

/// Texts behind each other in one buffer, so that a row costs no allocation.
#[derive(Default)]
struct Texts {
    bytes: Vec<u8>,
    ranges: Vec<Range<usize>>,
}

impl Texts {
    fn push(&mut self, text: &str) {
        let start = self.bytes.len();
        self.bytes.extend(text.as_bytes());
        self.ranges.push(start..self.bytes.len());
    }

    fn extend(&mut self, text: Option<&str>) {
        if let Some(text) = text {
            self.push(text);
        }
    }

    fn into_values(self) -> Vec<ByteArray> {
        let bytes = Bytes::from(self.bytes);
        self.ranges.into_iter().map(|range| ByteArray::from(bytes.slice(range))).collect()
    }
}

/// A file whose bytes are summed up as they are written.
struct Hashed {
    file: File,
    bytes: u64,
    sha256: Sha256,
    xxh3: Xxh3,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let count = self.file.write(bytes)?;
        let written = bytes.get(..count).unwrap_or(bytes);
        self.sha256.update(written);
        self.xxh3.update(written);
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}
