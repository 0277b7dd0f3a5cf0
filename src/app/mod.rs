//! The composition root: settings -> stores -> actors -> HTTP, and the ordered way back.

mod children;
mod criers;
mod downloads;
mod kafka;
pub mod offline;
mod parts;
pub mod plan;
mod ports;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr};
use tokio::sync::{broadcast, watch};

use crate::actors::handles::{EraserHandle, IngestHandle, OverseerHandle, RegistryHandle, TrainerHandle};
use crate::actors::ingestor;
use crate::actors::overseer::{Board, Overseer, StopChildren};
use crate::actors::restarts::RestartPolicy;
use crate::actors::serving::Activated;
use crate::actors::slot::Slot;
use crate::actors::traces::Traces;
use crate::actors::trainer::{StopTraining, Trainer};
use crate::actors::user_notes::UserNotes;
use crate::actors::variants;
use crate::http::primary::{Primary, PrimaryError};
use crate::http::readiness::Readiness;
use crate::http::service::{Parts as HttpParts, Service};
use crate::http::tls::{Identity, TlsError};
use crate::http::{reload, server};
use crate::model::clock::Clock;
use crate::model::run::RunRecord;
use crate::model::serving::recommend::Recommending;
use crate::model::serving::stats::RequestStats;
use crate::settings::{Role, Settings};
use crate::store::artifacts::StoreError;
use crate::store::log::{EventLog, LogError};

/// How long the running job is waited for at a stop.
const JOB: Duration = Duration::from_secs(5);

/// How long the streams of Kafka are waited for at a stop.
const STREAMS: Duration = Duration::from_secs(8);

/// Why the service did not start. Nothing is left running.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The event log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The artifact store.
    #[error("storage.artifacts: {0}")]
    Artifacts(#[from] StoreError),
    /// Kafka's options.
    #[error("kafka: {0}")]
    Kafka(#[from] crate::kafka::options::ClientError),
    /// The keys.
    #[error("auth: {0}")]
    Keys(#[from] crate::http::auth::KeysError),
    /// The socket.
    #[error("server: {0}")]
    Http(#[from] std::io::Error),
    /// A file of TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The metric.
    #[error("gate.metric: {0}")]
    Gate(String),
    /// A recipe in the settings.
    #[error("training: {0}")]
    Training(#[from] crate::model::artifact::ArtifactError),
    /// The way to the traces' collector.
    #[error("telemetry.otlp_endpoint: {0}")]
    Traces(#[from] crate::actors::traces::TracesError),
    /// The client for calls that the process of role train answers.
    #[error(transparent)]
    Primary(#[from] PrimaryError),
}

impl StartError {
    /// Whether a file that the settings name is what is wrong.
    #[must_use]
    pub const fn is_of_settings(&self) -> bool {
        matches!(self, Self::Tls(_) | Self::Keys(_) | Self::Primary(PrimaryError::Authorities(_)))
    }
}

/// The running service.
pub struct Running {
    /// The address it listens on.
    pub address: SocketAddr,
    /// What answers are made of.
    pub recommending: Arc<Recommending>,
    /// Every change of the live version.
    pub activated: broadcast::Sender<Activated>,
    /// The way in, for events and item data that come from this process itself.
    pub ingest: IngestHandle,
    /// The trainer.
    pub trainer: TrainerHandle,
    /// The registry.
    pub registry: RegistryHandle,
    /// Why the process must end, once it must.
    pub fatal: watch::Receiver<Option<String>>,
    eraser: EraserHandle,
    tls: bool,
    readiness: Arc<Readiness>,
    http: server::Stop,
    overseer: Addr<Overseer>,
    trainer_slot: Slot<Trainer>,
    kafka: Option<kafka::Streams>,
    traces: Option<Arc<Traces>>,
    log: Arc<EventLog>,
    grace: Duration,
}

/// Runs `work` to its end in an actix system of its own on the calling thread, where [`start`] may be called.
pub fn run<T>(work: impl Future<Output = T>) -> T {
    actix::System::new().block_on(work)
}

/// Starts the service in the actix system of the calling thread. HTTP answers as soon as this returns; it is ready once the
/// log is in memory.
///
/// # Errors
/// [`StartError`].
pub async fn start(settings: Settings, clock: Clock) -> Result<Running, StartError> {
    let settings = Arc::new(settings);
    let identity = Identity::read(&settings.server)?;
    let readiness = Arc::new(Readiness::new());
    let mut parts = parts::Parts::open(settings.clone(), clock.clone(), &readiness).await?;
    let (changes, _) = broadcast::channel::<Arc<RunRecord>>(1024);
    let (activated, _) = broadcast::channel(64);
    let (fatal, fatal_seen) = watch::channel(None);
    let stats = Arc::new(RequestStats::new(clock.now_ms()));

    // The address is known before the first announcement names it.
    let listener = server::bind(&settings.server)?;
    let address = listener.local_addr()?;
    let kafka = kafka::Streams::start(&settings, &clock, &parts, &readiness)?;
    if let Some(writes) = kafka.as_ref().and_then(kafka::Streams::writes) {
        parts.ingest = parts.ingest.shared_by(writes);
    }
    let primary = (settings.server.role == Role::Serve).then(|| Primary::of(&settings.server)).transpose()?;
    let wiring = children::Wiring {
        parts: &parts,
        changes,
        activated: activated.clone(),
        stats: stats.clone(),
        kafka: kafka.as_ref(),
        base_url: public_url(&settings, address),
    };
    let children = children::factories(&wiring)?;
    let board = Arc::new(Board::default());
    let overseer = Overseer::new(
        children.factories,
        policy(&settings),
        settings.overseer.heartbeat.duration(),
        clock.clone(),
        board.clone(),
        fatal,
    );
    let overseer = overseer.start();

    if !parts.recommending.experiment.variants().is_empty() {
        actix::spawn(variants::keep(parts.recommending.clone(), children.registry.clone(), activated.subscribe()));
    }

    let service = Service::new(HttpParts {
        settings: settings.clone(),
        clock,
        recommending: parts.recommending.clone(),
        ingest: parts.ingest.clone(),
        trainer: children.trainer.clone(),
        registry: children.registry.clone(),
        eraser: children.eraser.clone(),
        overseer: OverseerHandle::new(board),
        stats,
        readiness: readiness.clone(),
        kafka: kafka.as_ref().map(kafka::Streams::status),
        dead_letters: kafka.as_ref().map(kafka::Streams::dead_letters).transpose()?,
        loader: Some(Arc::new(ports::Loader(children.registry.clone()))),
        downloads: Some(Arc::new(downloads::Files(parts.versions.clone()))),
        primary,
        user_notes: UserNotes::new(parts.log.clone()),
        meters: parts.meters.clone(),
        traces: parts.traces.clone(),
    })?;
    let service = actix_web::web::Data::new(service);
    let http = server::serve(service.clone(), listener, identity.as_ref())?;
    actix::spawn(reload::watch(service, identity));
    let stopper = http.stopper();
    actix::spawn(async move {
        if let Err(error) = http.run().await {
            tracing::error!(%error, "the HTTP server ended");
        }
    });
    Ok(Running {
        address,
        recommending: parts.recommending.clone(),
        ingest: parts.ingest.clone(),
        activated,
        trainer: children.trainer,
        registry: children.registry,
        eraser: children.eraser,
        fatal: fatal_seen,
        tls: settings.server.tls(),
        readiness,
        http: stopper,
        overseer,
        trainer_slot: children.trainer_slot,
        kafka,
        traces: parts.traces,
        log: parts.log,
        grace: settings.server.shutdown_grace.duration(),
    })
}

impl Running {
    /// The URL to call it by from this machine.
    #[must_use]
    pub fn url(&self) -> String {
        local_url(self.address, self.tls)
    }

    /// Stops in order: not ready -> streams read no more and finish what they hold -> HTTP drains -> the job is cancelled
    /// and waited for -> actors. What is not done within the grace period is left.
    pub async fn stop(self) {
        self.readiness.stop();
        self.eraser.stop();
        let (http, kafka) = (self.http, self.kafka);
        let stopping = async move {
            if let Some(streams) = kafka {
                streams.stop(STREAMS).await;
            }
            http.drain().await;
            let job = self.trainer_slot.call(StopTraining, JOB).await.ok().flatten();
            if let Some(job) = job
                && !job.joined(JOB).await
            {
                tracing::warn!("the training job did not stop in time and is abandoned");
            }
            if let Err(error) = self.overseer.send(StopChildren).await {
                tracing::warn!(%error, "the overseer was gone at the stop");
            }
        };
        if tokio::time::timeout(self.grace, stopping).await.is_err() {
            tracing::warn!("the stop took longer than server.shutdown_grace, the rest is left");
        }
        ingestor::keep_online(&self.recommending, &self.log);
        if let Some(traces) = self.traces
            && tokio::task::spawn_blocking(move || traces.flush()).await.is_err()
        {
            tracing::warn!("the last traces were not sent");
        }
    }
}

fn policy(settings: &Settings) -> RestartPolicy {
    let overseer = &settings.overseer;
    RestartPolicy {
        max_restarts: overseer.max_restarts,
        backoff_min: overseer.backoff_min.duration(),
        backoff_max: overseer.backoff_max.duration(),
        hung_after_ms: overseer.hung_after.millis_i64(),
    }
}

/// The URL that reaches `address` from this machine.
fn local_url(address: SocketAddr, tls: bool) -> String {
    let scheme = if tls { "https" } else { "http" };
    match address.ip() {
        ip if ip.is_unspecified() => format!("{scheme}://127.0.0.1:{}", address.port()),
        _ => format!("{scheme}://{address}"),
    }
}

fn public_url(settings: &Settings, address: SocketAddr) -> String {
    match settings.server.public_url.trim_end_matches('/') {
        "" => local_url(address, settings.server.tls()),
        url => url.to_owned(),
    }
}
