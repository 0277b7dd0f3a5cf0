//! Listing, from the newest back: filtered, and a page at a time.

use std::collections::VecDeque;
use std::time::Duration;

use super::session::{Lane, Session, Until};
use super::{DeadLettersError, DeadRecord, Source, age};
use crate::kafka::dead_letter::{self, Said};
use crate::kafka::record::Record;

/// Longest time that a page may take.
const LIST: Duration = Duration::from_secs(20);

/// Records that are read of a partition at once.
const CHUNK: i64 = 500;

/// Records that are looked at for a page, at most (and a chunk of each partition).
const LOOKED_AT: usize = 100_000;

/// Bytes of values in a page, at most (and one value).
const BYTES: usize = 32 << 20;

/// Which dead letters are asked for; all where nothing is said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The topic they came from.
    pub topic: Option<String>,
    /// The partition there.
    pub partition: Option<i32>,
    /// A part of the reason, in any case.
    pub reason: Option<String>,
    /// Only those that were not sent back.
    pub waiting: bool,
}

/// A page of dead letters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeadPage {
    /// Newest first.
    pub letters: Vec<DeadRecord>,
    /// Where the next page begins; none when this is the last.
    pub next: Option<String>,
}

/// Where a page begins in one partition: the source's number, the partition, the offset below which it reads.
type Place = (usize, i32, i64);

impl Wanted {
    fn has(&self, letter: &DeadRecord) -> bool {
        let reason = || letter.reason.to_lowercase();
        self.partition.is_none_or(|partition| partition == letter.partition)
            && !(self.waiting && letter.replayed)
            && self.reason.as_ref().is_none_or(|part| reason().contains(&part.to_lowercase()))
    }
}

/// A partition on the way back to its begin.
struct Track<'a> {
    number: usize,
    source: &'a Source,
    lane: Lane,
    /// What is above was read.
    below: i64,
    found: VecDeque<(Record, DeadRecord)>,
}

impl Track<'_> {
    /// Looks back until a letter is found or none is left; gives how many records it looked at.
    fn fill(&mut self, session: &Session, wanted: &Wanted, until: &Until) -> Result<usize, DeadLettersError> {
        let mut looked_at = 0;
        while self.found.is_empty() && self.below > self.lane.low && looked_at < LOOKED_AT {
            let from = (self.below - CHUNK).max(self.lane.low);
            let stretch = Lane { high: self.below, ..self.lane.clone() };
            let read = session.read(&stretch, from, (usize::MAX, usize::MAX), until)?;
            looked_at += read.records.len();
            let shown = read.records.into_iter().rev().map(|record| show(record, self.source, &self.lane));
            self.found.extend(shown.filter(|(_, letter)| wanted.has(letter)));
            self.below = from;
        }
        Ok(looked_at)
    }

    /// Where to read on from; none at the begin.
    fn place(&self) -> Option<Place> {
        let below = self.found.front().map_or(self.below, |(record, _)| record.offset + 1);
        (below > self.lane.low).then_some((self.number, self.lane.partition, below))
    }
}

/// Reads a page.
pub(super) fn page(
    session: &Session,
    sources: &[Source],
    wanted: &Wanted,
    limit: usize,
    begin: Option<&[Place]>,
) -> Result<DeadPage, DeadLettersError> {
    let until = Until::after(LIST);
    let mut tracks = Vec::new();
    for (number, source) in sources.iter().enumerate() {
        if wanted.topic.as_ref().is_some_and(|topic| *source.origin != **topic) {
            continue;
        }
        for lane in session.lanes(&source.dead, &until)? {
            let begins = |place: &&Place| (place.0, place.1) == (number, lane.partition);
            let below = begin.map_or(lane.high, |begin| begin.iter().find(begins).map_or(lane.low, |place| place.2));
            tracks.push(Track { number, source, below: below.min(lane.high), lane, found: VecDeque::new() });
        }
    }
    let (mut letters, mut bytes, mut looked_at) = (Vec::new(), 0, 0);
    while letters.len() < limit && bytes < BYTES && looked_at < LOOKED_AT {
        for track in &mut tracks {
            looked_at += track.fill(session, wanted, &until)?;
        }
        let heads = tracks.iter_mut().filter(|track| !track.found.is_empty());
        let newest = heads.max_by(|one, other| {
            one.found.front().map(|(record, _)| age(record)).cmp(&other.found.front().map(|(record, _)| age(record)))
        });
        let Some((_, letter)) = newest.and_then(|track| track.found.pop_front()) else { break };
        bytes += letter.value.len();
        letters.push(letter);
    }
    let places: Vec<Place> = tracks.iter().filter_map(Track::place).collect();
    Ok(DeadPage { letters, next: (!places.is_empty()).then(|| write_place(&places)) })
}

fn write_place(places: &[Place]) -> String {
    let parts: Vec<String> =
        places.iter().map(|(source, partition, below)| format!("{source}.{partition}.{below}")).collect();
    parts.join("-")
}

/// Reads what [`write_place`] wrote.
pub(super) fn read_place(text: &str) -> Result<Vec<Place>, DeadLettersError> {
    let part = |part: &str| -> Option<Place> {
        let mut numbers = part.split('.');
        let place = (numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?);
        numbers.next().is_none().then_some(place)
    };
    let places: Option<Vec<Place>> = text.split('-').map(part).collect();
    places.ok_or_else(|| DeadLettersError::Page(text.to_owned()))
}

/// What is shown of a letter, beside the letter itself without its value.
pub(super) fn show(mut letter: Record, source: &Source, lane: &Lane) -> (Record, DeadRecord) {
    let value = letter.payload.take().unwrap_or_default();
    let opened = dead_letter::open(&letter.headers).map(|(_, said)| said);
    let unsaid = Said {
        topic: &source.origin,
        partition: letter.partition,
        offset: letter.offset,
        timestamp_ms: letter.timestamp_ms,
        reason: "no dead letter: it lacks the dlq headers and is never sent back",
    };
    let said = opened.unwrap_or(unsaid);
    let shown = DeadRecord {
        topic: said.topic.to_owned(),
        partition: said.partition,
        offset: said.offset,
        timestamp_ms: said.timestamp_ms,
        reason: said.reason.to_owned(),
        value,
        replayed: opened.is_some_and(|said| *said.topic == *source.origin) && letter.offset < lane.next,
    };
    (letter, shown)
}
