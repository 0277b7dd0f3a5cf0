//! The service as its users meet it: a process, real HTTP, a data folder.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod actors;
mod answers;
mod authority;
mod erasure;
mod harness;
mod keys;
mod metrics;
mod online;
mod stopping;
mod swaps;
mod tls;
mod traces_of;
mod upgrade;
mod web_identity;
