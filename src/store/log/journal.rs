//! A look at fjall's journals before fjall opens them.
//!
//! fjall ends a journal at the first entry that it cannot read and throws away what is behind, or refuses the whole
//! database. Here the journals are only read: a torn end (nothing whole behind it) is told from damage (whole batches
//! behind it), so that nothing is lost before somebody has decided. The layout is that of fjall 3 (`FJL\x03`): a batch is
//! a start `1 | items u32 | seqno u64`, the items `2 | kind u8 | compression u8 | table u64 | key length u16 | length u32 |
//! stored length u32 | key | value` or clears `4 | table u64`, and an end `3 | xxh3 of the items u64 | FJL\x03`. The sum
//! leaves the sequence number out, which says what overwrites what; but fjall writes batches in its order, so that one out
//! of line is known for damaged.

use std::ops::Range;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;

use super::error::LogError;

/// What fjall writes into its file `version` and behind each batch.
pub const MAGIC: [u8; 4] = *b"FJL\x03";

/// Between two batches lie a few sequence numbers that tables took for themselves, never as many as this.
const LEAP: u64 = 1 << 32;

/// One journal as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Journal {
    /// The file.
    pub path: PathBuf,
    /// The bytes of each whole batch, in order.
    pub batches: Vec<Range<usize>>,
    /// Stretches that are not whole batches and have whole ones behind them, and batches that are out of line.
    pub damaged: Vec<Range<usize>>,
    /// Bytes behind the last whole batch, up to the last that is not zero; empty where the journal ends cleanly.
    pub torn: Range<usize>,
    /// The sequence number of each whole batch.
    numbers: Vec<u64>,
}

impl Journal {
    /// Reads a journal without changing it.
    ///
    /// # Errors
    /// [`LogError::Io`].
    pub fn read(path: &Path) -> Result<Self, LogError> {
        let bytes = std::fs::read(path).map_err(LogError::io(path))?;
        Ok(Self::scan(path, &bytes))
    }

    pub(super) fn scan(path: &Path, bytes: &[u8]) -> Self {
        let used = used(bytes);
        let (batches, damaged, numbers) = (Vec::new(), Vec::new(), Vec::new());
        let mut found = Self { path: path.to_owned(), batches, damaged, torn: 0..0, numbers };
        let mut at = 0;
        while at < used {
            if let Some((end, number)) = batch_end(bytes, at) {
                found.batches.push(at..end);
                found.numbers.push(number);
                at = end;
                continue;
            }
            let next = (at + 1..used).find_map(|place| batch_end(bytes, place).map(|_| place));
            let Some(next) = next else {
                found.torn = at..used;
                break;
            };
            found.damaged.push(at..next);
            at = next;
        }
        found
    }
}

/// Where the zeros begin that fjall fills a new journal with.
fn used(bytes: &[u8]) -> usize {
    const ZEROS: [u8; 4096] = [0; 4096];
    let block = bytes.chunks(ZEROS.len()).rposition(|block| !ZEROS.starts_with(block));
    let near = block.map_or(0, |block| bytes.len().min((block + 1) * ZEROS.len()));
    let bytes = bytes.get(..near).unwrap_or(bytes);
    bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1)
}

/// Where the whole batch that begins at `start` ends, and its sequence number; none if there is none.
fn batch_end(bytes: &[u8], start: usize) -> Option<(usize, u64)> {
    let mut rest = Cursor { bytes, at: start };
    let (1, items, number) = (rest.u8()?, rest.u32()?, rest.u64()?) else { return None };
    let items_at = rest.at;
    for _ in 0..items {
        match rest.u8()? {
            2 => {
                rest.skip(1 + 1 + 8)?;
                let key = usize::from(rest.u16()?);
                rest.skip(4)?;
                let value = usize::try_from(rest.u32()?).ok()?;
                rest.skip(key)?;
                rest.skip(value)?;
            }
            4 => rest.skip(8)?,
            _ => return None,
        }
    }
    let sum = xxh3_64(bytes.get(items_at..rest.at)?);
    let whole = rest.u8()? == 3 && rest.u64()? == sum && rest.take::<4>()? == MAGIC;
    whole.then_some((rest.at, number))
}

/// Takes the batches whose sequence numbers are out of line for damaged.
pub(super) fn judge_numbers(journals: &mut [Journal]) {
    let all: Vec<u64> = journals.iter().flat_map(|journal| &journal.numbers).copied().collect();
    let mut place = 0;
    let mut before = None;
    for journal in journals {
        let (batches, numbers) = (std::mem::take(&mut journal.batches), std::mem::take(&mut journal.numbers));
        for (batch, number) in batches.into_iter().zip(numbers) {
            place += 1;
            if in_line(before, number, all.get(place..).unwrap_or_default()) {
                before = Some(number);
                journal.batches.push(batch);
                journal.numbers.push(number);
            } else {
                journal.damaged.push(batch);
            }
        }
        journal.damaged.sort_by_key(|stretch| stretch.start);
    }
}

/// Whether a batch's number lies between those of its neighbours. Of two in the wrong order the one is wrong that does not
/// fit what comes behind them either.
fn in_line(before: Option<u64>, number: u64, behind: &[u64]) -> bool {
    let lowest = before.map_or(0, |before| before.saturating_add(1));
    // The first one there is may come late in the folder's life.
    let leaps = number.saturating_sub(lowest) >= before.map_or(LEAP << 16, |_| LEAP);
    let passes = match behind {
        [next, after, ..] => number >= *next && *next >= lowest && number >= *after,
        [next] => number >= *next && *next >= lowest,
        [] => false,
    };
    number >= lowest && !leaps && !passes
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let taken = self.bytes.get(self.at..)?.first_chunk::<N>().copied()?;
        self.at += N;
        Some(taken)
    }

    fn skip(&mut self, count: usize) -> Option<()> {
        let to = self.at.checked_add(count)?;
        (to <= self.bytes.len()).then(|| self.at = to)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take().map(u8::from_le_bytes)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }
}

/// The journals of a folder of tables, oldest first; none where the folder is not there yet.
///
/// # Errors
/// [`LogError::Io`].
pub fn read_all(tables: &Path) -> Result<Vec<Journal>, LogError> {
    let entries = match std::fs::read_dir(tables) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(LogError::Io { file: tables.to_owned(), source }),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(LogError::io(tables))?.path();
        let number = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse::<u64>().ok());
        if let (Some(number), Some("jnl")) = (number, path.extension().and_then(|ext| ext.to_str())) {
            paths.push((number, path));
        }
    }
    paths.sort();
    let mut journals = paths.iter().map(|(_, path)| Journal::read(path)).collect::<Result<Vec<_>, _>>()?;
    judge_numbers(&mut journals);
    Ok(journals)
}

/// The first damage in the journals: a stretch with whole batches behind it, in its own journal or a later one, or a batch
/// with a wrong number.
#[must_use]
pub fn damage(journals: &[Journal]) -> Option<(PathBuf, String)> {
    for (place, journal) in journals.iter().enumerate() {
        let whole_later = journals.iter().skip(place + 1).any(|later| !later.batches.is_empty());
        let torn = (whole_later && !journal.torn.is_empty()).then_some(&journal.torn);
        if let Some(stretch) = journal.damaged.first().or(torn) {
            let reason = format!("bytes {} to {} are not what was written there", stretch.start, stretch.end);
            return Some((journal.path.clone(), reason));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(table: u64, values: &[&str]) -> Vec<u8> {
        numbered(5, table, values)
    }

    fn numbered(number: u64, table: u64, values: &[&str]) -> Vec<u8> {
        let mut items = Vec::new();
        for value in values {
            items.extend([2, 0, 0]);
            items.extend(table.to_le_bytes());
            items.extend(3_u16.to_le_bytes());
            items.extend(u32::try_from(value.len()).unwrap().to_le_bytes());
            items.extend(u32::try_from(value.len()).unwrap().to_le_bytes());
            items.extend(b"key");
            items.extend(value.as_bytes());
        }
        let mut bytes = vec![1];
        bytes.extend(u32::try_from(values.len()).unwrap().to_le_bytes());
        bytes.extend(number.to_le_bytes());
        bytes.extend(&items);
        bytes.push(3);
        bytes.extend(xxh3_64(&items).to_le_bytes());
        bytes.extend(MAGIC);
        bytes
    }

    #[test]
    fn what_fjall_writes_is_read_whole() {
        let dir = tempfile::tempdir().unwrap();
        let tables = dir.path().join("tables");
        {
            let db = fjall::Database::builder(&tables).open().unwrap();
            let table = db.keyspace("t", fjall::KeyspaceCreateOptions::default).unwrap();
            for n in 0..5_u8 {
                let mut batch = db.batch().durability(Some(fjall::PersistMode::SyncAll));
                batch.insert(&table, [n], vec![n; 1000]);
                batch.remove(&table, [n + 100]);
                batch.commit().unwrap();
            }
            table.insert("single", "value").unwrap();
        }
        let journals = read_all(&tables).unwrap();
        assert_eq!(journals.iter().map(|j| j.batches.len()).sum::<usize>(), 6);
        assert!(journals.iter().all(|j| j.damaged.is_empty() && j.torn.is_empty()));
        assert_eq!(damage(&journals), None);
    }

    #[test]
    fn a_batch_out_of_line_is_damaged_and_its_neighbours_are_not() {
        let judged = |numbers: &[&[u64]]| {
            let path = Path::new("0.jnl");
            let mut journals: Vec<Journal> = numbers
                .iter()
                .map(|numbers| {
                    let bytes: Vec<u8> = numbers.iter().flat_map(|&number| numbered(number, 1, &["a"])).collect();
                    Journal::scan(path, &bytes)
                })
                .collect();
            judge_numbers(&mut journals);
            journals.iter().map(|journal| journal.numbers.clone()).collect::<Vec<_>>()
        };
        assert_eq!(judged(&[&[3, 5, 6], &[9]]), [vec![3, 5, 6], vec![9]]);
        assert_eq!(judged(&[&[3, 500, 6], &[9]]), [vec![3, 6], vec![9]], "too high");
        assert_eq!(judged(&[&[3, 1, 6], &[9]]), [vec![3, 6], vec![9]], "too low");
        assert_eq!(judged(&[&[300, 5, 6], &[9]]), [vec![5, 6], vec![9]], "the first");
        assert_eq!(judged(&[&[3, 5, 600], &[9]]), [vec![3, 5], vec![9]], "the last of a journal");
        assert_eq!(judged(&[&[3, 5, 6], &[1, 10]]), [vec![3, 5, 6], vec![10]], "the first of the next");
        assert_eq!(judged(&[&[3, 5, 6], &[9 | 1 << 60]]), [vec![3, 5, 6], vec![]], "the last of all");
        assert_eq!(judged(&[&[u64::MAX]]), [Vec::<u64>::new()], "the only one");
    }

    #[test]
    fn a_torn_end_is_told_from_damage_in_the_middle() {
        let (one, two) = (batch(1, &["a", "bc"]), batch(2, &["d"]));
        let path = Path::new("0.jnl");
        let mut bytes = [one.clone(), two.clone()].concat();
        bytes.extend([0; 100]);
        let clean = Journal::scan(path, &bytes);
        assert_eq!(clean.batches, [0..one.len(), one.len()..one.len() + two.len()]);
        assert!(clean.torn.is_empty());

        let cut = Journal::scan(path, &bytes[..one.len() + two.len() - 3]);
        assert_eq!((cut.batches.len(), cut.torn.start), (1, one.len()));
        assert_eq!(damage(std::slice::from_ref(&cut)), None);
        assert!(damage(&[cut, clean]).is_some());

        bytes[20] ^= 1;
        let damaged = Journal::scan(path, &bytes);
        assert_eq!((damaged.damaged.as_slice(), damaged.batches.len()), (std::slice::from_ref(&(0..one.len())), 1));
    }
}
