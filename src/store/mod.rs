//! What outlives the process: the event log, and the readers of files that are imported into it.

pub mod import;
pub mod log;
