//! A rayon pool of a fit's own, so that it takes the threads it was given and no serving thread.

use super::job::FitError;

/// Does `work` inside a pool of `threads` threads (0 counts as 1); whatever uses rayon in it stays in that pool.
///
/// # Errors
/// [`FitError::Library`] when the threads cannot be started.
pub fn within<R: Send>(threads: usize, work: impl FnOnce() -> R + Send) -> Result<R, FitError> {
    Ok(of(threads)?.install(work))
}

/// A pool of `threads` threads (0 counts as 1).
///
/// # Errors
/// [`FitError::Library`] when the threads cannot be started.
pub fn of(threads: usize) -> Result<rayon::ThreadPool, FitError> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads.max(1))
        .thread_name(|index| format!("fit-{index}"))
        .build()
        .map_err(|error| FitError::Library(format!("the training threads could not be started: {error}")))
}
