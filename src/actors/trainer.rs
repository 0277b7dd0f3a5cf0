//! Starts runs, one at a time, and keeps their history.
//!
//! Owns: the schedule, the one running job, the run history.
//! In: `StartRun`, `CancelRun`, reports and the end of the job, ticks. Out: records, refusals to Kafka; the job registers its version.
//! On crash: rebuilt; the running job is cancelled and its run recorded as failed.
//! On overload: one run at a time, further triggers join the one that waits.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler, Message};
use tokio::sync::broadcast;

use super::errors::RunError;
use super::job::{self, JobControl, JobParts, JobReported, RunFinished};
use super::messages::{RunList, RunStarted, ScheduleState};
use super::meters::Meters;
use super::releases::Announce;
use super::run_book::RunBook;
use super::schedule::Timetable;
use super::slot::Slot;
use super::supervision::{ExitGuard, answers_pings};
use crate::model::clock::Clock;
use crate::model::run::{RunRecord, RunStatus, Trigger};
use crate::model::version_news::VersionNews;
use crate::store::log::EventLog;

/// How often the schedule is looked at.
const TICK: Duration = Duration::from_millis(500);

/// How long a caller waits.
const DEADLINE: Duration = Duration::from_secs(10);

/// What the trainer works on; shared with its next life.
#[derive(Clone)]
pub struct TrainerParts {
    /// The run history and the schedule that was set are kept in its tables.
    pub log: Arc<EventLog>,
    /// The clock.
    pub clock: Clock,
    /// What a job needs.
    pub job: JobParts,
    /// The schedule by settings, which one that was set by a call replaces.
    pub schedule: ScheduleState,
    /// Lookups over which drift is judged.
    pub drift_lookups: usize,
    /// Starts a run at the start when there is data but no version.
    pub on_start: bool,
    /// Tells others of candidates that were refused.
    pub announce: Announce,
    /// Every change of a run's record.
    pub changes: broadcast::Sender<Arc<RunRecord>>,
    /// Where the actor itself is reached, for its job's reports.
    pub slot: Slot<Trainer>,
    /// Where runs are counted.
    pub meters: Arc<Meters>,
}

/// The trainer.
pub struct Trainer {
    parts: TrainerParts,
    book: RunBook,
    timetable: Timetable,
    running: Option<JobControl>,
    _guard: ExitGuard,
}

/// Asks for a run.
#[derive(Message)]
#[rtype(result = "Result<RunStarted, RunError>")]
pub struct StartRun(pub Trigger);

/// Stops a run that waits or is at work.
#[derive(Message)]
#[rtype(result = "Result<RunStarted, RunError>")]
pub struct CancelRun(pub String);

/// Asks for the schedule.
#[derive(Message)]
#[rtype(result = "ScheduleState")]
pub struct ShowSchedule;

/// Sets the schedule.
#[derive(Message)]
#[rtype(result = "Result<ScheduleState, RunError>")]
pub struct SetSchedule(pub ScheduleState);

/// Cancels the job and starts no other: the service is stopping.
#[derive(Message)]
#[rtype(result = "Option<JobControl>")]
pub struct StopTraining;

answers_pings!(Trainer);

impl Trainer {
    /// A trainer on `parts`.
    #[must_use]
    pub fn new(parts: TrainerParts, guard: ExitGuard) -> Self {
        let book = RunBook::new(parts.log.clone(), parts.clock.clone(), parts.changes.clone(), parts.meters.clone());
        let timetable = Timetable::new(parts.schedule.clone(), parts.on_start);
        Self { parts, book, timetable, running: None, _guard: guard }
    }

    /// Starts a run, or joins the one that waits.
    fn start(&mut self, trigger: Trigger, reason: Option<String>) -> Result<RunStarted, RunError> {
        fail::fail_point!("trainer.start");
        if let Some(waiting) = self.book.waiting() {
            return Ok(RunStarted { id: waiting.id.clone(), status: waiting.status });
        }
        let record = self.book.open(trigger, reason)?;
        if self.running.is_none() {
            self.begin(&record.id)?;
        }
        self.book.run(&record.id).map(|run| RunStarted { id: run.id, status: run.status })
    }

    fn begin(&mut self, id: &str) -> Result<(), RunError> {
        self.book.change(id, |run, now_ms| {
            run.status = RunStatus::Running;
            run.started_ms = Some(now_ms);
        })?;
        self.timetable.began(self.parts.clock.now_ms(), self.parts.job.memory.histories.applied_seq());
        let control = job::spawn(id.to_owned(), self.parts.job.clone(), self.parts.slot.clone());
        match control {
            Ok(control) => self.running = Some(control),
            Err(error) => {
                self.book.finish(id, RunStatus::Failed, Some(format!("no thread could be started: {error}")))?;
            }
        }
        Ok(())
    }

    fn tick(&mut self, _: &mut Context<Self>) {
        self.book.write_rest();
        if self.parts.log.is_full() {
            // No record of a run could be written.
            return;
        }
        let memory = &self.parts.job.memory;
        let now_ms = self.parts.clock.now_ms();
        let has_version = self.parts.job.has_version();
        let due = self.timetable.due(now_ms, memory.histories.applied_seq(), memory.histories.events(), has_version);
        let due = due.map(|trigger| (trigger, None)).or_else(|| self.drifted());
        if let Some((trigger, reason)) = due
            && let Err(error) = self.start(trigger, reason)
        {
            tracing::error!(%error, ?trigger, "a run could not be started");
        }
    }

    /// Whether the live version's figure left its band, with what to say of it; not while a run is at work on it already.
    fn drifted(&self) -> Option<(Trigger, Option<String>)> {
        let share = self.timetable.drift()?;
        if self.running.is_some() {
            return None;
        }
        let (job, version) = (&self.parts.job, self.parts.job.live.load().as_ref()?.version());
        let fall = job.prequential.fall(version, share, self.parts.drift_lookups)?;
        job.prequential.begin_anew(version);
        tracing::info!(%version, "a run starts: {fall}");
        Some((Trigger::Drift, Some(fall.to_string())))
    }

    /// Tells others; that it cannot keeps no run from its turn.
    fn tell_of_refusal(&self, run: &str, events: u64) {
        let live = self.parts.job.live.load().as_ref().map(|live| live.version());
        match self.book.run(run) {
            Ok(run) => (self.parts.announce)(VersionNews::refused(&run, live, events)),
            Err(error) => tracing::error!(%error, run, "that it was refused cannot be told"),
        }
    }

    fn after(&mut self, finished: RunFinished) -> Result<(), RunError> {
        if self.running.as_ref().is_some_and(|running| running.run == finished.run) {
            self.running = None;
        }
        self.book.change(&finished.run, |run, _| {
            run.version = finished.version;
            run.candidates = finished.candidates;
            run.gate = finished.gate;
        })?;
        self.book.finish(&finished.run, finished.status, finished.error)?;
        if finished.status == RunStatus::Refused {
            self.tell_of_refusal(&finished.run, finished.events);
        }
        let waiting = self.book.waiting().map(|run| run.id.clone());
        match waiting {
            Some(next) if self.running.is_none() => self.begin(&next),
            _ => Ok(()),
        }
    }
}

impl Actor for Trainer {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        if let Err(error) = self.book.recover() {
            tracing::error!(%error, "the run history could not be read");
        }
        match self.parts.log.note(Timetable::NOTE) {
            Ok(Some(note)) => self.timetable.restore(note, self.parts.clock.now_ms()),
            Ok(None) => {}
            Err(error) => tracing::error!(%error, "the schedule that was set could not be read"),
        }
        ctx.run_interval(TICK, Self::tick);
    }
}

impl Handler<StartRun> for Trainer {
    type Result = Result<RunStarted, RunError>;

    fn handle(&mut self, StartRun(trigger): StartRun, _: &mut Self::Context) -> Self::Result {
        self.start(trigger, None)
    }
}

impl Handler<CancelRun> for Trainer {
    type Result = Result<RunStarted, RunError>;

    fn handle(&mut self, CancelRun(id): CancelRun, _: &mut Self::Context) -> Self::Result {
        let run = self.book.run(&id)?;
        match run.status {
            RunStatus::Queued => {
                self.book.finish(&id, RunStatus::Cancelled, Some("cancelled before it began".to_owned()))?;
            }
            RunStatus::Running => {
                if let Some(running) = &self.running {
                    running.cancel();
                }
            }
            _ => return Err(RunError::Over(id)),
        }
        self.book.run(&id).map(|run| RunStarted { id: run.id, status: run.status })
    }
}

impl Handler<JobReported> for Trainer {
    type Result = ();

    fn handle(&mut self, reported: JobReported, _: &mut Self::Context) {
        if let Err(error) = self.book.report(&reported.run, reported.report) {
            tracing::warn!(%error, "a run's progress could not be kept");
        }
    }
}

impl Handler<RunFinished> for Trainer {
    type Result = ();

    fn handle(&mut self, finished: RunFinished, _: &mut Self::Context) {
        if let Err(error) = self.after(finished) {
            tracing::error!(%error, "a run's end could not be kept");
        }
    }
}

impl Handler<ShowSchedule> for Trainer {
    type Result = actix::MessageResult<ShowSchedule>;

    fn handle(&mut self, _: ShowSchedule, _: &mut Self::Context) -> Self::Result {
        actix::MessageResult(self.timetable.state(self.parts.clock.now_ms()))
    }
}

impl Handler<SetSchedule> for Trainer {
    type Result = Result<ScheduleState, RunError>;

    fn handle(&mut self, SetSchedule(schedule): SetSchedule, _: &mut Self::Context) -> Self::Result {
        let now_ms = self.parts.clock.now_ms();
        let note = self.timetable.set(schedule, now_ms).map_err(RunError::Schedule)?;
        self.parts.log.put_note(Timetable::NOTE, &note)?;
        Ok(self.timetable.state(now_ms))
    }
}

impl Handler<StopTraining> for Trainer {
    type Result = Option<JobControl>;

    fn handle(&mut self, _: StopTraining, _: &mut Self::Context) -> Self::Result {
        self.timetable.stop();
        let running = self.running.take();
        if let Some(running) = &running {
            running.cancel();
        }
        running
    }
}

/// The trainer from outside.
#[derive(Clone)]
pub struct TrainerHandle {
    slot: Slot<Trainer>,
    log: Arc<EventLog>,
    changes: broadcast::Sender<Arc<RunRecord>>,
}

impl TrainerHandle {
    /// A handle to the trainer in `slot`; the history is read from the log's table without asking it.
    #[must_use]
    pub const fn new(slot: Slot<Trainer>, log: Arc<EventLog>, changes: broadcast::Sender<Arc<RunRecord>>) -> Self {
        Self { slot, log, changes }
    }

    /// Starts a run, or joins the one that waits.
    ///
    /// # Errors
    /// [`RunError`].
    pub async fn start(&self, trigger: Trigger) -> Result<RunStarted, RunError> {
        self.slot.call(StartRun(trigger), DEADLINE).await?
    }

    /// Stops a run that waits or is at work.
    ///
    /// # Errors
    /// [`RunError::Unknown`], [`RunError::Over`] and others.
    pub async fn cancel(&self, id: String) -> Result<RunStarted, RunError> {
        self.slot.call(CancelRun(id), DEADLINE).await?
    }

    /// The latest `limit` runs, newest first.
    ///
    /// # Errors
    /// [`RunError::Store`].
    pub async fn runs(&self, limit: usize) -> Result<RunList, RunError> {
        Ok(RunList { runs: self.log.runs(limit)? })
    }

    /// One run.
    ///
    /// # Errors
    /// [`RunError::Unknown`], [`RunError::Store`].
    pub async fn run(&self, id: String) -> Result<RunRecord, RunError> {
        self.log.run(&id)?.ok_or(RunError::Unknown(id))
    }

    /// When runs start by themselves.
    ///
    /// # Errors
    /// [`RunError::Call`].
    pub async fn schedule(&self) -> Result<ScheduleState, RunError> {
        Ok(self.slot.call(ShowSchedule, DEADLINE).await?)
    }

    /// Sets when runs start by themselves; kept over restarts.
    ///
    /// # Errors
    /// [`RunError::Schedule`] and others.
    pub async fn set_schedule(&self, schedule: ScheduleState) -> Result<ScheduleState, RunError> {
        self.slot.call(SetSchedule(schedule), DEADLINE).await?
    }

    /// Every change of any run's record, from now on; a slow reader misses some.
    #[must_use]
    pub fn watch(&self) -> broadcast::Receiver<Arc<RunRecord>> {
        self.changes.subscribe()
    }
}
