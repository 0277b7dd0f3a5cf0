//! Files of events: read line by line, whatever their form, and put into the log or into memory.
//!
//! [`Source`] reads one file, found out by its name and first bytes: CSV, NDJSON or Parquet events, or the original
//! system's baskets, plain or in gzip or zstd. It holds a line at a time. A line that cannot be taken is a [`BadLine`] with
//! its number and reason, and the lines behind it are read on: a CSV record therefore never spans lines, and a quote left
//! open costs its own line only. [`import`] brings a file into a log, once however often it is told to;
//! [`load_interactions`] reads it for an evaluation; [`read_users`] reads a list of users.
//!
//! Every function takes a local path and a name to show: what lies at `s3://…` is fetched first, by others.

mod baskets;
mod cells;
mod columns;
mod csv;
mod error;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod interactions;
mod into_log;
mod lines;
mod ndjson;
mod source;
mod users;

#[cfg(test)]
mod tests;

pub use error::{BadLine, ImportError, LineError};
pub use interactions::load_interactions;
pub use into_log::{ImportOptions, ImportProgress, ImportReport, content_hash, import};
pub use source::{ImportFormat, Source, Times};
pub use users::read_users;
