//! How the service stands: `/state`.

use std::time::Duration;

use actix_web::{HttpResponse, web};
use serde::Serialize;
use serde_json::Value;

use super::errors::ApiError;
use super::openapi::Refused;
use super::service::Service;
use super::times;
use crate::actors::messages::ActorStatus;
use crate::model::ids::Version;
use crate::model::serving::experiment::ExperimentView;
use crate::model::serving::online::OnlineView;
use crate::model::serving::prequential::PrequentialBody;
use crate::model::serving::stats::StatsBody;

/// How long the registry may take to say what versions there are.
const PATIENCE: Duration = Duration::from_millis(200);

/// The state.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct StateView {
    /// The original's seven fields.
    #[serde(flatten)]
    pub stats: StatsBody,
    /// The version that answers; null before the first.
    pub live: Option<LiveView>,
    /// What the live version was worth on events as they came; null before the first was looked up.
    pub prequential: Option<PrequentialBody>,
    /// What followed the lists, by version and variant, newest version first.
    pub online: Vec<OnlineView>,
    /// The test that deals users to variants; null without one.
    pub experiment: Option<ExperimentView>,
    /// The versions there are.
    pub versions: VersionNumbers,
    /// The events taken in.
    pub events: EventsView,
    /// The actors.
    pub actors: Vec<ActorStatus>,
    /// Connection, offsets and lag; null without Kafka.
    pub kafka: Option<Value>,
    /// Whether it can answer.
    pub ready: bool,
    /// Parts that are missing while the rest answers.
    pub degraded: Vec<&'static str>,
    /// Memory.
    pub memory: MemoryView,
}

/// The version that answers.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct LiveView {
    /// Its number.
    pub version: u64,
    /// Its kind.
    pub kind: String,
    /// When it was made, RFC 3339.
    pub created: Option<String>,
    /// Seconds since then.
    pub age_seconds: f64,
    /// The time of the last event it was fitted on, RFC 3339.
    pub events_to: Option<String>,
    /// Seconds since then.
    pub data_age_seconds: Option<f64>,
    /// The run that made it.
    pub run: Option<String>,
}

/// The versions by number; what the registry did not say in time is absent.
#[derive(Debug, Clone, Default, Serialize, utoipa::ToSchema)]
pub struct VersionNumbers {
    /// The version that a rollback brings back.
    #[schema(value_type = Option<u64>)]
    pub previous: Option<Version>,
    /// All of them, newest first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<u64>>)]
    pub all: Option<Vec<Version>>,
}

/// The events taken in.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct EventsView {
    /// Events in all histories.
    pub events: u64,
    /// Users with a history.
    pub users: usize,
    /// Items in the catalogue.
    pub items: usize,
    /// The last record of the log that answers rest on.
    pub applied_seq: u64,
}

/// Memory, in bytes; of its parts, about.
#[derive(Debug, Clone, Default, Serialize, utoipa::ToSchema)]
pub struct MemoryView {
    /// What the process holds, where the system says so.
    pub resident_bytes: Option<u64>,
    /// The histories, room for more events counted in.
    pub histories_bytes: u64,
    /// The catalogue with item data.
    pub catalogue_bytes: u64,
    /// The live version; null before the first.
    pub model_bytes: Option<u64>,
    /// Lists that are kept for the same question.
    pub kept_lists_bytes: u64,
}

/// `GET /state`.
#[utoipa::path(get, path = "/state", tag = "service",
    responses((status = 200, description = "The state", body = StateView), Refused))]
pub async fn get(service: web::Data<Service>) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(view(&service).await))
}

/// The state now. Only the list of versions is asked of an actor, and only for a moment.
pub async fn view(service: &Service) -> StateView {
    let versions = match tokio::time::timeout(PATIENCE, service.parts.registry.list()).await {
        Ok(Ok(list)) => VersionNumbers {
            previous: list.previous,
            all: Some(list.versions.iter().map(|manifest| manifest.version).collect()),
        },
        Ok(Err(_)) | Err(_) => VersionNumbers::default(),
    };
    with_versions(service, versions)
}

/// The state, of which all but the versions is at hand.
pub fn with_versions(service: &Service, versions: VersionNumbers) -> StateView {
    let now_ms = service.now_ms();
    let live = service.live();
    let recommending = &service.parts.recommending;
    let report = service.parts.readiness.report();
    StateView {
        stats: service.parts.stats.body(live.as_deref(), now_ms),
        prequential: live.as_ref().and_then(|live| recommending.prequential.of(live.version())),
        online: recommending.online.view(),
        experiment: recommending.experiment.view(live.as_ref()),
        memory: MemoryView {
            resident_bytes: resident_bytes(),
            histories_bytes: recommending.histories.bytes(),
            catalogue_bytes: recommending.catalogue.bytes(),
            model_bytes: live.as_ref().map(|live| live.bytes()),
            kept_lists_bytes: recommending.kept_bytes(),
        },
        live: live.map(|live| LiveView {
            version: live.manifest.version.0,
            kind: live.manifest.recipe.kind.clone(),
            created: times::rfc3339(live.manifest.created_ms),
            age_seconds: (now_ms - live.manifest.created_ms) as f64 / 1e3,
            events_to: live.manifest.data.events_to_ms.and_then(times::rfc3339),
            data_age_seconds: live.manifest.data.events_to_ms.map(|newest| (now_ms - newest) as f64 / 1e3),
            run: live.manifest.run.clone(),
        }),
        versions,
        events: EventsView {
            events: recommending.histories.events(),
            users: recommending.histories.users(),
            items: recommending.catalogue.len(),
            applied_seq: recommending.histories.applied_seq(),
        },
        actors: service.parts.overseer.actors(),
        kafka: service.parts.kafka.as_ref().map(|kafka| kafka.status()),
        ready: report.blocked.is_none(),
        degraded: report.degraded,
    }
}

/// The resident set as Linux gives it, in kibibytes by `VmRSS`.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn a_process_holds_some_memory() {
        assert!(super::resident_bytes().is_some_and(|bytes| bytes > 1 << 20));
    }
}
