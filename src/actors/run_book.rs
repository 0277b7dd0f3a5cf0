//! The run history as the trainer writes it: in the log's table, and to whoever watches.

use std::sync::Arc;

use chrono::DateTime;
use tokio::sync::broadcast;

use super::errors::RunError;
use super::meters::Meters;
use crate::model::clock::Clock;
use crate::model::run::{RunRecord, RunStatus, StepRecord, Trigger};
use crate::model::training::job::Report;
use crate::store::log::{EventLog, LogError};

/// Lines of a step's log that are kept, the last ones.
const LOG_LINES: usize = 500;

/// Runs that are not over, in memory; those that are, on disk.
pub struct RunBook {
    log: Arc<EventLog>,
    clock: Clock,
    changes: broadcast::Sender<Arc<RunRecord>>,
    meters: Arc<Meters>,
    open: Vec<RunRecord>,
}

impl RunBook {
    /// A book that writes to `log`, tells `changes` and counts runs that are over in `meters`.
    pub const fn new(
        log: Arc<EventLog>,
        clock: Clock,
        changes: broadcast::Sender<Arc<RunRecord>>,
        meters: Arc<Meters>,
    ) -> Self {
        Self { log, clock, changes, meters, open: Vec::new() }
    }

    /// Records runs that a crash or a stop left open as failed.
    pub fn recover(&mut self) -> Result<(), LogError> {
        for mut run in self.log.runs(usize::MAX)? {
            if !run.status.is_over() {
                run.status = RunStatus::Failed;
                run.error = Some("the process or its trainer ended during this run".to_owned());
                run.finished_ms = Some(self.clock.now_ms());
                self.log.put_run(&run)?;
                self.tell(&run);
                // Not timed: nobody knows when it broke off.
                self.meters.runs.add("failed", 1);
            }
        }
        Ok(())
    }

    /// The run that waits.
    pub fn waiting(&self) -> Option<&RunRecord> {
        self.open.iter().find(|run| run.status == RunStatus::Queued)
    }

    /// Opens a run's record.
    pub fn open(&mut self, trigger: Trigger, reason: Option<String>) -> Result<RunRecord, RunError> {
        let now_ms = self.clock.now_ms();
        let run = RunRecord {
            id: self.fresh_id(now_ms)?,
            status: RunStatus::Queued,
            trigger,
            reason,
            queued_ms: now_ms,
            started_ms: None,
            finished_ms: None,
            version: None,
            steps: Vec::new(),
            candidates: Vec::new(),
            gate: None,
            error: None,
        };
        self.open.push(run.clone());
        self.keep(&run)?;
        Ok(run)
    }

    /// The time to the millisecond, which sorts; moved on while it is taken.
    fn fresh_id(&self, now_ms: i64) -> Result<String, RunError> {
        let mut at_ms = now_ms;
        loop {
            let time = DateTime::from_timestamp_millis(at_ms).unwrap_or_default();
            let id = time.format("%Y%m%dT%H%M%S%3f").to_string();
            if self.log.run(&id).map_err(store_error)?.is_none() {
                return Ok(id);
            }
            at_ms += 1;
        }
    }

    /// A run, open or over.
    pub fn run(&self, id: &str) -> Result<RunRecord, RunError> {
        if let Some(run) = self.open.iter().find(|run| run.id == id) {
            return Ok(run.clone());
        }
        self.log.run(id).map_err(store_error)?.ok_or_else(|| RunError::Unknown(id.to_owned()))
    }

    /// Changes an open run's record and keeps it.
    pub fn change(&mut self, id: &str, change: impl FnOnce(&mut RunRecord, i64)) -> Result<(), RunError> {
        let now_ms = self.clock.now_ms();
        let Some(run) = self.open.iter_mut().find(|run| run.id == id) else {
            return Err(RunError::Unknown(id.to_owned()));
        };
        change(run, now_ms);
        let run = run.clone();
        self.keep(&run)
    }

    /// Closes a run.
    pub fn finish(&mut self, id: &str, status: RunStatus, error: Option<String>) -> Result<(), RunError> {
        let kept = self.change(id, |run, now_ms| {
            run.status = status;
            run.error = error;
            run.finished_ms = Some(now_ms);
            close_step(run, now_ms, status == RunStatus::Succeeded);
        });
        if let Some(run) = self.open.iter().find(|run| run.id == id) {
            self.meters.ran(run);
        }
        self.open.retain(|run| run.id != id);
        kept
    }

    /// Writes what a job said into its run. Progress is told but not written: it comes often and means nothing later.
    pub fn report(&mut self, id: &str, report: Report) -> Result<(), RunError> {
        let now_ms = self.clock.now_ms();
        let Some(run) = self.open.iter_mut().find(|run| run.id == id) else { return Ok(()) };
        let progress = matches!(report, Report::Progress(_));
        note(run, report, now_ms);
        let run = run.clone();
        if progress {
            self.tell(&run);
            return Ok(());
        }
        self.keep(&run)
    }

    fn keep(&self, run: &RunRecord) -> Result<(), RunError> {
        self.log.put_run(run).map_err(store_error)?;
        self.tell(run);
        Ok(())
    }

    fn tell(&self, run: &RunRecord) {
        // Nobody need be watching.
        self.changes.send(Arc::new(run.clone())).ok();
    }
}

#[expect(clippy::needless_pass_by_value, reason = "as map_err hands it")]
fn store_error(error: LogError) -> RunError {
    RunError::Store(error.to_string())
}

/// Ends the step that is at work, as done when the next one begins or the run succeeded.
fn close_step(run: &mut RunRecord, now_ms: i64, done: bool) {
    if let Some(step) = run.steps.last_mut() {
        step.finished_ms.get_or_insert(now_ms);
        if done {
            step.progress = 1.0;
        }
    }
}

fn note(run: &mut RunRecord, report: Report, now_ms: i64) {
    match report {
        Report::Step(name) => {
            close_step(run, now_ms, true);
            run.steps.push(StepRecord { name: name.to_owned(), started_ms: now_ms, ..StepRecord::default() });
        }
        Report::Progress(fraction) => {
            if let Some(step) = run.steps.last_mut() {
                step.progress = fraction.clamp(0.0, 1.0);
            }
        }
        Report::Log(line) => {
            if let Some(step) = run.steps.last_mut() {
                if step.log.len() >= LOG_LINES {
                    step.log.remove(0);
                }
                step.log.push(line);
            }
        }
    }
}
