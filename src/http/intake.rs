//! Events of one request on their way to the log: read one by one, handed on in bounded batches, counted.
//!
//! A batch that is handed on is waited for before more is read, so that a sender is slowed to the log's pace. When a
//! batch is not taken, nothing behind it is, and the error says how far it came.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::errors::{ApiError, Kind};
use crate::actors::errors::IngestError;
use crate::actors::messages::{Applied, EventBatch, Rejected};
use crate::actors::meters::{Meters, Source};
use crate::model::clock::Clock;
use crate::model::event::{Event, EventError};
use crate::model::wire::BodyError;

/// Bytes of one batch, as the events were written.
pub const BATCH_BYTES: usize = 4 << 20;

/// Refused events that are listed; the others are counted.
const LISTED: usize = 10_000;

/// The code of a line that is not JSON.
pub const NOT_JSON: &str = "not_json";

/// The codes of events whose time is well written but refused.
const REFUSED_TIMES: [&str; 2] = [EventError::TooOld.code(), EventError::Future.code()];

/// Reads one event.
pub type Read = fn(&Value, i64) -> Result<Event, BodyError>;

/// What became of a request's events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Report {
    /// Events that were new; they are durable.
    pub accepted: u64,
    /// Events that were known already.
    pub duplicates: u64,
    /// Events that were refused, by their place among the request's events, from 0.
    pub rejected: Vec<Rejected>,
    /// Refused events that are not listed, where there are more than 10,000.
    #[serde(skip_serializing_if = "is_zero")]
    pub rejected_unlisted: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands the field by reference")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// One request's events.
pub struct Intake<S> {
    submit: S,
    read: Read,
    clock: Clock,
    most: usize,
    meters: Arc<Meters>,
    batch: Vec<Event>,
    places: Vec<usize>,
    bytes: usize,
    next: usize,
    not_json: usize,
    report: Report,
}

impl<S: AsyncFn(EventBatch) -> Result<Applied, IngestError>> Intake<S> {
    /// An intake that reads events by `read` and hands at most `most` at a time to `submit`; those
    /// that it refuses are counted in `meters`.
    pub fn new(submit: S, read: Read, clock: Clock, most: usize, meters: Arc<Meters>) -> Self {
        Self {
            submit,
            read,
            clock,
            most: most.max(1),
            meters,
            batch: Vec::new(),
            places: Vec::new(),
            bytes: 0,
            next: 0,
            not_json: 0,
            report: Report::default(),
        }
    }

    /// Takes one line; a blank one is passed over.
    ///
    /// # Errors
    /// When a full batch was not taken.
    pub async fn line(&mut self, line: &[u8]) -> Result<(), ApiError> {
        if line.trim_ascii().is_empty() {
            return Ok(());
        }
        match serde_json::from_slice(line) {
            Ok(value) => self.value(&value, line.len()).await,
            Err(error) => {
                self.not_json += 1;
                self.refuse(self.next, NOT_JSON, format!("the line is not JSON: {error}"));
                self.next += 1;
                Ok(())
            }
        }
    }

    /// Takes one event, written in `bytes` bytes.
    ///
    /// # Errors
    /// When a full batch was not taken.
    pub async fn value(&mut self, value: &Value, bytes: usize) -> Result<(), ApiError> {
        let place = self.next;
        self.next += 1;
        match (self.read)(value, self.clock.now_ms()) {
            Err(error) => self.refuse(place, error.code, error.to_string()),
            Ok(event) => {
                self.batch.push(event);
                self.places.push(place);
                self.bytes += bytes;
            }
        }
        if self.batch.len() >= self.most || self.bytes >= BATCH_BYTES { self.flush().await } else { Ok(()) }
    }

    /// Takes the only event of a request. One whose form is wrong is a bad request; one whose time is refused is
    /// reported by its index, as in a batch.
    ///
    /// # Errors
    /// 400 naming the field, or when the event was not taken.
    pub async fn alone(mut self, value: &Value) -> Result<Report, ApiError> {
        match (self.read)(value, self.clock.now_ms()) {
            Err(error) if !REFUSED_TIMES.contains(&error.code) => {
                self.meters.rejected.add([Source::Http.name(), error.code], 1);
                Err(error.into())
            }
            Ok(_) | Err(_) => {
                self.value(value, 0).await?;
                self.finish().await
            }
        }
    }

    /// Hands on what is left and reports.
    ///
    /// # Errors
    /// When the last batch was not taken; 400 when nothing that came was JSON.
    pub async fn finish(mut self) -> Result<Report, ApiError> {
        self.flush().await?;
        if self.not_json > 0 && self.not_json == self.next {
            let detail = self.report.rejected.first().map_or("", |rejected| &rejected.error);
            return Err(ApiError::new(Kind::Invalid, format!("the body is not JSON: {detail}")));
        }
        self.report.rejected.sort_by_key(|rejected| rejected.index);
        Ok(self.report)
    }

    /// Hands on what came before the body broke off with `error`, and says how far that was.
    pub async fn broken_off(mut self, error: ApiError) -> ApiError {
        match self.flush().await {
            Err(refused) => refused,
            Ok(()) => self.so_far(self.next, error),
        }
    }

    /// Refuses an event that did not get to the log, which counts those that it refuses itself.
    fn refuse(&mut self, index: usize, code: &str, error: String) {
        self.meters.rejected.add([Source::Http.name(), code], 1);
        self.reject(index, code, error);
    }

    fn reject(&mut self, index: usize, code: &str, error: String) {
        if self.report.rejected.len() < LISTED {
            self.report.rejected.push(Rejected { index, code: code.to_owned(), error });
        } else {
            self.report.rejected_unlisted += 1;
        }
    }

    async fn flush(&mut self) -> Result<(), ApiError> {
        let Some(&first) = self.places.first() else { return Ok(()) };
        let batch = EventBatch { events: std::mem::take(&mut self.batch), ..EventBatch::default() };
        let places = std::mem::take(&mut self.places);
        self.bytes = 0;
        match (self.submit)(batch).await {
            Err(error) => Err(self.so_far(first, error.into())),
            Ok(applied) => {
                self.report.accepted += applied.accepted;
                self.report.duplicates += applied.duplicates;
                for rejected in applied.rejected {
                    let place = places.get(rejected.index).copied().unwrap_or(rejected.index);
                    self.reject(place, &rejected.code, rejected.error);
                }
                Ok(())
            }
        }
    }

    /// The error, with how much of the request was settled before it: all events before place `until`.
    fn so_far(&self, until: usize, error: ApiError) -> ApiError {
        let before = match until {
            0 => "nothing of the request was taken in: ".to_owned(),
            _ => format!(
                "the first {until} events of the request were settled, nothing from index {until} on was taken in: "
            ),
        };
        let rejected: Vec<&Rejected> = self.report.rejected.iter().filter(|rejected| rejected.index < until).collect();
        error
            .after(&before)
            .with("settled", until)
            .with("accepted", self.report.accepted)
            .with("duplicates", self.report.duplicates)
            .with("rejected", serde_json::to_value(rejected).unwrap_or_default())
    }
}

#[cfg(test)]
#[path = "intake_tests.rs"]
mod tests;
