//! The state as it moves: `/v1/live`.

use std::sync::Arc;
use std::time::Duration;

use actix_web::{HttpResponse, web};
use bytes::Bytes;
use futures_util::{Stream, stream};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::errors::ApiError;
use super::openapi::Refused;
use super::service::Service;
use super::{sse, state};
use crate::model::ids::Version;

/// Time between two states.
const PERIOD: Duration = Duration::from_secs(1);

/// How often a swap is looked for.
const GLANCE: Duration = Duration::from_millis(50);

/// `GET /v1/live`.
#[utoipa::path(get, path = "/v1/live", tag = "service",
    responses((status = 200, description = "Events named `state` with the body of `/state`, once a second and at each swap", content_type = "text/event-stream"), Refused))]
pub async fn get(service: web::Data<Service>) -> Result<HttpResponse, ApiError> {
    let permit = service.streams.admit()?;
    Ok(sse::response(states(service.into_inner(), permit)))
}

/// What the stream showed last.
struct Shown {
    version: Option<Version>,
    at: Option<Instant>,
}

fn states(service: Arc<Service>, permit: OwnedSemaphorePermit) -> impl Stream<Item = Result<Bytes, actix_web::Error>> {
    let first = Shown { version: None, at: None };
    stream::unfold((service, permit, first), |(service, permit, shown)| async move {
        let shown = due(&service, shown).await?;
        let bytes = sse::event("state", &state::view(&service).await);
        Some((Ok(bytes), (service, permit, shown)))
    })
}

/// Waits until a second is over or another version answers; none when the service stops.
async fn due(service: &Service, shown: Shown) -> Option<Shown> {
    let stopping = service.parts.readiness.stopping();
    loop {
        let version = service.live().map(|live| live.version());
        let now = Instant::now();
        if version != shown.version || shown.at.is_none_or(|at| now.duration_since(at) >= PERIOD) {
            return (!stopping.is_cancelled()).then_some(Shown { version, at: Some(now) });
        }
        tokio::select! {
            () = stopping.cancelled() => return None,
            () = tokio::time::sleep(GLANCE) => {}
        }
    }
}
