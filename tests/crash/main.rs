//! Processes killed at every place where a kill could hurt, and files that are torn or changed: held against a model of what
//! was sent. Over Kafka: a real one where `OUZEL_TEST_KAFKA` names it, else the embedded.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

#[path = "../service/harness.rs"]
mod harness;
#[path = "../faults/kafka.rs"]
mod kafka;
#[path = "../service/traces_of.rs"]
mod traces_of;

mod asking;
mod damage;
mod erasure;
mod expected;
mod kills;
mod load;
mod panics;
mod shop;
mod trial;

/// A number from the environment: how long the long form is.
fn rounds(variable: &str, short: u32) -> u32 {
    std::env::var(variable).map_or(short, |rounds| rounds.parse().unwrap())
}

/// Figures for docs/guarantees.md and seeds to try again, shown with `--nocapture` and where a test fails.
#[expect(clippy::print_stdout, reason = "that is where the test runner shows it")]
fn tell(line: &str) {
    println!("{line}");
}
