//! A run's work: prepare, train, choose, gate, refit.

pub mod job;
pub mod network;
pub mod pool;
