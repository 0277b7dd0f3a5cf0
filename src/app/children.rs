//! The actors' factories, in the order in which they are started.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::broadcast;

use super::kafka::Streams;
use super::parts::Parts;
use super::{StartError, plan};
use crate::actors::eraser::{Eraser, EraserParts};
use crate::actors::handles::{EraserHandle, RegistryHandle, TrainerHandle};
use crate::actors::ingestor::{IngestParts, Ingestor};
use crate::actors::job::JobParts;
use crate::actors::messages::ScheduleState;
use crate::actors::registry::{Looked, Registry, RegistryParts};
use crate::actors::releases::Announce;
use crate::actors::serving::{Activated, Serving, ServingParts};
use crate::actors::slot::Slot;
use crate::actors::supervision::{Factory, SlotFactory};
use crate::actors::trainer::{Trainer, TrainerParts};
use crate::actors::watched::Watched;
use crate::model::run::RunRecord;
use crate::model::serving::stats::RequestStats;
use crate::settings::Role;

/// What the actors are wired to.
pub struct Wiring<'a> {
    pub parts: &'a Parts,
    pub changes: broadcast::Sender<Arc<RunRecord>>,
    pub activated: broadcast::Sender<Activated>,
    pub stats: Arc<RequestStats>,
    pub kafka: Option<&'a Streams>,
    /// The URL that announcements name.
    pub base_url: String,
}

/// The factories with the ways to what they make.
pub struct Children {
    pub factories: Vec<Box<dyn Factory>>,
    pub trainer: TrainerHandle,
    pub trainer_slot: Slot<Trainer>,
    pub registry: RegistryHandle,
    pub eraser: EraserHandle,
}

/// Makes the factories.
pub fn factories(wiring: &Wiring<'_>) -> Result<Children, StartError> {
    let parts = wiring.parts;
    let (looked_at, alias_read) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (serving_slot, registry_slot, trainer_slot) = (Slot::default(), Slot::default(), Slot::default());
    let registry = RegistryHandle::new(registry_slot.clone());
    let eraser = EraserHandle::new(parts.log.erasures().clone());
    let trainer = TrainerHandle::new(trainer_slot.clone(), parts.log.clone(), wiring.changes.clone());

    let announce = wiring.kafka.map(|kafka| kafka.announce(wiring.base_url.clone(), parts));
    let announce = announce.unwrap_or_else(|| Arc::new(|_| ()));
    let looked: Looked = {
        let (looked_at, alias_read) = (looked_at.clone(), alias_read.clone());
        Arc::new(move |read| {
            alias_read.fetch_or(read, Ordering::AcqRel);
            looked_at.store(true, Ordering::Release);
        })
    };
    let mut factories = vec![
        serving(wiring, serving_slot.clone()),
        ingestor(parts),
        registry_factory(wiring, registry_slot, serving_slot, looked, announce.clone()),
        eraser_factory(parts, registry.clone(), eraser.clone()),
    ];
    let serves = parts.settings.server.role == Role::Serve;
    // A store that is away keeps nobody but a replica from answering; a version that is being read is waited for.
    let awaited = if serves { alias_read.clone() } else { looked_at };
    parts.readiness.blocked_while("the live version", move || !awaited.load(Ordering::Acquire));
    if !serves {
        factories.push(trainer_factory(wiring, trainer_slot.clone(), registry.clone(), alias_read, announce)?);
    }
    if let Some(kafka) = wiring.kafka {
        factories.extend(kafka.follower(registry.clone()));
        factories.extend(kafka.factories(parts, &wiring.stats));
    }
    Ok(Children { factories, trainer, trainer_slot, registry, eraser })
}

fn serving(wiring: &Wiring<'_>, slot: Slot<Serving>) -> Box<dyn Factory> {
    let parts = ServingParts {
        live: wiring.parts.recommending.live.clone(),
        clock: wiring.parts.clock.clone(),
        activated: wiring.activated.clone(),
        meters: wiring.parts.meters.clone(),
    };
    Box::new(SlotFactory::new("serving", false, slot, move |guard| Serving::new(parts.clone(), guard)))
}

fn ingestor(parts: &Parts) -> Box<dyn Factory> {
    let readiness = parts.readiness.clone();
    let ingest = IngestParts {
        log: parts.log.clone(),
        memory: parts.memory.clone(),
        recommending: parts.recommending.clone(),
        queue: parts.queue.clone(),
        clock: parts.clock.clone(),
        batch: parts.settings.ingest.batch,
        loaded: Arc::new(move || readiness.set_loaded()),
    };
    let slot = parts.ingest_slot.clone();
    Box::new(SlotFactory::new("ingestor", true, slot, move |guard| Ingestor::new(ingest.clone(), guard)))
}

fn registry_factory(
    wiring: &Wiring<'_>,
    slot: Slot<Registry>,
    serving: Slot<Serving>,
    looked: Looked,
    announce: Announce,
) -> Box<dyn Factory> {
    let parts = RegistryParts {
        store: wiring.parts.versions.clone(),
        catalogue: wiring.parts.memory.catalogue.clone(),
        serving,
        follows: wiring.parts.settings.server.role == Role::Serve,
        announce,
        looked,
        erasures: wiring.parts.log.erasures().clone(),
        meters: wiring.parts.meters.clone(),
    };
    Box::new(SlotFactory::new("registry", true, slot, move |guard| Registry::new(parts.clone(), guard)))
}

fn eraser_factory(parts: &Parts, registry: RegistryHandle, handle: EraserHandle) -> Box<dyn Factory> {
    let parts = EraserParts {
        log: parts.log.clone(),
        registry,
        handle,
        clock: parts.clock.clone(),
        wait_ms: parts.settings.storage.erase_within.millis_i64() / 2,
    };
    // Hung, it may hold the log's files and the writer: another beside it would not get on.
    Box::new(SlotFactory::new("eraser", true, Slot::default(), move |guard| Eraser::new(parts.clone(), guard)))
}

fn trainer_factory(
    wiring: &Wiring<'_>,
    slot: Slot<Trainer>,
    registry: RegistryHandle,
    alias_read: Arc<AtomicBool>,
    announce: Announce,
) -> Result<Box<dyn Factory>, StartError> {
    let (parts, settings) = (wiring.parts, &wiring.parts.settings);
    let job = JobParts {
        memory: parts.memory.clone(),
        ingest: parts.ingest.clone(),
        registry,
        live: parts.recommending.live.clone(),
        prequential: parts.recommending.prequential.clone(),
        alias_read,
        clock: parts.clock.clone(),
        watched: Watched::new(&settings.storage, parts.log.clone(), parts.clock.clone()),
        plan: plan::of(settings)?,
        seed: settings.training.seed,
        threads: settings.training.threads,
    };
    let parts = TrainerParts {
        log: parts.log.clone(),
        clock: parts.clock.clone(),
        job,
        schedule: ScheduleState {
            cron: settings.schedule.cron.clone(),
            interval_seconds: settings.schedule.interval.millis().div_ceil(1000),
            every_events: settings.schedule.every_events,
            drift: settings.schedule.drift,
            ..ScheduleState::default()
        },
        drift_lookups: settings.schedule.drift_lookups,
        on_start: settings.schedule.on_start,
        announce,
        changes: wiring.changes.clone(),
        slot: slot.clone(),
        meters: parts.meters.clone(),
    };
    Ok(Box::new(SlotFactory::new("trainer", false, slot, move |guard| Trainer::new(parts.clone(), guard))))
}
