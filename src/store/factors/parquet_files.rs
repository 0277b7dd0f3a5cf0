//! Factors as Parquet: a column `features`, a list of floats, and the item's id in a column `item`, or `id` where there is
//! none, of texts or integers. So Spark writes `ALSModel.itemFactors`, but that its `id` is a number of the training's own.

use std::fs::File;
use std::path::Path;

use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::DataType;
use parquet::errors::ParquetError;
use parquet::file::reader::FileReader;
use parquet::schema::types::SchemaDescriptor;

use super::error::FactorsError;
use crate::model::candidates::ials::{GivenFactors, MOST_FACTORS};
use crate::model::ids::ItemId;
use crate::store::fields::{Reader, opened};
use crate::store::guarded::guarded;

/// Rows decoded at once.
const ROWS: usize = 1024;

/// Where the columns are.
struct Places {
    item: usize,
    features: usize,
    /// The definition level of a factor that is there.
    full: i16,
}

/// Adds the rows of a file to `given`; other columns are left alone.
pub fn read(file: File, path: &Path, given: &mut GivenFactors) -> Result<(), FactorsError> {
    let file = opened(file).map_err(|reason| FactorsError::form(path, reason))?;
    let places = places(file.metadata().file_metadata().schema_descr(), path)?;
    let mut number = 0;
    for group in 0..file.num_row_groups() {
        let damaged = |error: ParquetError| FactorsError::form(path, error.to_string());
        let group = guarded(|| file.get_row_group(group)).map_err(damaged)?;
        let numbers = group.metadata().columns().get(places.features).map_or(0, |column| column.num_values());
        let mut left = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
        if usize::try_from(numbers).unwrap_or(usize::MAX) / MOST_FACTORS > left {
            let reason = format!("{numbers} factors in {left} rows; at most {MOST_FACTORS} a row are supported");
            return Err(FactorsError::form(path, reason));
        }
        let (mut ids, mut features) = guarded(|| {
            let ids = Reader::new(group.get_column_reader(places.item)?);
            Ok((ids, Lists::new(group.get_column_reader(places.features)?, places.full)))
        })
        .map_err(damaged)?;
        while left > 0 {
            let rows = left.min(ROWS);
            guarded(|| ids.fill(rows).and_then(|()| features.fill(rows))).map_err(damaged)?;
            for (id, values) in ids.cells.iter().zip(&features.lists) {
                number += 1;
                let row = |reason: String| FactorsError::row(path, number, reason);
                let id = id.text("item").map_err(row)?;
                let id = ItemId::new(&id).map_err(|error| row(format!("item: {error}")))?;
                let Some(values) = values else {
                    return Err(row(format!("features: item {id} has a gap among its factors, or none")));
                };
                given.push(id, values).map_err(FactorsError::refused(path))?;
            }
            left -= rows;
        }
    }
    Ok(())
}

fn places(schema: &SchemaDescriptor, path: &Path) -> Result<Places, FactorsError> {
    let columns = schema.columns();
    let named = |name: &str| {
        let is = |parts: &[String]| parts.first().is_some_and(|part| part.trim().eq_ignore_ascii_case(name));
        columns.iter().position(|column| is(column.path().parts()))
    };
    let missing = |wanted| {
        let found = columns.iter().map(|column| column.path().string()).collect::<Vec<_>>().join(", ");
        FactorsError::Missing { file: path.to_owned(), wanted, found }
    };
    let item = named("item").or_else(|| named("id")).ok_or_else(|| missing("a column item or id"))?;
    let features = named("features").ok_or_else(|| missing("a column features"))?;
    let level = |place: usize| columns.get(place).map_or((0, 0), |c| (c.max_rep_level(), c.max_def_level()));
    if level(item).0 != 0 {
        return Err(FactorsError::form(path, "the items' column is a list; it must be flat"));
    }
    let (depth, full) = level(features);
    if depth != 1 {
        return Err(FactorsError::form(path, "the column features is no list of numbers"));
    }
    Ok(Places { item, features, full })
}

/// A column of lists: its reader and the rows at hand.
struct Lists {
    column: ColumnReader,
    full: i16,
    /// None for a row without a list, with an empty one, or with a gap in it.
    lists: Vec<Option<Vec<f32>>>,
}

impl Lists {
    const fn new(column: ColumnReader, full: i16) -> Self {
        Self { column, full, lists: Vec::new() }
    }

    fn fill(&mut self, rows: usize) -> Result<(), ParquetError> {
        let (full, lists) = (self.full, &mut self.lists);
        match &mut self.column {
            ColumnReader::FloatColumnReader(column) => fill(column, full, rows, lists, |value| value),
            ColumnReader::DoubleColumnReader(column) => fill(column, full, rows, lists, |value| value as f32),
            _ => Err(ParquetError::General("the column features has no floats".into())),
        }
    }
}

fn fill<T: DataType>(
    column: &mut ColumnReaderImpl<T>,
    full: i16,
    rows: usize,
    lists: &mut Vec<Option<Vec<f32>>>,
    float: impl Fn(T::T) -> f32,
) -> Result<(), ParquetError> {
    let (mut values, mut defined, mut repeated) = (Vec::new(), Vec::new(), Vec::new());
    let (records, ..) = column.read_records(rows, Some(&mut defined), Some(&mut repeated), &mut values)?;
    if records != rows {
        return Err(ParquetError::General("a column is shorter than another".into()));
    }
    lists.clear();
    let mut values = values.into_iter();
    for (defined, repeated) in defined.into_iter().zip(repeated) {
        if repeated == 0 {
            lists.push(Some(Vec::new()));
        }
        let value = if defined == full { values.next() } else { None };
        if let Some(list) = lists.last_mut() {
            match (value, list.as_mut()) {
                (Some(value), Some(list)) => list.push(float(value)),
                _ => *list = None,
            }
        }
    }
    Ok(())
}
