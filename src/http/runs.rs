//! Runs: `/v1/runs`, one run, its cancellation, and its changes as they happen.

use std::sync::Arc;
use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use futures_util::{Stream, stream};
use serde::Serialize;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio_util::sync::CancellationToken;

use super::errors::ApiError;
use super::openapi::Refused;
use super::params::Params;
use super::service::Service;
use super::sse;
use crate::actors::handles::TrainerHandle;
use crate::actors::messages::RunStarted;
use crate::model::ids::Version;
use crate::model::run::{RunRecord, RunStatus, Trigger};

/// Runs listed where no limit was asked for, and at most.
const DEFAULT_RUNS: usize = 100;
const MAX_RUNS: usize = 1000;

/// A run in the list.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct RunSummary {
    /// Its id.
    pub id: String,
    /// Where it stands.
    pub status: RunStatus,
    /// The version it published.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    pub version: Option<Version>,
    /// Why it began.
    pub trigger: Trigger,
    /// What called for it, where the trigger alone does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it was asked for, milliseconds of the epoch.
    pub queued_ms: i64,
    /// When its first step began.
    pub started_ms: Option<i64>,
    /// When it was over.
    pub finished_ms: Option<i64>,
    /// Why it failed, was refused or cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl From<&RunRecord> for RunSummary {
    fn from(run: &RunRecord) -> Self {
        Self {
            id: run.id.clone(),
            status: run.status,
            version: run.version,
            trigger: run.trigger,
            reason: run.reason.clone(),
            queued_ms: run.queued_ms,
            started_ms: run.started_ms,
            finished_ms: run.finished_ms,
            error: run.error.clone(),
        }
    }
}

/// The runs.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct RunsView {
    /// Newest first.
    pub runs: Vec<RunSummary>,
}

/// `GET /v1/runs`.
#[utoipa::path(get, path = "/v1/runs", tag = "runs", params(("limit" = Option<usize>, Query, minimum = 1, maximum = 1000, description = "How many; 100 where absent")),
    responses((status = 200, description = "The runs, newest first", body = RunsView), Refused))]
pub async fn list(service: web::Data<Service>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let params = Params::read(request.query_string(), &["limit"])?;
    let list = service.parts.trainer.runs(params.number("limit", MAX_RUNS)?.unwrap_or(DEFAULT_RUNS)).await?;
    Ok(HttpResponse::Ok().json(RunsView { runs: list.runs.iter().map(RunSummary::from).collect() }))
}

/// `POST /v1/runs`.
#[utoipa::path(post, path = "/v1/runs", tag = "runs",
    responses((status = 202, description = "A run was queued, or joined where one was waiting", body = RunStarted), Refused))]
pub async fn start(service: web::Data<Service>) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Accepted().json(service.parts.trainer.start(Trigger::Manual).await?))
}

/// `GET /v1/runs/{id}`.
#[utoipa::path(get, path = "/v1/runs/{id}", tag = "runs", params(("id" = String, Path, description = "The run")),
    responses((status = 200, description = "Steps, times, figures, the gate's verdict and logs", body = Object), Refused))]
pub async fn show(service: web::Data<Service>, id: web::Path<String>) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(service.parts.trainer.run(id.into_inner()).await?))
}

/// `POST /v1/runs/{id}/cancel`.
#[utoipa::path(post, path = "/v1/runs/{id}/cancel", tag = "runs", params(("id" = String, Path, description = "The run")),
    responses((status = 202, description = "It is told to stop", body = RunStarted), (status = 409, description = "It is over", body = super::errors::Problem, content_type = "application/problem+json"), Refused))]
pub async fn cancel(service: web::Data<Service>, id: web::Path<String>) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Accepted().json(service.parts.trainer.cancel(id.into_inner()).await?))
}

/// `GET /v1/runs/{id}/events`.
#[utoipa::path(get, path = "/v1/runs/{id}/events", tag = "runs", params(("id" = String, Path, description = "The run")),
    responses((status = 200, description = "Events named `run` with the run's record, until it is over", content_type = "text/event-stream"), Refused))]
pub async fn events(service: web::Data<Service>, id: web::Path<String>) -> Result<HttpResponse, ApiError> {
    let permit = service.streams.admit()?;
    let trainer = service.parts.trainer.clone();
    // Watched before it is read, so that no change falls between.
    let changes = trainer.watch();
    let run = Arc::new(trainer.run(id.into_inner()).await?);
    let watching = Watching { id: run.id.clone(), changes, trainer, stopping: service.parts.readiness.stopping() };
    let events = futures_util::StreamExt::map(records(run, watching), move |item| {
        let _held_while_open = &permit;
        Ok(item)
    });
    Ok(sse::response(events))
}

/// What a stream of one run's changes is made from.
struct Watching {
    id: String,
    changes: Receiver<Arc<RunRecord>>,
    trainer: TrainerHandle,
    stopping: CancellationToken,
}

/// Where such a stream stands.
enum Stand {
    First(Arc<RunRecord>, Watching),
    Watching(Watching),
    Over,
}

fn records(first: Arc<RunRecord>, watching: Watching) -> impl Stream<Item = Bytes> {
    stream::unfold(Stand::First(first, watching), |stand| async move {
        let (run, watching) = match stand {
            Stand::Over => return None,
            Stand::First(run, watching) => (Some(run), watching),
            Stand::Watching(mut watching) => (watching.next().await?, watching),
        };
        let stand =
            if run.as_ref().is_some_and(|run| run.status.is_over()) { Stand::Over } else { Stand::Watching(watching) };
        Some((run.map_or(sse::KEEP_ALIVE, |run| sse::event("run", &*run)), stand))
    })
}

impl Watching {
    /// The run's next record, nothing when it has been quiet for a while; none at the stream's end.
    async fn next(&mut self) -> Option<Option<Arc<RunRecord>>> {
        let quiet = tokio::time::sleep(Duration::from_secs(sse::KEEP_ALIVE_SECONDS));
        tokio::pin!(quiet);
        loop {
            let change = tokio::select! {
                () = self.stopping.cancelled() => return None,
                () = &mut quiet => return Some(None),
                change = self.changes.recv() => change,
            };
            match change {
                Ok(run) if run.id == self.id => return Some(Some(run)),
                Ok(_) => {}
                // What was missed is in the record as it stands now.
                Err(RecvError::Lagged(_)) => {
                    return self.trainer.run(self.id.clone()).await.ok().map(|run| Some(Arc::new(run)));
                }
                Err(RecvError::Closed) => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing;
    use futures_util::StreamExt;
    use tokio::sync::broadcast;

    fn record(id: &str, status: RunStatus) -> Arc<RunRecord> {
        Arc::new(RunRecord {
            id: id.to_owned(),
            status,
            trigger: Trigger::Manual,
            reason: None,
            queued_ms: testing::NOW_MS,
            started_ms: None,
            finished_ms: None,
            version: None,
            steps: Vec::new(),
            candidates: Vec::new(),
            gate: None,
            error: None,
        })
    }

    async fn statuses(first: Arc<RunRecord>, watching: Watching) -> Vec<String> {
        let events: Vec<Bytes> = records(first, watching).collect().await;
        let status = |event: &Bytes| {
            let text = std::str::from_utf8(event).unwrap();
            let data = text.strip_prefix("event: run\ndata: ").unwrap();
            serde_json::from_str::<serde_json::Value>(data).unwrap()["status"].as_str().unwrap().to_owned()
        };
        events.iter().map(status).collect()
    }

    #[actix_web::test]
    async fn a_runs_events_begin_as_it_stands_and_end_with_it() {
        let (send, changes) = broadcast::channel(8);
        let watching = |changes| Watching {
            id: "r1".to_owned(),
            changes,
            trainer: testing::trainer(),
            stopping: CancellationToken::new(),
        };
        for run in
            [record("r2", RunStatus::Failed), record("r1", RunStatus::Running), record("r1", RunStatus::Succeeded)]
        {
            send.send(run).unwrap();
        }
        let queued = record("r1", RunStatus::Queued);
        assert_eq!(statuses(queued, watching(changes)).await, ["queued", "running", "succeeded"]);
        let over = record("r1", RunStatus::Refused);
        assert_eq!(statuses(over, watching(send.subscribe())).await, ["refused"]);
    }

    #[actix_web::test]
    async fn a_stopping_service_ends_the_stream() {
        let (_send, changes) = broadcast::channel(8);
        let stopping = CancellationToken::new();
        stopping.cancel();
        let watching = Watching { id: "r1".to_owned(), changes, trainer: testing::trainer(), stopping };
        assert_eq!(statuses(record("r1", RunStatus::Running), watching).await, ["running"]);
    }
}
