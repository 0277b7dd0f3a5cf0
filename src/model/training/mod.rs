//! A run's work: prepare, train, choose, gate, refit.

pub mod choose;
pub mod gate;
pub mod given;
pub mod job;
pub mod network;
pub mod pipeline;
pub mod pool;
pub mod probes;
mod prune;
pub mod search;

#[cfg(test)]
mod given_tests;
#[cfg(test)]
mod pipeline_tests;
#[cfg(test)]
mod search_tests;
#[cfg(test)]
pub(crate) mod shop;
