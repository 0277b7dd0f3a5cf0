//! Events as Parquet: flat columns by the names that CSV has, each of integers, floats or texts; a few thousand rows in
//! memory at a time.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parquet::basic::{ConvertedType, LogicalType, TimeUnit};
use parquet::errors::ParquetError;
use parquet::file::reader::FileReader;
use parquet::file::serialized_reader::SerializedFileReader;

use super::cells;
use super::error::{BadLine, ImportError, LineError};
use super::source::{NextLine, Times};
use crate::model::event::Event;
use crate::store::fields::{Cell, Reader, opened};
use crate::store::guarded::guarded;

/// Rows decoded at once.
const ROWS: usize = 4096;

/// What a column is for.
const NAMES: [&str; 8] = ["user", "item", "timestamp", "weight", "value", "type", "id", "recommendation_id"];

/// A file of events in Parquet.
pub struct ParquetEvents {
    file: SerializedFileReader<File>,
    name: String,
    /// For each of [`NAMES`] the column, if there is one.
    places: [Option<usize>; 8],
    /// Milliseconds of the epoch in a number of the column `timestamp`, where its type says so.
    unit: Option<Unit>,
    group: usize,
    readers: Option<[Option<Reader>; 8]>,
    left: usize,
    rows: usize,
    at: usize,
    number: u64,
    last_kind: Arc<str>,
    times: Times,
    read: Arc<AtomicU64>,
}

/// What one step of a time column is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Days,
    Millis,
    Micros,
    Nanos,
}

impl Unit {
    const fn to_ms(self, number: i64) -> i64 {
        match self {
            Self::Days => number.saturating_mul(86_400_000),
            Self::Millis => number,
            Self::Micros => number.div_euclid(1000),
            Self::Nanos => number.div_euclid(1_000_000),
        }
    }
}

impl ParquetEvents {
    /// Reads the footer and finds the columns; `read` counts the bytes of the row groups begun.
    pub fn open(path: &Path, name: &str, times: Times, read: &Arc<AtomicU64>) -> Result<Self, ImportError> {
        let file = File::open(path).map_err(ImportError::io(name))?;
        let file = opened(file).map_err(|reason| ImportError::form(name, reason))?;
        let schema = file.metadata().file_metadata().schema_descr_ptr();
        let mut places = [None; 8];
        for (place, wanted) in places.iter_mut().zip(NAMES) {
            *place = schema.columns().iter().position(|column| {
                column.path().parts().len() == 1 && column.name().trim().eq_ignore_ascii_case(wanted)
            });
        }
        let [Some(_), Some(_), time, ..] = places else {
            let names: Vec<String> = schema.columns().iter().map(|column| column.path().string()).collect();
            let reason = format!("its columns are {}; user and item must be among them", names.join(", "));
            return Err(ImportError::form(name, reason));
        };
        for column in places.iter().flatten().filter_map(|&place| schema.columns().get(place)) {
            if column.max_rep_level() > 0 {
                return Err(ImportError::form(name, format!("column {} is a list; it must be flat", column.name())));
            }
        }
        let unit = time.and_then(|place| schema.columns().get(place)).and_then(|column| {
            match (column.logical_type_ref(), column.converted_type()) {
                (Some(LogicalType::Timestamp(time)), _) => Some(match time.unit {
                    TimeUnit::MILLIS => Unit::Millis,
                    TimeUnit::MICROS => Unit::Micros,
                    TimeUnit::NANOS => Unit::Nanos,
                }),
                (_, ConvertedType::TIMESTAMP_MILLIS) => Some(Unit::Millis),
                (_, ConvertedType::TIMESTAMP_MICROS) => Some(Unit::Micros),
                (Some(LogicalType::Date), _) | (_, ConvertedType::DATE) => Some(Unit::Days),
                _ => None,
            }
        });
        Ok(Self {
            file,
            name: name.to_owned(),
            places,
            unit,
            group: 0,
            readers: None,
            left: 0,
            rows: 0,
            at: 0,
            number: 0,
            last_kind: Arc::from(""),
            times,
            read: read.clone(),
        })
    }

    /// Decodes the next rows; false at the end of the file.
    fn fill(&mut self) -> Result<bool, ParquetError> {
        while self.left == 0 {
            if self.group >= self.file.num_row_groups() {
                return Ok(false);
            }
            let group = self.file.get_row_group(self.group)?;
            let mut readers = [const { None }; 8];
            for (reader, place) in readers.iter_mut().zip(self.places) {
                if let Some(place) = place {
                    *reader = Some(Reader::new(group.get_column_reader(place)?));
                }
            }
            self.left = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
            let bytes = u64::try_from(group.metadata().compressed_size()).unwrap_or(0);
            self.read.fetch_add(bytes, Ordering::Relaxed);
            self.readers = Some(readers);
            self.group += 1;
        }
        self.rows = self.left.min(ROWS);
        self.at = 0;
        for reader in self.readers.iter_mut().flatten().flatten() {
            reader.fill(self.rows)?;
        }
        self.left -= self.rows;
        Ok(true)
    }

    /// The row's event; the fields of a row are in the order of [`NAMES`].
    fn event(&mut self) -> Result<Event, String> {
        let mut row = [const { Cell::None }; 8];
        for (cell, reader) in row.iter_mut().zip(self.readers.iter_mut().flatten()) {
            if let Some(found) = reader.as_mut().and_then(|reader| reader.cells.get_mut(self.at)) {
                *cell = std::mem::replace(found, Cell::None);
            }
        }
        let [user, item, timestamp, weight, value, kind, id, recommendation] = row;
        let weight = if weight == Cell::None { value } else { weight };
        let event = Event {
            user: cells::user(&user.text("user")?)?,
            item: cells::item(&item.text("item")?)?,
            kind: cells::kind(&kind.text("type")?, &mut self.last_kind),
            value: match weight {
                Cell::None => 1.0,
                Cell::Int(number) => number as f32,
                Cell::Float(number) => number as f32,
                text @ Cell::Text(_) => cells::value_of_text(&text.text("weight")?)?,
            },
            timestamp_ms: match (timestamp, self.unit) {
                (Cell::None, _) => None,
                (Cell::Int(number), Some(unit)) => Some(unit.to_ms(number)),
                (Cell::Int(number), None) => Some(cells::time_of_int(number, self.times)),
                (Cell::Float(number), _) if number.is_nan() => None,
                (Cell::Float(number), _) => Some(cells::time_of_float(number, self.times)?),
                (text @ Cell::Text(_), _) => cells::time_of_text(&text.text("timestamp")?, self.times)?,
            },
            id: id.label("id")?,
            recommendation_id: recommendation.label("recommendation_id")?,
        };
        cells::checked(event, self.times)
    }
}

impl NextLine for ParquetEvents {
    fn next_line(&mut self, events: &mut Vec<Event>) -> Option<Result<u64, LineError>> {
        if self.at >= self.rows {
            match guarded(|| self.fill()) {
                Ok(true) => {}
                Ok(false) => return None,
                Err(e) => {
                    (self.left, self.rows, self.group) = (0, 0, usize::MAX);
                    let reason = format!("behind row {}: {e}", self.number);
                    return Some(Err(ImportError::form(&self.name, reason).into()));
                }
            }
        }
        let read = self.event();
        self.at += 1;
        self.number += 1;
        let line = self.number;
        Some(match read {
            Ok(event) => {
                events.push(event);
                Ok(line)
            }
            Err(reason) => Err(LineError::Bad(BadLine { line, reason })),
        })
    }
}
