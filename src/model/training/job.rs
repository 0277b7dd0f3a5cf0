//! What a training job is given to work with: a seed, threads, a cancel flag, somebody to report to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Why a model could not be fitted. The live model is not touched by any of these.
#[derive(Debug, thiserror::Error)]
pub enum FitError {
    /// The cancel flag was seen.
    #[error("the run was cancelled")]
    Cancelled,
    /// The time that was given is over.
    #[error("stopped when training.budget was over")]
    OutOfTime,
    /// A loss or a weight is NaN or infinite.
    #[error("{0} is not finite")]
    NotFinite(String),
    /// The data does not suit the kind: too few rows, a catalogue beyond its limit.
    #[error("{0}")]
    Unsuited(String),
    /// The linear algebra or the network library failed.
    #[error("{0}")]
    Library(String),
}

/// What a job tells while it runs.
#[derive(Debug, Clone, PartialEq)]
pub enum Report {
    /// A step of the run began.
    Step(&'static str),
    /// How far the step is, from 0 to 1.
    Progress(f32),
    /// A line for the run's log.
    Log(String),
}

/// One training job, from its own point of view.
#[derive(Clone)]
pub struct Job {
    /// The seed of every draw; the same seed, data and threads give the same model.
    pub seed: u64,
    /// How many threads it may use.
    pub threads: usize,
    cancelled: Arc<AtomicBool>,
    deadline: Option<Instant>,
    reporter: Arc<dyn Fn(Report) + Send + Sync>,
}

impl Job {
    /// A job that reports to `reporter` and stops soon after `cancelled` becomes true.
    #[must_use]
    pub fn new(
        seed: u64,
        threads: usize,
        cancelled: Arc<AtomicBool>,
        reporter: Arc<dyn Fn(Report) + Send + Sync>,
    ) -> Self {
        Self { seed, threads, cancelled, deadline: None, reporter }
    }

    /// A job that reports to nobody and cannot be cancelled.
    #[must_use]
    pub fn quiet(seed: u64) -> Self {
        Self::new(seed, 1, Arc::default(), Arc::new(|_| ()))
    }

    /// The same job for one part of a step: progress from 0 to 1 is told as `from` to `to`.
    #[must_use]
    pub fn within(&self, from: f32, to: f32) -> Self {
        let reporter = self.reporter.clone();
        let told = move |report| {
            reporter(match report {
                Report::Progress(fraction) => Report::Progress(from + (to - from) * fraction.clamp(0.0, 1.0)),
                other => other,
            });
        };
        Self { reporter: Arc::new(told), ..self.clone() }
    }

    /// The same job, to be over at `deadline`.
    #[must_use]
    pub fn until(&self, deadline: Instant) -> Self {
        Self { deadline: Some(deadline), ..self.clone() }
    }

    /// To be asked once per batch of work, a few milliseconds at most apart.
    ///
    /// # Errors
    /// [`FitError::Cancelled`] once the flag is set; [`FitError::OutOfTime`] once there is a deadline and it has
    /// passed.
    pub fn check(&self) -> Result<(), FitError> {
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(FitError::Cancelled);
        }
        match self.deadline {
            Some(deadline) if Instant::now() >= deadline => Err(FitError::OutOfTime),
            _ => Ok(()),
        }
    }

    /// Says that a step begins.
    pub fn step(&self, name: &'static str) {
        (self.reporter)(Report::Step(name));
    }

    /// Says how far the step is, from 0 to 1.
    pub fn progress(&self, fraction: f32) {
        (self.reporter)(Report::Progress(fraction));
    }

    /// Writes a line to the run's log.
    pub fn log(&self, line: impl Into<String>) {
        (self.reporter)(Report::Log(line.into()));
    }
}
