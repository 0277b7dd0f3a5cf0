//! The one running job: a plain thread, so that training takes no thread that serves and a panic in it is a failed run.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use actix::Message;
use arc_swap::ArcSwapOption;

use super::errors::RegistryError;
use super::ingest_memory::Memory;
use super::ingestor::IngestHandle;
use super::messages::{Registration, Snapshot};
use super::registry::RegistryHandle;
use super::slot::Slot;
use super::supervision::take_panic;
use super::trainer::Trainer;
use super::watched::Watched;
use crate::model::clock::Clock;
use crate::model::ids::Version;
use crate::model::manifest::{ARTIFACT_FORMAT, CandidateFigures, DataRange, GateVerdict, Imported, Manifest};
use crate::model::run::RunStatus;
use crate::model::serving::live::LiveModel;
use crate::model::serving::prequential::Prequential;
use crate::model::training::job::{FitError, Job, Report};
use crate::model::training::pipeline::{self, Outcome, Plan};
use crate::model::training::pool::stand_back;

/// What a job works with.
#[derive(Clone)]
pub struct JobParts {
    /// What memory holds.
    pub memory: Memory,
    /// Gives snapshots.
    pub ingest: IngestHandle,
    /// Takes versions.
    pub registry: RegistryHandle,
    /// The model that answers, and whether the alias was read.
    pub live: Arc<ArcSwapOption<LiveModel>>,
    /// What the versions were worth on events as they came.
    pub prequential: Arc<Prequential>,
    /// Becomes true once the alias was read.
    pub alias_read: Arc<AtomicBool>,
    /// The clock.
    pub clock: Clock,
    /// Files that are imported when they changed.
    pub watched: Watched,
    /// What is trained and how it is judged.
    pub plan: Plan,
    /// The seed of every draw.
    pub seed: u64,
    /// Threads of the job's own pool.
    pub threads: usize,
}

impl JobParts {
    /// Whether a version answers; none while that is not known.
    pub fn has_version(&self) -> Option<bool> {
        self.alias_read.load(Ordering::Acquire).then(|| self.live.load().is_some())
    }
}

/// A job said something.
#[derive(Message)]
#[rtype(result = "()")]
pub struct JobReported {
    /// Its run.
    pub run: String,
    /// What it said.
    pub report: Report,
}

/// A job is over.
#[derive(Message)]
#[rtype(result = "()")]
pub struct RunFinished {
    /// Its run.
    pub run: String,
    /// How it ended.
    pub status: RunStatus,
    /// The version it published.
    pub version: Option<Version>,
    /// Events in its snapshot.
    pub events: u64,
    /// Every candidate's figures.
    pub candidates: Vec<CandidateFigures>,
    /// The gate's verdict.
    pub gate: Option<GateVerdict>,
    /// Why it did not succeed.
    pub error: Option<String>,
}

/// The trainer's hold on its job. Dropped, it cancels: a trainer that crashed leaves no job behind.
pub struct JobControl {
    /// The job's run.
    pub run: String,
    cancelled: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl JobControl {
    /// Asks the job to stop; it looks every few milliseconds of work.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Waits for the thread, at most `within`; false when it is still at work and is left to itself.
    pub async fn joined(mut self, within: Duration) -> bool {
        let Some(thread) = self.thread.take() else { return true };
        let begun = Instant::now();
        while !thread.is_finished() && begun.elapsed() < within {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        thread.is_finished()
    }
}

impl Drop for JobControl {
    fn drop(&mut self) {
        self.cancel();
    }
}

/// Starts a run's job on a thread of its own.
///
/// # Errors
/// The system's, when it gives no thread.
pub fn spawn(run: String, parts: JobParts, trainer: Slot<Trainer>) -> std::io::Result<JobControl> {
    let cancelled = Arc::new(AtomicBool::new(false));
    let reporter = {
        let (run, trainer) = (run.clone(), trainer.clone());
        Arc::new(move |report| {
            // A report that finds the trainer away is lost; the run's end is not, it is asked for again.
            trainer.tell(JobReported { run: run.clone(), report });
        })
    };
    let job = Job::new(parts.seed, parts.threads, cancelled.clone(), reporter);
    let control_run = run.clone();
    let body = move || {
        stand_back();
        let finished = std::panic::catch_unwind(AssertUnwindSafe(|| perform(&run, &parts, &job)));
        let finished = finished.unwrap_or_else(|_| {
            let error = take_panic().unwrap_or_else(|| "panic".to_owned());
            failed(&run, RunStatus::Failed, format!("training broke off: {error}"))
        });
        trainer.tell(finished);
    };
    let thread = std::thread::Builder::new().name("training".to_owned()).spawn(body)?;
    Ok(JobControl { run: control_run, cancelled, thread: Some(thread) })
}

fn failed(run: &str, status: RunStatus, error: String) -> RunFinished {
    let run = run.to_owned();
    RunFinished { run, status, version: None, events: 0, candidates: Vec::new(), gate: None, error: Some(error) }
}

/// Where a version comes from.
pub struct Origin {
    /// The run that made it, if one did.
    pub run: Option<String>,
    /// The files that it was imported from, if it was.
    pub imported: Option<Imported>,
    /// The version that was live when the run began.
    pub parent: Option<Version>,
    /// When it is made, milliseconds of the epoch.
    pub now_ms: i64,
}

/// What is to become a version of a run's outcome; none where the gate refused it.
#[must_use]
pub fn registration(outcome: Outcome, data: DataRange, origin: Origin) -> Option<Registration> {
    let fitted = outcome.fitted?;
    let draft = Manifest {
        format: ARTIFACT_FORMAT,
        version: Version(0),
        files: BTreeMap::new(),
        created_ms: origin.now_ms,
        recipe: outcome.chosen,
        run: origin.run,
        imported: origin.imported,
        parent: origin.parent,
        data,
        protocol: outcome.protocol.to_string(),
        candidates: outcome.candidates,
        gate: outcome.verdict,
    };
    Some(Registration { draft, fitted, probes: outcome.probes })
}

/// All steps of a run, on the job's thread.
fn perform(run: &str, parts: &JobParts, job: &Job) -> RunFinished {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(run, RunStatus::Failed, format!("no runtime could be made: {error}")),
    };
    let snapshot = runtime.block_on(async {
        job.step("snapshot");
        parts.watched.import_changed(&parts.ingest, job).await;
        parts.ingest.snapshot().await
    });
    let snapshot = match snapshot {
        Ok(snapshot) => snapshot,
        Err(error) => return failed(run, RunStatus::Failed, format!("no snapshot: {error}")),
    };
    let Snapshot { rows, data } = snapshot;
    job.log(format!("{} events of {} users on {} items", data.events, data.users, data.items));

    let live = parts.live.load_full();
    let live_recipe = live.as_ref().map(|live| &live.manifest.recipe);
    let parent = live.as_ref().map(|live| &live.fitted);
    let found = live.as_ref().map_or(&[][..], |live| &live.manifest.candidates);
    fail::fail_point!("job.train");
    let mut outcome = match pipeline::train(rows, &parts.plan.remembering(found), live_recipe, parent, job) {
        Ok(outcome) => outcome,
        Err(FitError::Cancelled) => return failed(run, RunStatus::Cancelled, FitError::Cancelled.to_string()),
        Err(error) => return failed(run, RunStatus::Failed, error.to_string()),
    };
    outcome.candidates.extend(live.as_ref().and_then(|live| parts.prequential.beside(live)));
    let mut finished = RunFinished {
        run: run.to_owned(),
        status: RunStatus::Refused,
        version: None,
        events: data.events,
        candidates: outcome.candidates.clone(),
        gate: Some(outcome.verdict.clone()),
        error: None,
    };
    if outcome.fitted.is_none() {
        finished.error = outcome.verdict.reasons.first().cloned();
        return finished;
    }
    job.step("publish");
    let (parent, now_ms) = (live.as_ref().map(|live| live.version()), parts.clock.now_ms());
    let origin = Origin { run: Some(run.to_owned()), imported: None, parent, now_ms };
    let Some(registration) = registration(outcome, data, origin) else { return finished };
    drop(live);
    match runtime.block_on(parts.registry.register(registration)) {
        Ok(manifest) => {
            job.step("activate");
            job.log(format!("version {} answers", manifest.version));
            finished.status = RunStatus::Succeeded;
            finished.version = Some(manifest.version);
        }
        Err(error @ RegistryError::Damaged(..)) => {
            finished.error = Some(error.to_string());
        }
        Err(error) => {
            finished.status = RunStatus::Failed;
            finished.error = Some(error.to_string());
        }
    }
    finished
}
