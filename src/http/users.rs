//! Users' histories, and their erasure: `/v1/users/{id}`.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::json;

use super::errors::ApiError;
use super::openapi::Refused;
use super::params::{self, Params};
use super::service::Service;
use super::times;
use crate::model::catalogue::Catalogue;
use crate::model::histories::Histories;
use crate::model::ids::{ItemId, UserId};
use crate::model::interactions::NO_TIME;

/// A user's history.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct UserView {
    /// The user.
    #[schema(value_type = String)]
    pub user: UserId,
    /// The events in the order in which they came; none for an unknown user.
    pub events: Vec<UserEvent>,
}

/// One event of a history.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct UserEvent {
    /// On which item.
    #[schema(value_type = String)]
    pub item: ItemId,
    /// What was done.
    #[serde(rename = "type")]
    pub kind: String,
    /// How much of it.
    pub value: f32,
    /// When, RFC 3339; null where it has no time.
    pub timestamp: Option<String>,
}

/// `GET /v1/users/{id}`.
#[utoipa::path(get, path = "/v1/users/{id}", tag = "users", params(
        ("id" = String, Path, description = "The user"),
        ("limit" = Option<usize>, Query, minimum = 1, description = "Only the latest events")),
    responses((status = 200, description = "The history; empty for an unknown user", body = UserView), Refused))]
pub async fn get(
    service: web::Data<Service>,
    request: HttpRequest,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let limit = Params::read(request.query_string(), &["limit"])?.number("limit", usize::MAX)?;
    let recommending = &service.parts.recommending;
    let user = params::id("id", &id)?;
    Ok(HttpResponse::Ok().json(view(&recommending.histories, &recommending.catalogue, user, limit)))
}

/// `DELETE /v1/users/{id}`.
#[utoipa::path(delete, path = "/v1/users/{id}", tag = "users", params(
        ("id" = String, Path, description = "The user"),
        ("wait" = Option<bool>, Query, description = "Answers once all files are rewritten, instead of within storage.erase_within")),
    responses((status = 200, description = "The user is erased; how many events went", body = Object, example = json!({"user": "25", "events": 3})), Refused))]
pub async fn delete(
    service: web::Data<Service>,
    request: HttpRequest,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let wait = Params::read(request.query_string(), &["wait"])?.flag("wait")?;
    let user: UserId = params::id("id", &id)?;
    let erased = service.parts.ingest.erase(user.clone()).await?;
    if wait {
        service.parts.eraser.rewritten(&user).await?;
        // The versions are the other process's to rewrite.
        if let Some(primary) = &service.parts.primary {
            let answer = primary.answer(&request, web::Bytes::new()).await?;
            if !answer.status().is_success() {
                return Ok(answer);
            }
        }
    }
    Ok(HttpResponse::Ok().json(json!({"user": &*id, "events": erased.events})))
}

fn view(histories: &Histories, catalogue: &Catalogue, user: UserId, limit: Option<usize>) -> UserView {
    let acts = histories.with(&user, |history| {
        let skipped = limit.map_or(0, |limit| history.acts.len().saturating_sub(limit));
        history.acts.iter().skip(skipped).copied().collect::<Vec<_>>()
    });
    let types = histories.types().names();
    let entries = catalogue.entries();
    let shown = acts.into_iter().flatten().filter_map(|act| {
        Some(UserEvent {
            item: entries.get(act.item().at())?.id.clone(),
            kind: types.get(usize::from(act.kind().0))?.to_string(),
            value: act.value,
            timestamp: if act.time_ms() == NO_TIME { None } else { times::rfc3339(act.time_ms()) },
        })
    });
    UserView { events: shown.collect(), user }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::histories::Act;

    #[test]
    fn a_history_is_shown_with_names_and_cut_at_its_old_end() {
        let (histories, catalogue) = (Histories::default(), Catalogue::new(1000));
        let user: UserId = "u".parse().unwrap();
        let view_type = histories.types().index("view").unwrap();
        for (item, time) in [("a", 1_767_225_600_000), ("b", NO_TIME)] {
            let index = catalogue.index(&item.parse().unwrap());
            histories.apply(&user, Act::new(index, view_type, 2.0, time));
        }
        insta::assert_json_snapshot!(view(&histories, &catalogue, user.clone(), None), @r#"
        {
          "user": "u",
          "events": [
            {
              "item": "a",
              "type": "view",
              "value": 2.0,
              "timestamp": "2026-01-01T00:00:00.000Z"
            },
            {
              "item": "b",
              "type": "view",
              "value": 2.0,
              "timestamp": null
            }
          ]
        }
        "#);
        let latest = view(&histories, &catalogue, user, Some(1)).events;
        assert_eq!(latest.iter().map(|event| event.item.as_str()).collect::<Vec<_>>(), ["b"]);
        assert!(view(&histories, &catalogue, "v".parse().unwrap(), None).events.is_empty());
    }
}
