//! What outlives a process: the event log, files and objects. Only [`crate::model`] and the settings are known here.

pub mod artifacts;
pub mod factors;
mod fields;
mod guarded;
pub mod import;
pub mod log;
pub mod s3;
pub mod versions;

use std::fs::File;
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use artifacts::StoreError;
use sha2::{Digest, Sha256};

use crate::model::training::pool;

/// Adds a file's bytes, from where it stands to its end, to `sum`.
fn add_to_sum(sum: &mut Sha256, file: &mut File) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 17];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => sum.update(buffer.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Does what blocks or takes long on a thread where it holds nobody up; a panic in it goes on in the caller.
///
/// # Errors
/// [`StoreError::Stopping`] where the threads are let go of.
pub async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Ok(done),
        Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
        Err(_) => Err(StoreError::Stopping),
    }
}

/// Does what takes long on a thread of its own that stands back behind those that answer: a version is checked, read and packed
/// while requests go on. A panic in it goes on in the caller.
///
/// # Errors
/// [`StoreError::Stopping`] where no thread can be started.
pub async fn standing_back<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, StoreError> {
    let (done, result) = tokio::sync::oneshot::channel();
    let work = move || {
        pool::stand_back();
        // Whoever no longer waits needs no result.
        done.send(catch_unwind(AssertUnwindSafe(work))).ok();
    };
    std::thread::Builder::new().name("release".to_owned()).spawn(work).map_err(|_| StoreError::Stopping)?;
    result.await.map_err(|_| StoreError::Stopping)?.map_err(|panic| resume_unwind(panic))
}
