//! What outlives a process: the event log, files and objects. Only [`crate::model`] and the settings are known here.

pub mod artifacts;
mod guarded;
pub mod import;
pub mod log;
pub mod s3;
pub mod versions;

use std::panic::resume_unwind;

use artifacts::StoreError;

/// Does what blocks or takes long on a thread where it holds nobody up; a panic in it goes on in the caller.
async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Ok(done),
        Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
        Err(_) => Err(StoreError::Stopping),
    }
}
