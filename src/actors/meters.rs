//! What the actors count of their work, as `/metrics` tells it. Counting takes an atomic addition where it is done often, and
//! a lock for a moment where it is seldom.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::histogram::Histogram;
use super::messages::Applied;
use crate::kafka::outlet::Sent;
use crate::kafka::record::Record;
use crate::model::run::{RunRecord, RunStatus};

/// Bounds for what is told within moments, and may be days late after an outage; seconds.
const FRESHNESS: [f64; 16] =
    [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 600.0, 3600.0];

/// Bounds for the steps of a swap, from a pointer's to that of a large model's read from far away; seconds.
const SWAPS: [f64; 10] = [1e-6, 1e-5, 1e-4, 0.001, 0.01, 0.1, 0.5, 1.0, 10.0, 60.0];

/// Bounds for runs, seconds.
const RUNS: [f64; 10] = [1.0, 5.0, 15.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 14_400.0];

/// Most series of one [`Counts`]; what is beyond is counted as [`OTHER`].
const MOST: usize = 100;

/// What stands for labels beyond [`MOST`].
const OTHER: &str = "other";

/// How events come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// By the topic of events.
    Kafka,
    /// By HTTP, to this process.
    Http,
    /// From a watched file.
    Import,
}

impl Source {
    /// Its label.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kafka => "kafka",
            Self::Http => "http",
            Self::Import => "import",
        }
    }
}

/// Counters with names that are known beforehand, so that each is there from 0 on.
#[derive(Debug)]
pub struct Counters<const N: usize>([(&'static str, AtomicU64); N]);

impl<const N: usize> Counters<N> {
    fn of(names: [&'static str; N]) -> Self {
        Self(names.map(|name| (name, AtomicU64::new(0))))
    }

    /// Counts; a name that is not known is passed over.
    pub fn add(&self, name: &str, by: u64) {
        if let Some((_, count)) = self.0.iter().find(|(known, _)| *known == name) {
            count.fetch_add(by, Ordering::Relaxed);
        }
    }

    /// Each name with its count.
    pub fn each(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.0.iter().map(|(name, count)| (*name, count.load(Ordering::Relaxed)))
    }
}

/// Counters by two labels that show as they come, for what is seldom.
#[derive(Debug, Default)]
pub struct Counts(Mutex<BTreeMap<[String; 2], u64>>);

impl Counts {
    /// Counts.
    pub fn add(&self, labels: [&str; 2], by: u64) {
        let mut counts = self.0.lock();
        let [first, second] = labels.map(str::to_owned);
        let key = [first, second];
        let room = counts.len() < MOST || counts.contains_key(&key);
        *counts.entry(if room { key } else { [OTHER, OTHER].map(str::to_owned) }).or_default() += by;
    }

    /// Each pair of labels with its count, in order.
    #[must_use]
    pub fn each(&self) -> BTreeMap<[String; 2], u64> {
        self.0.lock().clone()
    }
}

/// Everything that the actors of one process count.
#[derive(Debug)]
pub struct Meters {
    /// New events by source.
    pub accepted: Counters<3>,
    /// Events that were known already, by source.
    pub duplicates: Counters<3>,
    /// Events that were refused, by source and reason.
    pub rejected: Counts,
    /// Records put among the dead letters, by topic and reason.
    pub dead_letters: Counts,
    /// From a record's time, or an event's arrival by HTTP, until the next request sees it.
    pub visible: Histogram,
    /// From the time of a request's record until its reply is delivered.
    pub reply_times: Histogram,
    /// Requests of the topic that were answered, with or without a time.
    pub replies: AtomicU64,
    /// Runs that are over, by outcome.
    pub runs: Counters<4>,
    /// From a run's begin to its end.
    pub run_times: Histogram,
    /// What the gate said.
    pub verdicts: Counters<2>,
    /// Records for the topics of versions and of models, by what became of them, each attempt that is repeated too.
    pub told: Counters<3>,
    /// A version read from the store.
    pub load: Histogram,
    /// A loaded version bound to the catalogue.
    pub bind: Histogram,
    /// The pointer that every answer begins with, put on another version.
    pub swap: Histogram,
    /// How old the newest event in the live version's data was when it began to answer, seconds.
    pub data_age_at_swap: Mutex<Option<f64>>,
}

impl Default for Meters {
    fn default() -> Self {
        let sources = || Counters::of([Source::Kafka, Source::Http, Source::Import].map(Source::name));
        Self {
            accepted: sources(),
            duplicates: sources(),
            rejected: Counts::default(),
            dead_letters: Counts::default(),
            visible: Histogram::new(&FRESHNESS),
            reply_times: Histogram::new(&FRESHNESS),
            replies: AtomicU64::new(0),
            runs: Counters::of(["succeeded", "refused", "failed", "cancelled"]),
            run_times: Histogram::new(&RUNS),
            verdicts: Counters::of(["passed", "refused"]),
            told: Counters::of([Sent::Delivered, Sent::Again, Sent::Lost].map(Sent::name)),
            load: Histogram::new(&SWAPS),
            bind: Histogram::new(&SWAPS),
            swap: Histogram::new(&SWAPS),
            data_age_at_swap: Mutex::default(),
        }
    }
}

impl Meters {
    /// Counts what became of a batch.
    pub fn took_in(&self, source: Source, applied: &Applied) {
        self.accepted.add(source.name(), applied.accepted);
        self.duplicates.add(source.name(), applied.duplicates);
        for rejected in &applied.rejected {
            self.rejected.add([source.name(), &rejected.code], 1);
        }
    }

    /// Counts a run that is over, and the gate's verdict where it came to one.
    pub fn ran(&self, run: &RunRecord) {
        let outcome = match run.status {
            RunStatus::Succeeded => "succeeded",
            RunStatus::Refused => "refused",
            RunStatus::Failed => "failed",
            RunStatus::Cancelled => "cancelled",
            RunStatus::Queued | RunStatus::Running => return,
        };
        if let (Some(began), Some(ended)) = (run.started_ms, run.finished_ms) {
            self.run_times.record(Duration::from_millis(u64::try_from(ended - began).unwrap_or(0)));
        }
        if let Some(gate) = &run.gate {
            self.verdicts.add(if gate.passed { "passed" } else { "refused" }, 1);
        }
        self.runs.add(outcome, 1);
    }

    /// Counts a delivered reply to a request of this age.
    pub fn replied(&self, age: Option<Duration>) {
        if let Some(age) = age {
            self.reply_times.record(age);
        }
        self.replies.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a dead letter by the short name that its reason begins with.
    pub fn buried(&self, record: &Record, reason: &str) {
        let code = reason.split(':').next().unwrap_or_default();
        self.dead_letters.add([&record.topic, code], 1);
    }
}

/// How long ago a record was written, where it says so; a clock that is ahead of ours makes it now.
#[must_use]
pub fn age(record: &Record, now_ms: i64) -> Option<Duration> {
    record.timestamp_ms.map(|time| Duration::from_millis(u64::try_from(now_ms - time).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_that_keep_coming_end_up_in_one() {
        let counts = Counts::default();
        for n in 0..2 * MOST {
            counts.add(["events", &n.to_string()], 1);
        }
        counts.add(["events", "7"], 4);
        let found = counts.each();
        assert_eq!(found.len(), MOST + 1);
        assert_eq!(found[&["events".to_owned(), "7".to_owned()]], 5);
        assert_eq!(found[&[OTHER.to_owned(), OTHER.to_owned()]], MOST as u64);
    }
}
