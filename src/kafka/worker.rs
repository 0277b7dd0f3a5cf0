//! The threads behind streams: started by name, asked to stop, waited for with a bound.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tokio::sync::watch;

use super::options::ClientError;
use super::status::{Board, StreamStatus};

/// Says to a thread that it is to stop; wakes it while it waits.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stop(Arc<(Mutex<bool>, Condvar)>);

impl Stop {
    pub(crate) fn set(&self) {
        *self.0.0.lock() = true;
        self.0.1.notify_all();
    }

    pub(crate) fn is_set(&self) -> bool {
        *self.0.0.lock()
    }

    /// Waits at most so long; answers whether to stop.
    pub(crate) fn wait(&self, at_most: Duration) -> bool {
        let until = Instant::now() + at_most;
        let mut stopped = self.0.0.lock();
        while !*stopped && !self.0.1.wait_until(&mut stopped, until).timed_out() {}
        *stopped
    }
}

/// A running stream from outside. Copies mean the same stream.
#[derive(Debug, Clone)]
pub struct StreamHandle {
    stop: Stop,
    ended: watch::Receiver<()>,
    board: Arc<Board>,
}

impl StreamHandle {
    /// How far the stream is; reads memory.
    #[must_use]
    pub fn status(&self) -> StreamStatus {
        self.board.status()
    }

    /// Asks the stream to stop: it reads no more, finishes what belongs to it and closes its channel.
    pub fn stop(&self) {
        self.stop.set();
    }

    /// Waits until the stream's thread is gone, at most so long; answers whether it is. A thread that is not is left
    /// alone: a client that cannot reach its broker may take long to close.
    pub async fn ended(&self, within: Duration) -> bool {
        let mut ended = self.ended.clone();
        // Nothing is ever sent: the only news is that the thread dropped its end.
        tokio::time::timeout(within, async { while ended.changed().await.is_ok() {} }).await.is_ok()
    }
}

/// Starts a thread that runs `work` to its end. A panic in it ends the stream, which its reader sees by the closed channel.
pub(crate) fn spawn(
    name: &str,
    stop: Stop,
    board: Arc<Board>,
    work: impl FnOnce() + Send + 'static,
) -> Result<StreamHandle, ClientError> {
    let (alive, ended) = watch::channel(());
    let run = move || {
        let alive = alive;
        work();
        drop(alive);
    };
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .map_err(|error| ClientError::Thread(error.to_string()))?;
    Ok(StreamHandle { stop, ended, board })
}
