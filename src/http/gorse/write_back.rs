//! Lists that are taken in as feedback when they are given, or some time after.
//!
//! What waits is bounded, in memory, and lost when the process ends: then the items may be shown once more, as they would
//! be had nobody looked at the list. It is not written for a user who was erased meanwhile.

use std::sync::Arc;
use std::time::Duration;

use actix_web::{HttpRequest, web};
use tokio::sync::OwnedSemaphorePermit;

use super::feedback::{self, Existing};
use crate::http::auth::Scope;
use crate::http::errors::{ApiError, Kind};
use crate::http::service::Service;
use crate::model::event::{Event, MAX_LABEL_BYTES, is_label};
use crate::model::ids::{ItemId, UserId};

/// The longest delay.
pub const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// Events that may wait for their time, in all; about a hundred bytes each.
pub const MOST_WAITING: usize = 200_000;

/// Pauses between the tries to write what has waited, when the ingestor does not take it.
const AGAIN: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(4), Duration::from_secs(15), Duration::from_secs(60)];

/// A list that is to be taken in.
pub struct WriteBack {
    kind: Arc<str>,
    delay: Duration,
}

/// What a request asks for; none where it asks for no write-back.
///
/// # Errors
/// 400 for a type that no event may have, 401 and 403 for a key that may not send events.
pub fn asked(
    service: &Service,
    request: &HttpRequest,
    kind: Option<&str>,
    delay: Duration,
) -> Result<Option<WriteBack>, ApiError> {
    let Some(kind) = kind else { return Ok(None) };
    service.keyring().check(request.headers(), Scope::Ingest)?;
    if !is_label(kind) {
        return Err(ApiError::field("write-back-type", format!("must have 1 to {MAX_LABEL_BYTES} bytes")));
    }
    Ok(Some(WriteBack { kind: Arc::from(kind), delay }))
}

impl WriteBack {
    /// Takes a list in, durably before this returns where there is no delay.
    ///
    /// # Errors
    /// When the events are not taken; 503 when too many wait for their time.
    pub async fn take_in(
        self,
        service: &web::Data<Service>,
        user: &UserId,
        items: Vec<ItemId>,
    ) -> Result<(), ApiError> {
        let at_ms = service.now_ms().saturating_add(i64::try_from(self.delay.as_millis()).unwrap_or(i64::MAX));
        let event = |item| Event {
            user: user.clone(),
            item,
            kind: self.kind.clone(),
            value: 1.0,
            timestamp_ms: Some(at_ms),
            id: None,
            // To be shown is nothing that followed the list.
            recommendation_id: None,
        };
        let events: Vec<Event> = items.into_iter().map(event).collect();
        if self.delay.is_zero() {
            return feedback::take_in(service, events, Existing::Stays).await.map(|_| ());
        }
        let many = u32::try_from(events.len()).unwrap_or(u32::MAX);
        let room = service.write_backs.clone().try_acquire_many_owned(many).map_err(|_| {
            ApiError::new(Kind::Unavailable, format!("more than {MOST_WAITING} write-backs wait for their time"))
        })?;
        let known = service.parts.recommending.histories.contains(user);
        actix_web::rt::spawn(later(service.clone(), events, self.delay, known, room));
        Ok(())
    }
}

async fn later(
    service: web::Data<Service>,
    events: Vec<Event>,
    delay: Duration,
    known: bool,
    _room: OwnedSemaphorePermit,
) {
    tokio::time::sleep(delay).await;
    for pause in AGAIN.map(Some).into_iter().chain([None]) {
        let histories = &service.parts.recommending.histories;
        if known && events.first().is_some_and(|event| !histories.contains(&event.user)) {
            return;
        }
        match (feedback::take_in(&service, events.clone(), Existing::Stays).await, pause) {
            (Ok(_), _) => return,
            (Err(_), Some(pause)) => tokio::time::sleep(pause).await,
            (Err(error), None) => tracing::warn!(%error, events = events.len(), "a write-back was not taken in"),
        }
    }
}
