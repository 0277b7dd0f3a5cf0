//! The actors, their messages and the handles by which everybody else reaches them.
//!
//! Outside this folder and the composition root nobody holds an address. An actor's file begins with what it owns, takes,
//! gives and does when it crashes or is overloaded; the work itself is in the plain files beside it.

pub mod errors;
pub mod follower;
pub mod handles;
pub mod histogram;
mod ingest_group;
pub mod ingest_memory;
pub mod ingestor;
pub mod job;
pub mod messages;
pub mod meters;
pub mod overseer;
mod parts;
pub mod reader;
pub mod registry;
pub mod releases;
mod replaying;
pub mod responder;
pub mod restarts;
mod run_book;
mod schedule;
pub mod serving;
pub mod slot;
pub mod supervision;
pub mod traces;
pub mod trainer;
pub mod user_notes;
pub mod variants;
pub mod watched;
pub mod writes;
