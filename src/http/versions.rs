//! The registry: `/v1/versions`, promote, rollback and download.

use std::sync::Arc;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use super::errors::{ApiError, Kind};
use super::gate;
use super::openapi::Refused;
use super::params::{self, Params};
use super::service::Service;
use super::times;
use crate::actors::messages::VersionList;
use crate::model::ids::Version;
use crate::model::manifest::Manifest;
use crate::model::serving::prequential::{Prequential, PrequentialBody};

/// One version: its manifest and where it stands.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct VersionView {
    /// Whether it answers.
    pub live: bool,
    /// Whether a rollback brings it back.
    pub previous: bool,
    /// The kind of model.
    pub kind: String,
    /// When it was made, RFC 3339.
    pub created: Option<String>,
    /// What it was worth on events as they came while it was live; absent where none was looked up since the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prequential: Option<PrequentialBody>,
    /// The manifest: recipe, run, parent, data, candidates with figures, gate, files.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub manifest: Arc<Manifest>,
}

/// The versions.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct VersionsView {
    /// The version that answers.
    #[schema(value_type = Option<u64>)]
    pub live: Option<Version>,
    /// The version that a rollback brings back.
    #[schema(value_type = Option<u64>)]
    pub previous: Option<Version>,
    /// All of them, newest first.
    pub versions: Vec<VersionView>,
}

impl VersionView {
    fn new(
        manifest: Arc<Manifest>,
        (live, previous): (Option<Version>, Option<Version>),
        prequential: &Prequential,
    ) -> Self {
        Self {
            prequential: prequential.of(manifest.version),
            live: live == Some(manifest.version),
            previous: previous == Some(manifest.version),
            kind: manifest.recipe.kind.clone(),
            created: times::rfc3339(manifest.created_ms),
            manifest,
        }
    }
}

impl VersionsView {
    fn new(list: VersionList, prequential: &Prequential) -> Self {
        let aliases = (list.live, list.previous);
        let view = |manifest| VersionView::new(manifest, aliases, prequential);
        Self { live: list.live, previous: list.previous, versions: list.versions.into_iter().map(view).collect() }
    }
}

/// `GET /v1/versions`.
#[utoipa::path(get, path = "/v1/versions", tag = "versions",
    responses((status = 200, description = "Every version, newest first", body = VersionsView), Refused))]
pub async fn list(service: web::Data<Service>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    Params::read(request.query_string(), &[])?;
    let list = service.parts.registry.list().await?;
    Ok(HttpResponse::Ok().json(VersionsView::new(list, &service.parts.recommending.prequential)))
}

/// `GET /v1/versions/{version}`.
#[utoipa::path(get, path = "/v1/versions/{version}", tag = "versions", params(("version" = u64, Path, description = "The version's number")),
    responses((status = 200, description = "One version", body = VersionView), Refused))]
pub async fn show(service: web::Data<Service>, version: web::Path<String>) -> Result<HttpResponse, ApiError> {
    let version = params::version(&version)?;
    let manifest = service.parts.registry.show(version).await?;
    let list = service.parts.registry.list().await?;
    let prequential = &service.parts.recommending.prequential;
    Ok(HttpResponse::Ok().json(VersionView::new(manifest, (list.live, list.previous), prequential)))
}

/// `POST /v1/versions/{version}/promote`.
#[utoipa::path(post, path = "/v1/versions/{version}/promote", tag = "versions", params(("version" = u64, Path, description = "The version's number")),
    responses((status = 200, description = "It answers now", body = VersionView), (status = 409, description = "It is damaged", body = super::errors::Problem, content_type = "application/problem+json"), Refused))]
pub async fn promote(
    service: web::Data<Service>,
    version: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let manifest = service.parts.registry.promote(params::version(&version)?, gate::by(&request)).await?;
    answering_now(&service, manifest).await
}

/// `POST /v1/rollback`.
#[utoipa::path(post, path = "/v1/rollback", tag = "versions",
    responses((status = 200, description = "The version before answers now", body = VersionView), (status = 409, description = "There is none", body = super::errors::Problem, content_type = "application/problem+json"), Refused))]
pub async fn rollback(service: web::Data<Service>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let manifest = service.parts.registry.rollback(gate::by(&request)).await?;
    answering_now(&service, manifest).await
}

async fn answering_now(service: &Service, manifest: Arc<Manifest>) -> Result<HttpResponse, ApiError> {
    // The change has happened: that the list cannot be had just now is no reason to say that it failed.
    let previous = service.parts.registry.list().await.ok().and_then(|list| list.previous);
    let live = Some(manifest.version);
    Ok(HttpResponse::Ok().json(VersionView::new(manifest, (live, previous), &service.parts.recommending.prequential)))
}

/// `GET /v1/versions/{version}/download`.
#[utoipa::path(get, path = "/v1/versions/{version}/download", tag = "versions", params(("version" = u64, Path, description = "The version's number")),
    responses((status = 200, description = "Its files in one", body = Vec<u8>, content_type = "application/x-tar"), Refused))]
pub async fn download(service: web::Data<Service>, version: web::Path<String>) -> Result<HttpResponse, ApiError> {
    let version = params::version(&version)?;
    let Some(downloads) = &service.parts.downloads else {
        return Err(ApiError::new(Kind::NotFound, "this service gives out no files of versions"));
    };
    let download = downloads.open(version).await?;
    let disposition = format!("attachment; filename=\"{}\"", download.file_name);
    Ok(HttpResponse::Ok()
        .content_type(download.content_type)
        .insert_header((header::CONTENT_DISPOSITION, disposition))
        .streaming(download.bytes))
}
