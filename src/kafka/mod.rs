//! Kafka: records in and out, and nothing of what they are for.
//!
//! Each stream in is one plain thread with a `BaseConsumer` that polls at most 50 ms at a time and hands owned batches over
//! a bounded channel; when the channel is full the thread goes on polling with its partitions paused. [`events`] follows all
//! partitions of a topic from offsets that the caller keeps, [`requests`] reads in a consumer group and commits what was
//! answered, [`replies`] reads what was answered, [`models`] hears announcements. [`producer`] sends and resolves on the
//! delivery report, [`outlet`] sends behind its callers. [`dead_letters`] lists what could not be read or applied and sends it back. [`codec`] turns records into
//! events and questions and answers into records. [`broker`] says whether a broker is there, [`check`] asks one. [`embedded`] is a broker for
//! demonstrations and tests.

pub mod broker;
pub mod check;
pub mod codec;
mod context;
pub mod dead_letter;
pub mod dead_letters;
pub mod embedded;
mod ends;
pub mod events;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod group;
pub mod models;
mod oauth;
pub mod options;
mod outbox;
pub mod outlet;
mod positions;
pub mod producer;
pub mod record;
pub mod replies;
pub mod requests;
pub mod status;
pub mod topics;
pub mod tracker;
mod worker;

#[cfg(test)]
mod tests;

pub use worker::StreamHandle;
