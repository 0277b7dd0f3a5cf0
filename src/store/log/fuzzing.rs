//! Laws of the log's files, for the targets in `fuzz/` and the tests; see [`crate::model::fuzzing`]. Where bytes stand under
//! a sum they are tried as they are and under the right one, which made-up bytes never have.
#![expect(clippy::unwrap_used, reason = "a law that does not hold panics")]

use std::ops::{ControlFlow, Range};
use std::path::Path;

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_64;

use super::codec;
use super::journal::{Journal, MAGIC};
use super::list::SegmentList;
use super::mark;
use super::segment::SegmentReader;
use super::tables::check_row;
use crate::model::fuzzing::Law;
use crate::store::import::fuzzing::Scratch;

/// Rows of the tail and of the tables, the list of segments, the mark, fjall's journals.
pub const LOG: [Law; 6] = [
    ("tail rows", tail_row),
    ("table rows", table_rows),
    ("segment list", segment_list),
    ("mark", acknowledged),
    ("journals", |bytes| journal(bytes).is_some_and(|batches| batches > 0)),
    ("batches of journals", batch),
];

/// Rows of a segment that are looked at, since few bytes may unpack to millions.
const MOST: u64 = 50_000;

/// Sealed segments.
pub const SEGMENT: Law = ("segments", segment);

fn tail_row(bytes: &[u8]) -> bool {
    assert!(codec::head(bytes).is_ok() || codec::decode(bytes).is_err());
    let summed = [&xxh3_64(bytes).to_le_bytes(), bytes].concat();
    let Ok(row) = codec::decode(&summed) else { return false };
    assert_eq!(codec::head(&summed).unwrap().events, row.events.len() as u64);
    // Compared as bytes: a value may be NaN.
    let written = codec::encode(row.last, row.arrival_ms, row.events.iter()).unwrap();
    let again = codec::decode(&written).unwrap();
    assert_eq!(codec::encode(again.last, again.arrival_ms, again.events.iter()).unwrap(), written);
    true
}

fn table_rows(bytes: &[u8]) -> bool {
    let (key, value) = bytes.split_at(bytes.iter().position(|&byte| byte == b'\n').unwrap_or(0));
    let value = value.get(1..).unwrap_or_default();
    let tables = ["tail", "ids", "offsets", "erased", "items", "runs", "imports", "notes", "none"];
    tables.map(|table| check_row(table, key, value).is_ok()).contains(&true)
}

fn segment_list(bytes: &[u8]) -> bool {
    let path = Path::new("segments.json");
    let whole = SegmentList::parse(path, bytes);
    let list = match (&whole, serde_json::from_slice::<SegmentList>(bytes)) {
        (Ok(list), _) => list.clone(),
        (Err(_), Ok(list)) => list,
        (Err(_), Err(_)) => return false,
    };
    assert_eq!(SegmentList::parse(path, &list.bytes(path).unwrap()).unwrap(), list);
    let ends = list.segments.iter().map(|segment| segment.last).chain([0, u64::MAX]);
    for acknowledged in ends {
        match list.coverage(&[(1, 5), (6, 6)], acknowledged) {
            Ok(last) => assert!(last >= acknowledged),
            Err((first, last)) => assert!(first <= last),
        }
    }
    whole.is_ok()
}

fn acknowledged(bytes: &[u8]) -> bool {
    match mark::parse(bytes) {
        mark::Marked::Seq(seq) => {
            assert_eq!(mark::bytes(seq), bytes);
            true
        }
        mark::Marked::Nothing => !bytes.is_empty(),
        mark::Marked::Unreadable => false,
    }
}

/// How many whole batches are in a journal. What is found in it lies in order and overlaps nowhere.
fn journal(bytes: &[u8]) -> Option<usize> {
    let mut journals = [Journal::scan(Path::new("0.jnl"), bytes)];
    let [found] = &journals;
    let torn = (!found.torn.is_empty()).then(|| found.torn.clone());
    let mut parts: Vec<Range<usize>> = found.batches.iter().chain(&found.damaged).cloned().chain(torn).collect();
    parts.sort_by_key(|part| part.start);
    let mut end = 0;
    for part in &parts {
        assert!(part.start == end && part.end > end, "{parts:?}");
        end = part.end;
    }
    assert!(end <= bytes.len());
    let batches = found.batches.len();
    let damaged = found.damaged.len();
    super::journal::judge_numbers(&mut journals);
    let [judged] = &journals;
    assert_eq!(judged.batches.len() + judged.damaged.len(), batches + damaged);
    Some(batches)
}

/// The bytes are the items of a batch, the first their count.
fn batch(bytes: &[u8]) -> bool {
    let Some((&count, items)) = bytes.split_first() else { return false };
    let mut whole = vec![1];
    whole.extend(u32::from(count).to_le_bytes());
    whole.extend(7_u64.to_le_bytes());
    whole.extend(items);
    whole.push(3);
    whole.extend(xxh3_64(items).to_le_bytes());
    whole.extend(MAGIC);
    journal(&[&*whole, &whole, bytes, &whole].concat());
    journal(&whole) == Some(1)
}

fn segment(bytes: &[u8]) -> bool {
    let parsed = SegmentReader::parse(Path::new("1-2.parquet").to_owned(), Bytes::copy_from_slice(bytes), true);
    let Ok(reader) = parsed else { return false };
    let mut rows = 0_u64;
    let read = reader.each(&mut |_, _, event| {
        assert!(!event.user.as_str().is_empty() && !event.item.as_str().is_empty());
        rows += 1;
        if rows < MOST { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    let scratch = Scratch::new(bytes);
    let Ok(entry) = SegmentReader::open_unlisted(&scratch.0).and_then(|reader| reader.entry()) else { return false };
    if read.as_ref().is_ok_and(ControlFlow::is_continue) {
        assert_eq!((entry.rows, entry.bytes), (rows, bytes.len() as u64));
    }
    read.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_laws_hold_on_the_committed_files() {
        crate::model::fuzzing::hold_the_corpus("log", &[&LOG]);
        crate::model::fuzzing::hold_the_corpus("parquet", &[&[SEGMENT], &[crate::store::import::fuzzing::PARQUET]]);
    }
}
