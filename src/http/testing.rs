//! A service for tests: nothing behind its handles, an empty catalogue, a clock that stands.

use std::sync::Arc;

use actix_web::web;
use arc_swap::ArcSwapOption;

use super::readiness::Readiness;
use super::service::{Parts, Service};
use crate::actors::handles::{IngestHandle, OverseerHandle, RegistryHandle, TrainerHandle};
use crate::model::catalogue::Catalogue;
use crate::model::clock::Clock;
use crate::model::histories::Histories;
use crate::model::serving::recommend::{ListRules, Recommending};
use crate::model::serving::stats::RequestStats;
use crate::settings::Settings;

/// The time at which tests take place: 2026-01-01T00:00:00Z.
pub const NOW_MS: i64 = 1_767_225_600_000;

/// A service with the default settings changed by `change`.
pub fn service(change: impl FnOnce(&mut Settings)) -> web::Data<Service> {
    let mut settings: Settings = toml::from_str(include_str!("../../config/default.toml")).unwrap();
    change(&mut settings);
    let recommending = Recommending::new(
        Arc::new(Histories::default()),
        Arc::new(Catalogue::new(1000)),
        Arc::new(ArcSwapOption::empty()),
        ListRules::default(),
    );
    let readiness = Readiness::new();
    readiness.set_loaded();
    let parts = Parts {
        settings: Arc::new(settings),
        clock: Clock::held(NOW_MS),
        recommending: Arc::new(recommending),
        ingest: IngestHandle {},
        trainer: TrainerHandle {},
        registry: RegistryHandle {},
        overseer: OverseerHandle {},
        stats: Arc::new(RequestStats::new(NOW_MS)),
        readiness: Arc::new(readiness),
        kafka: None,
        dead_letters: None,
        loader: None,
        downloads: None,
    };
    web::Data::new(Service::new(parts).unwrap())
}
