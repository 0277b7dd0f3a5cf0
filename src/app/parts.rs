//! What exists once in a process, opened before the first actor.

use std::sync::Arc;

use crate::actors::handles::IngestHandle;
use crate::actors::ingest_memory::Memory;
use crate::actors::ingestor::{Ingestor, ONLINE, SharedQueue};
use crate::actors::meters::Meters;
use crate::actors::slot::Slot;
use crate::actors::traces::Traces;
use crate::app::StartError;
use crate::http::readiness::Readiness;
use crate::model::catalogue::Catalogue;
use crate::model::clock::Clock;
use crate::model::histories::Histories;
use crate::model::ids::Version;
use crate::model::serving::experiment::{Answers, Experiment, Variant, share_of};
use crate::model::serving::online::Online;
use crate::model::serving::recommend::{ListRules, Recommending};
use crate::settings::Settings;
use crate::store::artifacts::Artifacts;
use crate::store::log::{EventLog, LogOptions};
use crate::store::versions::VersionStore;

/// The stores, memory, and the way to the ingestor.
pub struct Parts {
    pub settings: Arc<Settings>,
    pub clock: Clock,
    pub log: Arc<EventLog>,
    pub versions: Arc<VersionStore>,
    pub memory: Memory,
    pub recommending: Arc<Recommending>,
    pub ingest: IngestHandle,
    pub ingest_slot: Slot<Ingestor>,
    pub queue: SharedQueue,
    pub readiness: Arc<Readiness>,
    pub meters: Arc<Meters>,
    pub traces: Option<Arc<Traces>>,
}

impl Parts {
    /// Opens the log (which locks the folder) and the artifact store.
    pub async fn open(settings: Arc<Settings>, clock: Clock, readiness: &Arc<Readiness>) -> Result<Self, StartError> {
        let log = open_log(&settings)?;
        let artifacts = Artifacts::open(&settings.storage)?;
        let experiment = experiment(&settings);
        let versions = VersionStore::new(artifacts, settings.registry.keep).sparing(named(&experiment));
        let versions = Arc::new(versions);
        let memory = memory(&settings);
        let (histories, catalogue) = (memory.histories.clone(), memory.catalogue.clone());
        let recommending = Recommending::new(histories, catalogue, Arc::default(), rules(&settings));
        let mut online = Online::new(settings.serving.remembered_lists);
        if let Some(note) = log.note(ONLINE)?
            && let Err(error) = online.restore(note)
        {
            tracing::warn!(%error, "the figures of lists that were kept cannot be read and begin anew");
        }
        let recommending = Arc::new(recommending.observed(experiment, online));
        let traces = Traces::start(&settings.telemetry)?.map(Arc::new);
        let ingest_slot = Slot::default();
        let meters = Arc::new(Meters::default());
        let (ingest, queue) = IngestHandle::new(ingest_slot.clone(), settings.ingest.queue, meters.clone());
        let readiness = readiness.clone();
        Ok(Self {
            settings,
            clock,
            log: Arc::new(log),
            versions,
            memory,
            recommending,
            ingest,
            ingest_slot,
            queue,
            readiness,
            meters,
            traces,
        })
    }
}

/// Opens the event log of the settings' data folder, which says what was found and done.
pub fn open_log(settings: &Settings) -> Result<EventLog, StartError> {
    let options = LogOptions {
        seal_events: settings.storage.seal_events,
        dedup_window_ms: settings.ingest.dedup_window.millis_i64(),
    };
    Ok(EventLog::open(&settings.storage.data_dir, options)?.0)
}

/// Empty histories and an empty catalogue.
pub fn memory(settings: &Settings) -> Memory {
    Memory {
        histories: Arc::new(Histories::default()),
        catalogue: Arc::new(Catalogue::new(settings.serving.trending_half_life.millis_i64())),
        weights: Arc::new(settings.ingest.weights.clone()),
        default_weight: settings.ingest.default_weight,
    }
}

/// The test that the settings name. What is wrong with a variant was said when they were read.
fn experiment(settings: &Settings) -> Experiment {
    let serving = &settings.serving;
    let variants = serving.variants.iter().filter_map(|text| Variant::read(text).ok()).collect();
    Experiment::new(serving.experiment.clone(), variants, share_of(serving.holdout).unwrap_or(0))
}

/// The versions that a test names.
fn named(experiment: &Experiment) -> Vec<Version> {
    let version = |variant: &Variant| match variant.answers {
        Answers::Version(version) => Some(version),
        Answers::Live | Answers::Previous | Answers::None => None,
    };
    experiment.variants().iter().filter_map(version).collect()
}

/// What shapes lists, from the settings.
pub fn rules(settings: &Settings) -> ListRules {
    ListRules {
        seen_types: settings.serving.seen_types.clone(),
        weights: settings.ingest.weights.clone().into_iter().collect(),
        default_weight: settings.ingest.default_weight,
        history: settings.serving.history,
        generation_ms: settings.serving.generation.millis_i64(),
        prequential: settings.serving.prequential,
        reuse: settings.serving.reuse,
    }
}
