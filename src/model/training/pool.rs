//! A rayon pool of a fit's own, so that it takes the threads it was given and no serving thread, and stands back behind
//! these where there are more threads than cores.

use super::job::FitError;

/// How nice the threads of a run are: at 10 they get a tenth of a core that serving wants too, and all of one it does not.
const NICENESS: i32 = 10;

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
        .start_handler(|_| stand_back())
        .build()
        .map_err(|error| FitError::Library(format!("the training threads could not be started: {error}")))
}

/// Has this thread, for the rest of its life, let threads go first that answer requests. Does nothing but on Linux, where
/// niceness is a thread's own.
pub fn stand_back() {
    // A system that refuses it leaves the thread as it was, and its work as right.
    #[cfg(target_os = "linux")]
    rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICENESS).ok();
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_threads_of_a_fit_stand_back_and_others_do_not() {
        let niceness = || rustix::process::getpriority_process(Some(rustix::thread::gettid())).unwrap();
        let before = niceness();
        assert_eq!(within(2, || rayon::broadcast(|_| niceness())).unwrap(), [NICENESS.max(before); 2]);
        assert_eq!(niceness(), before);
    }
}
