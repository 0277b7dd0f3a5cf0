//! Gorse's users: whoever has events, with what was said of them in the log's notes. Nothing is recommended by it.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::wire::{Page, Success, cursor, given, id_of, objects, written};
use crate::http::body::{JsonBytes, object};
use crate::http::errors::{ApiError, Kind};
use crate::http::openapi::{Refused, RefusedBody, Text};
use crate::http::params::{self, Params};
use crate::http::service::Service;
use crate::model::ids::UserId;

/// A user that is sent, for the documentation. Other fields are kept and given back too.
#[derive(utoipa::ToSchema)]
#[serde(rename_all = "PascalCase")]
#[expect(dead_code, reason = "describes a body that is read field by field")]
pub struct GorseUserPut {
    /// Who.
    user_id: Text,
    /// Anything, given back.
    labels: Option<Value>,
    /// Given back.
    comment: Option<String>,
}

/// A user as it is shown.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct GorseUser {
    /// Who.
    #[schema(value_type = String)]
    pub user_id: UserId,
    /// As they were set.
    pub labels: Value,
    /// As it was set.
    pub comment: Value,
    /// What else was set.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub more: Map<String, Value>,
}

/// A page of users.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct UserPage {
    /// What is to be sent for the next page; empty on the last.
    pub cursor: String,
    /// Users in the order of their ids.
    pub users: Vec<GorseUser>,
}

/// `POST /api/user`.
#[utoipa::path(post, path = "/api/user", tag = "gorse", request_body = GorseUserPut,
    responses((status = 200, description = "Kept, over what was", body = Success), Refused, RefusedBody))]
pub async fn post(service: web::Data<Service>, body: JsonBytes) -> Result<HttpResponse, ApiError> {
    put_all(&service, vec![object(&body.0)?]).await
}

/// `POST /api/users`.
#[utoipa::path(post, path = "/api/users", tag = "gorse", request_body = [GorseUserPut],
    responses((status = 200, description = "Kept, over what was", body = Success), Refused, RefusedBody))]
pub async fn post_many(service: web::Data<Service>, body: JsonBytes) -> Result<HttpResponse, ApiError> {
    put_all(&service, objects(&body.0)?).await
}

/// `GET /api/users`.
#[utoipa::path(get, path = "/api/users", tag = "gorse", params(
        ("n" = Option<usize>, Query, minimum = 1, maximum = 1000, description = "How many; 10 where absent"),
        ("cursor" = Option<String>, Query, description = "The `Cursor` of the page before")),
    responses((status = 200, description = "A page", body = UserPage), Refused))]
pub async fn list(service: web::Data<Service>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let params = Params::read(request.query_string(), &["n", "cursor"])?;
    let (n, after) = (params.n()?, given(&params, "cursor")?.unwrap_or_default());
    let mut page = Page::new(after, n);
    service.parts.recommending.histories.each(|user, _| page.offer(user));
    let notes = service.parts.user_notes.page(after.to_owned(), n).await?;
    notes.keys().for_each(|user| page.offer(user));
    let ids: Vec<UserId> = page.into_sorted();
    let users = ids.iter().map(|user| view(user.clone(), notes.get(user).cloned())).collect();
    Ok(HttpResponse::Ok().json(UserPage { cursor: cursor(&ids, n), users }))
}

/// `GET /api/user/{user}`.
#[utoipa::path(get, path = "/api/user/{user}", tag = "gorse", params(("user" = String, Path, description = "The user")),
    responses((status = 200, description = "The user", body = GorseUser), Refused))]
pub async fn get(service: web::Data<Service>, user: web::Path<String>) -> Result<HttpResponse, ApiError> {
    let user: UserId = params::id("user", &user)?;
    let note = known(&service, &user).await?;
    Ok(HttpResponse::Ok().json(view(user, note)))
}

/// `PATCH /api/user/{user}`.
#[utoipa::path(patch, path = "/api/user/{user}", tag = "gorse", params(("user" = String, Path, description = "The user")),
    request_body(content = Object, description = "`Labels`, `Comment`; what is absent or null stays"),
    responses((status = 200, description = "Kept", body = Success), Refused, RefusedBody))]
pub async fn patch(
    service: web::Data<Service>,
    user: web::Path<String>,
    body: JsonBytes,
) -> Result<HttpResponse, ApiError> {
    let (user, mut fields): (UserId, _) = (params::id("user", &user)?, object(&body.0)?);
    fields.remove("UserId");
    fields.retain(|_, value| !value.is_null());
    let mut all = known(&service, &user).await?.unwrap_or_default();
    all.extend(fields);
    service.parts.user_notes.put(vec![(user, all)]).await?;
    Ok(written(1))
}

/// `DELETE /api/user/{user}`.
#[utoipa::path(delete, path = "/api/user/{user}", tag = "gorse", params(("user" = String, Path, description = "The user")),
    responses((status = 200, description = "The user is erased, with all events and what was said of them", body = Success), Refused))]
pub async fn delete(service: web::Data<Service>, user: web::Path<String>) -> Result<HttpResponse, ApiError> {
    let user: UserId = params::id("user", &user)?;
    let known = service.parts.recommending.histories.contains(&user)
        || service.parts.user_notes.get(user.clone()).await?.is_some();
    if known {
        service.parts.ingest.erase(user).await?;
    }
    Ok(written(usize::from(known)))
}

async fn put_all(service: &Service, bodies: Vec<Map<String, Value>>) -> Result<HttpResponse, ApiError> {
    let user = |mut fields: Map<String, Value>| {
        let user: UserId = id_of(&mut fields, "UserId")?;
        Ok::<_, ApiError>((user, fields))
    };
    let users: Vec<_> = bodies.into_iter().map(user).collect::<Result<_, _>>()?;
    let rows = users.len();
    service.parts.user_notes.put(users).await?;
    Ok(written(rows))
}

fn view(user: UserId, note: Option<Map<String, Value>>) -> GorseUser {
    let mut more = note.unwrap_or_default();
    let (labels, comment) = (more.remove("Labels").unwrap_or_default(), more.remove("Comment"));
    GorseUser { user_id: user, labels, comment: comment.unwrap_or_else(|| json!("")), more }
}

/// What was said of a user, if anything; 404 for one who has no events either.
async fn known(service: &Service, user: &UserId) -> Result<Option<Map<String, Value>>, ApiError> {
    let note = service.parts.user_notes.get(user.clone()).await?;
    if note.is_none() && !service.parts.recommending.histories.contains(user) {
        return Err(ApiError::new(Kind::NotFound, format!("there is no user {user}")));
    }
    Ok(note)
}
