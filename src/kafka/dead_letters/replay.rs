//! Sending back, oldest first across partitions, in windows: read, send, wait for all deliveries, commit.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::runtime::Handle;

use super::session::{Lane, Session, Until};
use super::{DeadLettersError, Source, age};
use crate::kafka::dead_letter;
use crate::kafka::producer::{OutRecord, ProduceError, Producer};
use crate::kafka::record::Record;

/// Letters under way at once.
const WINDOW: usize = 100;

/// Records, and about how many bytes, that are read of a partition at once.
const FILL: (usize, usize) = (200, 4 << 20);

/// Longest time that the partitions' offsets, or one fill of one partition, may take.
const STEP: Duration = Duration::from_secs(20);

/// A partition on its way back.
struct Track {
    lane: Lane,
    origin: Arc<str>,
    /// Where to read on.
    next: i64,
    waiting: VecDeque<Record>,
}

/// A letter whose turn it is; nothing to send of one that is passed over.
struct Turn {
    track: usize,
    offset: i64,
    out: Option<OutRecord>,
}

/// One replay.
pub(super) struct Replay<'a> {
    session: &'a Session,
    producer: &'a Producer,
    runtime: &'a Handle,
    tracks: Vec<Track>,
    replayed: u64,
}

impl<'a> Replay<'a> {
    /// Asks where each partition stands.
    pub(super) fn begin(
        session: &'a Session,
        producer: &'a Producer,
        runtime: &'a Handle,
        sources: &[Source],
    ) -> Result<Self, DeadLettersError> {
        let until = Until::after(STEP);
        let mut tracks = Vec::new();
        for source in sources {
            let lanes = session.lanes(&source.dead, &until)?;
            tracks.extend(lanes.into_iter().map(|lane| {
                let (origin, next) = (Arc::clone(&source.origin), lane.next);
                Track { lane, origin, next, waiting: VecDeque::new() }
            }));
        }
        Ok(Self { session, producer, runtime, tracks, replayed: 0 })
    }

    /// Sends until `limit` are sent, none is left or the caller is gone.
    pub(super) fn run(mut self, limit: usize, deserted: &dyn Fn() -> bool) -> Result<u64, DeadLettersError> {
        let limit = u64::try_from(limit).unwrap_or(u64::MAX);
        while self.replayed < limit && !deserted() {
            self.fill()?;
            let most = usize::try_from(limit - self.replayed).unwrap_or(usize::MAX).min(WINDOW);
            let window = self.window(most);
            if window.is_empty() && self.tracks.iter().all(Track::read_whole) {
                break;
            }
            self.send(window)?;
        }
        tracing::info!(replayed = self.replayed, "dead letters sent back");
        Ok(self.replayed)
    }

    /// Sees to it that of every partition the next letter is known.
    fn fill(&mut self) -> Result<(), DeadLettersError> {
        for track in self.tracks.iter_mut().filter(|track| track.waiting.is_empty() && !track.read_whole()) {
            let read = self.session.read(&track.lane, track.next, FILL, &Until::after(STEP))?;
            track.next = read.next;
            track.waiting.extend(read.records);
        }
        Ok(())
    }

    /// The oldest letters, as far as it is known that they are.
    fn window(&mut self, most: usize) -> Vec<Turn> {
        let mut window = Vec::new();
        while window.len() < most && self.tracks.iter().all(|track| !track.waiting.is_empty() || track.read_whole()) {
            let heads = self.tracks.iter_mut().enumerate().filter(|(_, track)| !track.waiting.is_empty());
            let oldest =
                heads.min_by(|(_, one), (_, other)| one.waiting.front().map(age).cmp(&other.waiting.front().map(age)));
            let Some((at, track)) = oldest else { break };
            let Some(letter) = track.waiting.pop_front() else { break };
            window.push(Turn { track: at, offset: letter.offset, out: back(letter, &track.origin) });
        }
        window
    }

    /// Sends a window in its order, waits for all of it and remembers what went before the first failure of a partition.
    fn send(&mut self, window: Vec<Turn>) -> Result<(), DeadLettersError> {
        let producer = self.producer;
        let sent = window.into_iter().map(|turn| async move {
            let sent = match turn.out {
                Some(out) => producer.send(out).await.map(|()| 1),
                None => Ok(0),
            };
            (turn.track, turn.offset, sent)
        });
        let sent: Vec<(usize, i64, Result<u64, ProduceError>)> = self.runtime.block_on(join_all(sent));
        let (mut reached, mut stuck) = (BTreeMap::new(), BTreeSet::new());
        let mut failure = None;
        for (track, offset, sent) in sent {
            match sent {
                Ok(count) => {
                    self.replayed += count;
                    if !stuck.contains(&track) {
                        reached.insert(track, offset + 1);
                    }
                }
                Err(error) => {
                    stuck.insert(track);
                    failure.get_or_insert(error);
                }
            }
        }
        let reached = reached.iter().filter_map(|(&at, &next)| Some((&self.tracks.get(at)?.lane, next)));
        let committed = self.session.commit(reached);
        if let Err(error) = &committed {
            tracing::warn!(%error, "dead letters were sent back, which could not be remembered: they may be sent again");
        }
        match failure {
            Some(error) => Err(DeadLettersError::Unsent { replayed: self.replayed, error }),
            None => committed,
        }
    }
}

impl Track {
    /// Whether nothing is left to be read.
    fn read_whole(&self) -> bool {
        self.next >= self.lane.high
    }
}

/// The record that a letter holds, on its way back to `origin`; none where it says it came from elsewhere.
fn back(letter: Record, origin: &Arc<str>) -> Option<OutRecord> {
    let place = letter.place();
    let Some((own, said)) = dead_letter::open(&letter.headers).filter(|(_, said)| *said.topic == **origin) else {
        tracing::warn!(record = place, "this is no dead letter of {origin}, it is passed over");
        return None;
    };
    let headers = dead_letter::sent_back(own, &said);
    Some(OutRecord { topic: Arc::clone(origin), key: letter.key, payload: letter.payload, headers })
}
