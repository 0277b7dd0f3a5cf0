//! `segments.json`: which sealed segments belong to the log. Replacing it is the moment in which a segment does.

use std::path::Path;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::batch::ImportMark;
use super::error::LogError;
use super::folder::write_whole;
use crate::model::manifest::PartitionOffset;

/// The format of the list that this build writes.
pub const FORMAT: u32 = 1;

/// One sealed segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// The file's name in the folder `segments`.
    pub file: String,
    /// The first record it covers; item changes and erasures have numbers in between but lie in tables.
    pub first: u64,
    /// The last record it covers.
    pub last: u64,
    /// Events in it.
    pub rows: u64,
    /// The file's length.
    pub bytes: u64,
    /// The SHA-256 of the file's bytes, in hexadecimal.
    pub sha256: String,
    /// The xxh3 of the file's bytes, in hexadecimal: checked whenever the file is read.
    pub xxh3: String,
    /// The Kafka offsets that were reached with its last record.
    pub offsets: Vec<PartitionOffset>,
    /// How far a file is in the log with this segment, when it was written by an import.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub import: Option<ImportMark>,
}

/// Records that are lost, and whose loss was accepted by a repair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// The first lost record.
    pub first: u64,
    /// The last lost record.
    pub last: u64,
    /// What was found.
    pub reason: String,
}

/// The segments, in order, and the accepted gaps.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentList {
    /// The segments in the order of their records; the tail comes behind the last.
    pub segments: Vec<Segment>,
    /// Accepted gaps, in the order of their records.
    #[serde(default)]
    pub gaps: Vec<Gap>,
}

#[derive(Serialize, Deserialize)]
struct ListFile<L> {
    format: u32,
    checksum: String,
    list: L,
}

/// The hexadecimal form of an xxh3 sum.
#[must_use]
pub fn hex_sum(sum: u64) -> String {
    format!("{sum:016x}")
}

impl SegmentList {
    /// Reads the list; none is an empty one.
    ///
    /// # Errors
    /// [`LogError::Damaged`], [`LogError::Format`] for a later build's, [`LogError::Io`].
    pub fn load(path: &Path) -> Result<Self, LogError> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(source) => return Err(LogError::Io { file: path.to_owned(), source }),
        };
        Self::parse(path, &bytes)
    }

    /// Reads the bytes of the list's file `path`.
    ///
    /// # Errors
    /// [`LogError::Damaged`], [`LogError::Format`] for a later build's.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self, LogError> {
        let value: ListFile<serde_json::Value> =
            serde_json::from_slice(bytes).map_err(|e| LogError::damaged(path, e.to_string()))?;
        if value.format > FORMAT {
            return Err(LogError::Format { file: path.to_owned(), found: value.format.to_string(), known: FORMAT });
        }
        let list: Self = serde_json::from_value(value.list).map_err(|e| LogError::damaged(path, e.to_string()))?;
        if list.checksum(path)? != value.checksum {
            return Err(LogError::damaged(path, "its checksum is wrong"));
        }
        Ok(list)
    }

    /// Replaces the list in one durable step.
    ///
    /// # Errors
    /// [`LogError::Io`].
    pub fn save(&self, path: &Path) -> Result<(), LogError> {
        write_whole(path, &self.bytes(path)?)
    }

    /// The bytes of the list's file `path`.
    ///
    /// # Errors
    /// [`LogError::Io`].
    pub fn bytes(&self, path: &Path) -> Result<Vec<u8>, LogError> {
        let file = ListFile { format: FORMAT, checksum: self.checksum(path)?, list: self };
        serde_json::to_vec_pretty(&file).map_err(|e| LogError::io(path)(e.into()))
    }

    fn checksum(&self, path: &Path) -> Result<String, LogError> {
        let bytes = serde_json::to_vec(self).map_err(|e| LogError::io(path)(e.into()))?;
        Ok(hex_sum(xxh3_64(&bytes)))
    }

    /// The last record that is in a segment; 0 where there is none.
    #[must_use]
    pub fn sealed_to(&self) -> u64 {
        self.segments.last().map_or(0, |segment| segment.last)
    }

    /// The list with `new` in the place of `old`; as it is where `old` is not in it.
    #[must_use]
    pub fn replacing(&self, old: &Segment, new: &Segment) -> Self {
        let mut list = self.clone();
        if let Some(place) = list.segments.iter_mut().find(|segment| *segment == old) {
            place.clone_from(new);
        }
        list
    }

    /// The list with one segment more.
    #[must_use]
    pub fn with(&self, segment: Segment) -> Self {
        let mut list = self.clone();
        list.segments.push(segment);
        list
    }

    /// Checks that segments, accepted gaps and the tail's rows (first and last record of each, in order) leave no hole up
    /// to `acknowledged` and do not overlap. Gives the last record, or the hole.
    ///
    /// # Errors
    /// The first and last record that are nowhere.
    pub fn coverage(&self, tail: &[(u64, u64)], acknowledged: u64) -> Result<u64, (u64, u64)> {
        let segments = self.segments.iter().map(|segment| (segment.first, segment.last));
        let gaps = self.gaps.iter().map(|gap| (gap.first, gap.last));
        let mut ranges: Vec<(u64, u64)> = segments.chain(gaps).chain(tail.iter().copied()).collect();
        ranges.sort_unstable();
        let mut last = 0_u64;
        for (from, to) in ranges {
            if from > last.saturating_add(1) {
                return Err((last + 1, from - 1));
            }
            last = last.max(to);
        }
        if last < acknowledged { Err((last + 1, acknowledged)) } else { Ok(last) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(first: u64, last: u64) -> Segment {
        Segment {
            file: format!("{first}-{last}.parquet"),
            first,
            last,
            rows: last - first + 1,
            bytes: 9,
            sha256: "00".into(),
            xxh3: hex_sum(u64::MAX),
            offsets: vec![PartitionOffset { topic: "events".into(), partition: 0, next: 5 }],
            import: Some(ImportMark { content: "ab".into(), lines_done: 3, complete: false }),
        }
    }

    #[test]
    fn the_list_is_read_back_and_changes_are_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("segments.json");
        assert_eq!(SegmentList::load(&path).unwrap(), SegmentList::default());
        let list = SegmentList::default().with(segment(1, 9)).with(segment(10, 12));
        list.save(&path).unwrap();
        assert_eq!(SegmentList::load(&path).unwrap(), list);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("\"last\": 12", "\"last\": 13")).unwrap();
        assert!(matches!(SegmentList::load(&path), Err(LogError::Damaged { .. })));
        std::fs::write(&path, text.replacen("\"format\": 1", "\"format\": 2", 1)).unwrap();
        assert!(matches!(SegmentList::load(&path), Err(LogError::Format { .. })));
    }

    #[test]
    fn a_hole_is_named_unless_it_was_accepted() {
        let mut list = SegmentList::default().with(segment(1, 9)).with(segment(15, 20));
        assert_eq!(list.coverage(&[], 0), Err((10, 14)));
        list.gaps.push(Gap { first: 10, last: 14, reason: String::new() });
        assert_eq!(list.coverage(&[], 0), Ok(20));
        assert_eq!(list.coverage(&[(21, 25)], 25), Ok(25));
        assert_eq!(list.coverage(&[(21, 25), (27, 27)], 0), Err((26, 26)));
        assert_eq!(list.coverage(&[(21, 25)], 30), Err((26, 30)));
        assert_eq!(list.coverage(&[(21, u64::MAX), (22, 23)], 30), Ok(u64::MAX));
    }
}
