//! What handlers share, made once by the composition root.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::Semaphore;

use super::admission::Admission;
use super::auth::{Keyring, KeysError};
use super::gorse::MOST_WRITE_BACKS;
use super::metrics::Metrics;
use super::ports::{DeadLetters, Downloads, KafkaStatus, VersionLoader};
use super::primary::Primary;
use super::rates::Rates;
use super::readiness::Readiness;
use crate::actors::handles::{IngestHandle, OverseerHandle, RegistryHandle, TrainerHandle};
use crate::actors::meters::Meters;
use crate::actors::traces::Traces;
use crate::actors::user_notes::UserNotes;
use crate::model::clock::Clock;
use crate::model::serving::live::LiveModel;
use crate::model::serving::recommend::Recommending;
use crate::model::serving::stats::RequestStats;
use crate::settings::Settings;

/// Streams (`/v1/live`, a run's events) that are open at once, at most.
const MAX_STREAMS: usize = 256;

/// Bulk requests worked on at once, at most: each holds its body.
const MAX_BULK: usize = 4;

/// What the composition root hands in.
pub struct Parts {
    /// The settings.
    pub settings: Arc<Settings>,
    /// The time.
    pub clock: Clock,
    /// What answers are made of.
    pub recommending: Arc<Recommending>,
    /// The ingestor.
    pub ingest: IngestHandle,
    /// The trainer.
    pub trainer: TrainerHandle,
    /// The registry.
    pub registry: RegistryHandle,
    /// The overseer.
    pub overseer: OverseerHandle,
    /// The figures of `/state`, which Kafka's responder counts in too.
    pub stats: Arc<RequestStats>,
    /// Whether it can answer.
    pub readiness: Arc<Readiness>,
    /// Kafka's status, where there is Kafka.
    pub kafka: Option<Arc<dyn KafkaStatus>>,
    /// The dead letters, where there is Kafka.
    pub dead_letters: Option<Arc<dyn DeadLetters>>,
    /// Loads versions that are not live.
    pub loader: Option<Arc<dyn VersionLoader>>,
    /// Gives out the files of versions.
    pub downloads: Option<Arc<dyn Downloads>>,
    /// The process with the trainer, where this one has none.
    pub primary: Option<Primary>,
    /// What was said of users.
    pub user_notes: UserNotes,
    /// What the actors count.
    pub meters: Arc<Meters>,
    /// Where spans go, if anywhere.
    pub traces: Option<Arc<Traces>>,
}

/// The shared state; handlers get it as `web::Data<Service>`.
pub struct Service {
    /// What the composition root handed in.
    pub parts: Parts,
    /// Permits of the answering and the ingest routes.
    pub admission: Admission,
    /// Permits of open streams.
    pub streams: Admission,
    /// Permits of bulk requests.
    pub bulk: Admission,
    /// Requests by route and status.
    pub metrics: Metrics,
    /// How fast each key may ask.
    pub rates: Rates,
    /// Room for events that wait for their time.
    pub write_backs: Arc<Semaphore>,
    keyring: ArcSwap<Keyring>,
}

impl Service {
    /// Joins the parts and reads the keys.
    ///
    /// # Errors
    /// [`KeysError`] when a key's entry or the file of keys is not usable.
    pub fn new(parts: Parts) -> Result<Self, KeysError> {
        let keyring = Keyring::read(&parts.settings.auth)?;
        Ok(Self {
            admission: Admission::new(parts.settings.server.max_in_flight, "requests"),
            streams: Admission::new(MAX_STREAMS, "open streams"),
            bulk: Admission::new(MAX_BULK, "bulk requests"),
            metrics: Metrics::default(),
            rates: Rates::new(&parts.settings.auth, parts.clock.clone()),
            write_backs: Arc::new(Semaphore::new(MOST_WRITE_BACKS)),
            keyring: ArcSwap::from_pointee(keyring),
            parts,
        })
    }

    /// The keys that are let in.
    #[must_use]
    pub fn keyring(&self) -> Arc<Keyring> {
        self.keyring.load_full()
    }

    /// Reads the keys again, for a file that has changed.
    ///
    /// # Errors
    /// [`KeysError`]; the keys stay as they were.
    pub fn reload_keys(&self) -> Result<(), KeysError> {
        self.keyring.store(Arc::new(Keyring::read(&self.parts.settings.auth)?));
        Ok(())
    }

    /// Now, in milliseconds of the epoch.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.parts.clock.now_ms()
    }

    /// The version that answers.
    #[must_use]
    pub fn live(&self) -> Option<Arc<LiveModel>> {
        self.parts.recommending.live.load_full()
    }

    /// Counts an answer that took `elapsed`.
    pub fn answered(&self, elapsed: Duration) {
        let live = self.parts.recommending.live.load();
        self.parts.stats.record(live.as_deref(), elapsed, self.now_ms());
    }
}
