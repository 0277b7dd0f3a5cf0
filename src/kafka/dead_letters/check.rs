//! What a replay would do, without doing it: each letter that waits is decoded as its topic's reader would.

use std::sync::Arc;
use std::time::Duration;

use super::list::show;
use super::session::{Session, Until};
use super::{DeadLettersError, DeadRecord, Reading, Source};
use crate::kafka::codec::{decode_events, decode_request};
use crate::kafka::dead_letter;
use crate::kafka::record::Record;

/// Records, and about how many bytes, that are read of a partition at once.
const FILL: (usize, usize) = (200, 4 << 20);

/// Longest time that one fill may take.
const STEP: Duration = Duration::from_secs(20);

/// Unreadable letters that are named, at most.
const NAMED: usize = 100;

/// What would become of letters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checked {
    /// How many can be read now.
    pub readable: u64,
    /// How many would come back as dead letters.
    pub unreadable: u64,
    /// Some of those, at most a hundred, each with the reason it has now.
    pub named: Vec<DeadRecord>,
}

/// Decodes at most `limit` letters that wait.
pub(super) fn check(
    session: &Session,
    sources: &[Source],
    reading: Reading,
    limit: usize,
    deserted: &dyn Fn() -> bool,
) -> Result<Checked, DeadLettersError> {
    let mut checked = Checked::default();
    let mut left = limit;
    for source in sources {
        for lane in session.lanes(&source.dead, &Until::after(STEP))? {
            let mut next = lane.next;
            while next < lane.high && left > 0 && !deserted() {
                let read = session.read(&lane, next, (FILL.0.min(left), FILL.1), &Until::after(STEP))?;
                next = read.next;
                for letter in read.records {
                    let Some(record) = origin(&letter, source) else { continue };
                    left -= 1;
                    let Err(reason) = reading.read(&record, source) else {
                        checked.readable += 1;
                        continue;
                    };
                    checked.unreadable += 1;
                    if checked.named.len() < NAMED {
                        checked.named.push(DeadRecord { reason, ..show(letter, source, &lane).1 });
                    }
                }
            }
        }
    }
    Ok(checked)
}

/// The record as it would come back; none of a letter that a replay passes over.
fn origin(letter: &Record, source: &Source) -> Option<Record> {
    let (own, said) = dead_letter::open(&letter.headers)?;
    (*said.topic == *source.origin).then(|| Record {
        topic: Arc::clone(&source.origin),
        headers: own.to_vec(),
        ..letter.clone()
    })
}

impl Reading {
    /// Whether the topic's reader could read a record, else why not.
    fn read(self, record: &Record, source: &Source) -> Result<(), String> {
        if source.events {
            decode_events(record, self.events, self.now_ms).map(|_| ()).map_err(|error| error.reason())
        } else {
            decode_request(record, self.requests).map(|_| ()).map_err(|error| error.reason())
        }
    }
}
