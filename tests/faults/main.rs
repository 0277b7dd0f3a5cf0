//! Killed processes and brokers that go away, over Kafka: a real one where `OUZEL_TEST_KAFKA` names it, else the embedded.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod alerts;
#[path = "../service/authority.rs"]
mod authority;
mod erasure;
#[path = "../service/harness.rs"]
mod harness;
mod kafka;
mod metrics;
mod replicas;
mod secrets;
mod secure;
mod traces;
#[path = "../service/traces_of.rs"]
mod traces_of;
mod versions;
mod wire;
