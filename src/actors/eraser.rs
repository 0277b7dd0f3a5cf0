//! Takes what was erased out of the files: log, segments, versions.
//!
//! Owns: the passes of rewriting. In: erasures that are due by time, and those that somebody waits for. Out: `ForgetNext` to
//! the registry, and which erasures are done.
//! On crash: rebuilt; what waits stands in the log, and a pass begun is begun anew.
//! On overload: all that waits is one pass, and one pass at a time runs.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, WrapFuture};
use tokio::sync::watch;
use tokio::time::Instant;

use super::errors::EraseError;
use super::registry::RegistryHandle;
use super::supervision::{ExitGuard, answers_pings};
use crate::model::clock::Clock;
use crate::model::erasure::Erasures;
use crate::model::ids::{UserId, Version};
use crate::store::log::{EventLog, LogError};
use crate::store::off_thread;

/// Between two looks at the clock.
const LOOK: Duration = Duration::from_millis(500);

/// Time to the next pass after one that failed.
const AGAIN: Duration = Duration::from_secs(10);

/// What the eraser works on; shared with its next life.
#[derive(Clone)]
pub struct EraserParts {
    /// The log.
    pub log: Arc<EventLog>,
    /// The versions; a process that follows another's leaves them to it.
    pub registry: RegistryHandle,
    /// What is wanted and what is done.
    pub handle: EraserHandle,
    /// The clock.
    pub clock: Clock,
    /// How long an erasure waits for others to share its pass, milliseconds: half of what it may take in all, so that the
    /// other half is there for the pass and for what may fail.
    pub wait_ms: i64,
}

/// The eraser.
pub struct Eraser {
    parts: EraserParts,
    _guard: ExitGuard,
}

answers_pings!(Eraser);

impl Eraser {
    /// An eraser on `parts`.
    #[must_use]
    pub const fn new(parts: EraserParts, guard: ExitGuard) -> Self {
        Self { parts, _guard: guard }
    }
}

impl Actor for Eraser {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let parts = self.parts.clone();
        ctx.spawn(async move { parts.work().await }.into_actor(self));
    }
}

impl EraserParts {
    async fn work(&self) {
        let mut wanted = self.handle.wanted.subscribe();
        let mut rest_until = Instant::now();
        loop {
            let asked = *wanted.borrow_and_update();
            let waited_for = asked > self.handle.done.borrow().seq;
            if (waited_for || self.due()) && Instant::now() >= rest_until {
                // What was asked for before it began is done with it, also where a life before did all but say so.
                let passed = self.pass().await.map(|done| done.max(asked));
                if let Err(error) = &passed {
                    tracing::error!(error, "what was erased could not be taken out of all files");
                    rest_until = Instant::now() + AGAIN;
                }
                self.handle.note(passed);
                continue;
            }
            tokio::select! {
                changed = wanted.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    fn due(&self) -> bool {
        let waiting = self.log.erasures().waiting();
        waiting.is_some_and(|waiting| self.clock.now_ms() >= waiting.oldest_ms.saturating_add(self.wait_ms))
    }

    /// One pass over everything; gives the last erasure that is done with it.
    async fn pass(&self) -> Result<u64, String> {
        fail::fail_point!("eraser.pass");
        let begun = Instant::now();
        let pending = self.on_log(EventLog::rewrite).await?;
        let mut version = Version(0);
        while let Some(next) = self.registry.forget_next(version).await.map_err(|error| error.to_string())? {
            version = next;
        }
        let (done, count) = (pending.last_seq(), pending.each().count());
        self.on_log(move |log| log.note_rewritten(&pending)).await?;
        if count > 0 {
            tracing::info!(
                erasures = count,
                seconds = begun.elapsed().as_secs_f64(),
                "what was erased is gone from all files"
            );
        }
        Ok(done)
    }

    /// Works on the log where blocking holds nobody up.
    async fn on_log<T: Send + 'static>(
        &self,
        work: impl FnOnce(&EventLog) -> Result<T, LogError> + Send + 'static,
    ) -> Result<T, String> {
        let log = self.log.clone();
        let done = off_thread(move || work(&log)).await.map_err(|error| error.to_string())?;
        done.map_err(|error| error.to_string())
    }
}

/// How far the eraser is.
#[derive(Debug, Clone, Default)]
struct Done {
    /// The last erasure that is gone from all files.
    seq: u64,
    /// Passes that failed.
    failures: u64,
    /// Why the last one did.
    error: String,
    stopping: bool,
}

/// The eraser from outside.
#[derive(Clone)]
pub struct EraserHandle {
    erasures: Arc<Erasures>,
    wanted: watch::Sender<u64>,
    done: watch::Sender<Done>,
}

impl EraserHandle {
    /// A handle for the erasures of a log.
    #[must_use]
    pub fn new(erasures: Arc<Erasures>) -> Self {
        Self { erasures, wanted: watch::Sender::new(0), done: watch::Sender::default() }
    }

    /// Has the files rewritten now; returns once nothing of what the user did before the last erasure is in them.
    ///
    /// # Errors
    /// [`EraseError`]; the user is erased all the same.
    pub async fn rewritten(&self, user: &UserId) -> Result<(), EraseError> {
        let Some(erasure) = self.erasures.of(user).filter(|erasure| !erasure.rewritten) else { return Ok(()) };
        let mut done = self.done.subscribe();
        let failures = done.borrow().failures;
        self.wanted.send_if_modified(|wanted| {
            let later = erasure.seq > *wanted;
            *wanted = erasure.seq.max(*wanted);
            later
        });
        let settled = |done: &Done| done.seq >= erasure.seq || done.failures > failures || done.stopping;
        let done = done.wait_for(settled).await.map_err(|_| EraseError::Stopping)?;
        match &*done {
            Done { seq, .. } if *seq >= erasure.seq => Ok(()),
            Done { failures: now, error, .. } if *now > failures => Err(EraseError::Failed(error.clone())),
            _ => Err(EraseError::Stopping),
        }
    }

    /// Lets go of those who wait: the service is stopping.
    pub fn stop(&self) {
        self.done.send_modify(|done| done.stopping = true);
    }

    fn note(&self, passed: Result<u64, String>) {
        self.done.send_modify(|done| match passed {
            Ok(seq) => done.seq = done.seq.max(seq),
            Err(error) => {
                done.failures += 1;
                done.error = error;
            }
        });
    }
}
