//! Fields of Parquet files that others wrote: flat columns of integers, floats or texts, whatever their types.

use std::fs::File;
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType};
use parquet::errors::ParquetError;
use parquet::file::reader::FileReader;
use parquet::file::serialized_reader::SerializedFileReader;

use super::guarded::guarded;

/// Reads a file's footer.
///
/// # Errors
/// A sentence: it is no Parquet, or compressed in a way that is not read.
pub fn opened(file: File) -> Result<SerializedFileReader<File>, String> {
    let file = guarded(|| SerializedFileReader::new(file)).map_err(|error| error.to_string())?;
    for column in file.metadata().row_groups().iter().flat_map(|group| group.columns()) {
        let compression = column.compression();
        if !matches!(compression, Compression::UNCOMPRESSED | Compression::SNAPPY | Compression::ZSTD(_)) {
            return Err(format!("it is compressed with {compression}; write it with zstd, snappy or uncompressed"));
        }
    }
    Ok(file)
}

/// One field of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// There is none.
    None,
    /// A number.
    Int(i64),
    /// A number that may have a fraction.
    Float(f64),
    /// Bytes that should be UTF-8.
    Text(ByteArray),
}

/// One column: its reader and the fields of the rows at hand.
pub struct Reader {
    column: ColumnReader,
    /// The rows decoded last.
    pub cells: Vec<Cell>,
}

impl Cell {
    /// The field as an id is written: integers in decimal, whole floats (a column that had gaps) likewise.
    pub fn text(&self, field: &str) -> Result<String, String> {
        Ok(match self {
            Self::None => String::new(),
            Self::Int(number) => number.to_string(),
            Self::Float(number) => number.to_string(),
            Self::Text(text) => text.as_utf8().map_err(|_| format!("{field}: it is not UTF-8"))?.to_owned(),
        })
    }

    /// As [`Self::text`]; none where it is empty.
    pub fn label(&self, field: &str) -> Result<Option<Arc<str>>, String> {
        Ok(Some(self.text(field)?).filter(|text| !text.is_empty()).map(Arc::from))
    }
}

impl Reader {
    /// A column of which nothing was decoded yet.
    pub const fn new(column: ColumnReader) -> Self {
        Self { column, cells: Vec::new() }
    }

    /// Decodes the next `rows` rows in the place of those at hand.
    ///
    /// # Errors
    /// Also where the column has fewer.
    pub fn fill(&mut self, rows: usize) -> Result<(), ParquetError> {
        let cells = &mut self.cells;
        match &mut self.column {
            ColumnReader::BoolColumnReader(column) => fill(column, rows, cells, |value| Cell::Int(i64::from(value))),
            ColumnReader::Int32ColumnReader(column) => fill(column, rows, cells, |value| Cell::Int(i64::from(value))),
            ColumnReader::Int64ColumnReader(column) => fill(column, rows, cells, Cell::Int),
            ColumnReader::Int96ColumnReader(column) => fill(column, rows, cells, |value| Cell::Int(value.to_millis())),
            ColumnReader::FloatColumnReader(column) => fill(column, rows, cells, |value| Cell::Float(f64::from(value))),
            ColumnReader::DoubleColumnReader(column) => fill(column, rows, cells, Cell::Float),
            ColumnReader::ByteArrayColumnReader(column) => fill(column, rows, cells, Cell::Text),
            ColumnReader::FixedLenByteArrayColumnReader(column) => {
                fill(column, rows, cells, |value| Cell::Text(value.into()))
            }
        }
    }
}

fn fill<T: DataType>(
    column: &mut ColumnReaderImpl<T>,
    rows: usize,
    cells: &mut Vec<Cell>,
    cell: impl Fn(T::T) -> Cell,
) -> Result<(), ParquetError> {
    let (mut values, mut levels) = (Vec::new(), Vec::new());
    let (records, found, _) = column.read_records(rows, Some(&mut levels), None, &mut values)?;
    if records != rows {
        return Err(ParquetError::General("a column is shorter than another".into()));
    }
    let mut values = values.into_iter();
    cells.clear();
    if found == rows {
        cells.extend(values.map(cell));
    } else {
        let full = levels.iter().copied().max().unwrap_or(0);
        let full = if found == 0 { full + 1 } else { full };
        cells.extend(
            levels.iter().map(|&level| if level < full { Cell::None } else { values.next().map_or(Cell::None, &cell) }),
        );
    }
    Ok(())
}
