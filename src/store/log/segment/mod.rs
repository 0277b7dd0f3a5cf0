//! Sealed segments: Parquet files of events, a row each, that Spark and notebooks can read too.

mod read;
mod write;

pub use read::{SegmentReader, check_sum};
pub use write::SegmentWriter;

use std::sync::Arc;

use parquet::basic::{LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::errors::ParquetError;
use parquet::schema::types::Type;
use serde::{Deserialize, Serialize};

use super::batch::ImportMark;
use crate::model::manifest::PartitionOffset;

/// The key under which a file says what it covers.
const ABOUT: &str = "ouzel.segment";

/// The format of the segments that this build writes.
pub const FORMAT: u32 = 1;

/// The first format; its files do not all say so.
const fn first_format() -> u32 {
    1
}

/// What a segment file says of itself, so that a lost list can be written anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// [`FORMAT`] when it was written.
    #[serde(default = "first_format")]
    pub format: u32,
    /// The first record it covers.
    pub first: u64,
    /// The last record it covers.
    pub last: u64,
    /// The Kafka offsets that were reached with its last record.
    pub offsets: Vec<PartitionOffset>,
    /// How far a file is in the log with this segment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub import: Option<ImportMark>,
}

/// The file's name.
#[must_use]
pub fn file_name(first: u64, last: u64) -> String {
    format!("{first:020}-{last:020}.parquet")
}

/// The name of a segment that takes the place of the one named `old`, of the same records: `…_r0001.parquet`, then
/// `…_r0002.parquet`; in the order of names it comes behind.
#[must_use]
pub fn rewritten_name(old: &str) -> String {
    let stem = old.strip_suffix(".parquet").unwrap_or(old);
    let (records, times) = match stem.rsplit_once("_r").map(|(records, times)| (records, times.parse::<u32>())) {
        Some((records, Ok(times))) => (records, times),
        _ => (stem, 0),
    };
    format!("{records}_r{:04}.parquet", times + 1)
}

/// `seq, user, item, type, value, timestamp?, arrival, id?, recommendation_id?`.
fn schema() -> Result<Arc<Type>, ParquetError> {
    let column = |name: &str, physical: Physical, repetition: Repetition, logical: Option<LogicalType>| {
        let built =
            Type::primitive_type_builder(name, physical).with_repetition(repetition).with_logical_type(logical).build();
        built.map(Arc::new)
    };
    let text = || Some(LogicalType::String);
    let time = || Some(LogicalType::timestamp(true, TimeUnit::MILLIS));
    let fields = vec![
        column("seq", Physical::INT64, Repetition::REQUIRED, None)?,
        column("user", Physical::BYTE_ARRAY, Repetition::REQUIRED, text())?,
        column("item", Physical::BYTE_ARRAY, Repetition::REQUIRED, text())?,
        column("type", Physical::BYTE_ARRAY, Repetition::REQUIRED, text())?,
        column("value", Physical::FLOAT, Repetition::REQUIRED, None)?,
        column("timestamp", Physical::INT64, Repetition::OPTIONAL, time())?,
        column("arrival", Physical::INT64, Repetition::REQUIRED, time())?,
        column("id", Physical::BYTE_ARRAY, Repetition::OPTIONAL, text())?,
        column("recommendation_id", Physical::BYTE_ARRAY, Repetition::OPTIONAL, text())?,
    ];
    Ok(Arc::new(Type::group_type_builder("event").with_fields(fields).build()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_rewritten_segments_follow_each_other() {
        let names: Vec<String> =
            std::iter::successors(Some(file_name(1, 9)), |name| Some(rewritten_name(name))).take(12).collect();
        assert!(names[1].ends_with("9_r0001.parquet") && names[11].ends_with("9_r0011.parquet"), "{names:?}");
        assert!(names.is_sorted());
    }

    #[test]
    fn a_segment_of_a_later_format_is_refused_by_name_and_number() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("later.parquet");
        let about = About { format: FORMAT, first: 1, last: 1, offsets: Vec::new(), import: None };
        SegmentWriter::create(&path).unwrap().finish(&about).unwrap();
        assert!(SegmentReader::open_unlisted(&path).is_ok());
        SegmentWriter::create(&path).unwrap().finish(&About { format: 9, ..about }).unwrap();
        let error = SegmentReader::open_unlisted(&path).err().unwrap().to_string();
        assert!(error.contains("later.parquet: format 9") && error.contains("knows up to 1"), "{error}");
    }
}
