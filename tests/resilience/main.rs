//! What goes wrong around the service: brokers of a cluster that are killed, go away or move, topics that are deleted, wires
//! that are slow or cut; more than it can take; a full disk; damaged records among a million; and hours of all that. Held
//! against a model of what was sent. The tests of brokers want three nodes, `scripts/kafka-cluster`, named by
//! `OUZEL_TEST_CLUSTER`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

#[path = "../crash/asking.rs"]
mod asking;
#[path = "../crash/expected.rs"]
mod expected;
#[path = "../service/harness.rs"]
mod harness;
#[path = "../faults/kafka.rs"]
mod kafka;
#[path = "../crash/load.rs"]
mod load;
#[path = "../crash/trial.rs"]
mod trial;

mod brokers;
mod cluster;
mod disk;
mod letters;
mod overload;
mod rebalances;
mod soak;
mod stage;
mod topics;
mod wire;

/// A number from the environment: how long the long form is.
fn rounds(variable: &str, short: u32) -> u32 {
    std::env::var(variable).map_or(short, |rounds| rounds.parse().unwrap())
}

/// Figures for docs/guarantees.md, shown with `--nocapture` and where a test fails.
#[expect(clippy::print_stdout, reason = "that is where the test runner shows it")]
fn tell(line: &str) {
    println!("{line}");
}
