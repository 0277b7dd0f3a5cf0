//! The service as its users meet it: a process, real HTTP, a data folder.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod actors;
mod answers;
mod harness;
mod metrics;
mod online;
mod swaps;
