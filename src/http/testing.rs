//! A service for tests: nothing behind its handles, an empty catalogue, a clock that stands.

use std::sync::Arc;

use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::header::HeaderMap;
use actix_web::middleware::from_fn;
use actix_web::test::{self, TestRequest};
use actix_web::{App, Error, web};
use arc_swap::ArcSwapOption;
use bytes::Bytes;
use serde_json::Value;

use super::edge::edge;
use super::readiness::Readiness;
use super::routes;
use super::service::{Parts, Service};
use crate::actors::handles::{IngestHandle, OverseerHandle, RegistryHandle, TrainerHandle};
use crate::actors::slot::Slot;
use crate::actors::user_notes::UserNotes;
use crate::model::catalogue::Catalogue;
use crate::model::clock::Clock;
use crate::model::histories::Histories;
use crate::model::serving::recommend::{ListRules, Recommending};
use crate::model::serving::stats::RequestStats;
use crate::settings::Settings;
use crate::store::log::{EventLog, LogOptions};

/// The time at which tests take place: 2026-01-01T00:00:00Z.
pub const NOW_MS: i64 = 1_767_225_600_000;

/// A trainer that is not there.
pub fn trainer() -> TrainerHandle {
    TrainerHandle::new(Slot::default(), log(), tokio::sync::broadcast::channel(1).0)
}

/// A service with the default settings changed by `change`.
pub fn service(change: impl FnOnce(&mut Settings)) -> web::Data<Service> {
    let mut settings: Settings = toml::from_str(include_str!("../../config/default.toml")).unwrap();
    change(&mut settings);
    let recommending = Recommending::new(
        Arc::new(Histories::default()),
        Arc::new(Catalogue::new(1000)),
        Arc::new(ArcSwapOption::empty()),
        ListRules {
            seen_types: settings.serving.seen_types.clone(),
            default_weight: settings.ingest.default_weight,
            history: settings.serving.history,
            generation_ms: settings.serving.generation.millis_i64(),
            ..ListRules::default()
        },
    );
    let readiness = Readiness::new();
    readiness.set_loaded();
    let log = log();
    let parts = Parts {
        settings: Arc::new(settings),
        clock: Clock::held(NOW_MS),
        recommending: Arc::new(recommending),
        ingest: IngestHandle::new(Slot::default(), 1, Arc::default()).0,
        trainer: TrainerHandle::new(Slot::default(), log.clone(), tokio::sync::broadcast::channel(1).0),
        registry: RegistryHandle::new(Slot::default()),
        overseer: OverseerHandle::new(Arc::default()),
        stats: Arc::new(RequestStats::new(NOW_MS)),
        readiness: Arc::new(readiness),
        kafka: None,
        dead_letters: None,
        loader: None,
        downloads: None,
        primary: None,
        user_notes: UserNotes::new(log),
        meters: Arc::default(),
        traces: None,
    };
    web::Data::new(Service::new(parts).unwrap())
}

/// An empty log, whose folder is gone when the test is over.
fn log() -> Arc<EventLog> {
    let folder = tempfile::tempdir().unwrap();
    Arc::new(EventLog::open(folder.path(), LogOptions::default()).unwrap().0)
}

/// A body that was answered, with its status and headers.
pub struct Answered {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Answered {
    /// The body as JSON; null where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// A header's text, empty where it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// The body of an error, checked: its type, its id, its status.
    pub fn problem(&self) -> Value {
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["status"], self.status);
        assert_eq!(problem["request_id"], self.header("x-request-id"));
        assert_eq!(problem["error"], problem["detail"]);
        problem
    }
}

/// Sends one request to an application made like the server's.
pub async fn send(service: &web::Data<Service>, request: TestRequest) -> Answered {
    send_to(App::new().app_data(service.clone()).wrap(from_fn(edge)).configure(routes::configure), request).await
}

/// Sends one request to an application.
pub async fn send_to<T>(app: App<T>, request: TestRequest) -> Answered
where
    T: ServiceFactory<ServiceRequest, Config = (), Response = ServiceResponse, Error = Error, InitError = ()> + 'static,
{
    let app = test::init_service(app).await;
    let response = test::call_service(&app, request.to_request()).await;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Answered { status, headers, body: test::read_body(response).await }
}

/// Sends a GET.
pub async fn get(service: &web::Data<Service>, url: &str) -> Answered {
    send(service, TestRequest::get().uri(url)).await
}

/// Sends a JSON body.
pub async fn post(service: &web::Data<Service>, url: &str, body: &str) -> Answered {
    let request = TestRequest::post().uri(url).insert_header(("content-type", "application/json"));
    send(service, request.set_payload(body.to_owned())).await
}
