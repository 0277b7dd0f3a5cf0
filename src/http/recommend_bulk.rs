//! Lists for many: `POST /v1/recommend/bulk`, questions and lists a line each.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use futures_util::{Stream, stream};
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;

use super::body::{self, Form};
use super::errors::{ApiError, Kind};
use super::openapi::{RecommendPut, Refused, RefusedBody};
use super::params::Params;
use super::recommend::ask_live;
use super::service::Service;
use crate::model::ids::UserId;
use crate::model::serving::query::Query;
use crate::model::wire::BodyError;
use crate::model::wire::question::recommend_from_json;
use crate::model::wire::reply::RecommendationBody;

/// Lists made at a time, on a thread for blocking work.
const CHUNK: usize = 128;

/// What is still to be answered. A body stays as it came and is taken apart line by line.
enum Questions {
    Lines { body: Bytes, at: usize, index: usize },
    Users { users: std::vec::IntoIter<UserId>, n: usize, index: usize },
}

/// One line of the answer, for the documentation.
#[derive(utoipa::ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes a line that is written as one of two bodies")]
pub enum BulkLine {
    /// The list.
    List(Box<RecommendationBody>),
    /// What was wrong with the question.
    Bad {
        /// The question's place, from 0.
        index: usize,
        /// Why it has no list.
        error: String,
    },
}

/// `POST /v1/recommend/bulk`.
#[utoipa::path(post, path = "/v1/recommend/bulk", tag = "recommend",
    request_body(content = RecommendPut, content_type = "application/x-ndjson", description = "Bodies of `POST /v1/recommend`, one a line; none with `all=true`"),
    params(("all" = Option<bool>, Query, description = "Lists for every user with a history instead of a body"),
           ("n" = Option<usize>, Query, minimum = 1, maximum = 1000, description = "How many each, with `all=true`")),
    responses((status = 200, description = "A list a line in the order asked; `{\"index\",\"error\"}` for a bad line", body = BulkLine, content_type = "application/x-ndjson"), Refused, RefusedBody))]
pub async fn post(
    service: web::Data<Service>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let params = Params::read(request.query_string(), &["all", "n"])?;
    let permit = service.bulk.admit()?;
    let questions = if params.flag("all")? {
        let mut users = Vec::new();
        service.parts.recommending.histories.each(|user, _| users.push(user.clone()));
        users.sort_unstable();
        Questions::Users { users: users.into_iter(), n: params.n()?, index: 0 }
    } else {
        let limit = service.parts.settings.server.ndjson_limit;
        // One question in JSON is one line as well.
        let (Form::Json | Form::Lines) = body::form(request.headers())?;
        body::announced(request.headers(), limit)?;
        // The body is read before the first list is sent: many clients write all of it before they read.
        let body = body::whole(&mut payload.into_inner(), limit).await?;
        if body.trim_ascii().is_empty() {
            return Err(ApiError::new(Kind::Invalid, "the body is empty: send a question a line, or all=true"));
        }
        Questions::Lines { body, at: 0, index: 0 }
    };
    let lines = answers(service.into_inner(), questions, permit);
    Ok(HttpResponse::Ok().content_type("application/x-ndjson").streaming(lines))
}

/// The lists, a chunk at a time; the permit comes back at the end.
fn answers(
    service: Arc<Service>,
    questions: Questions,
    permit: OwnedSemaphorePermit,
) -> impl Stream<Item = Result<Bytes, ApiError>> {
    stream::unfold(Some((service, questions, permit)), |state| async move {
        let (service, mut questions, permit) = state?;
        let made = web::block(move || {
            let chunk = questions.answer_some(&service);
            (chunk, service, questions)
        });
        match made.await {
            Ok((chunk, ..)) if chunk.is_empty() => None,
            Ok((chunk, service, questions)) => Some((Ok(Bytes::from(chunk)), Some((service, questions, permit)))),
            Err(_) => Some((Err(ApiError::internal()), None)),
        }
    })
}

impl Questions {
    /// The next lines; none when all is answered.
    fn answer_some(&mut self, service: &Service) -> Vec<u8> {
        let mut out = Vec::new();
        for _ in 0..CHUNK {
            let Some((index, question)) = self.next() else { break };
            let line = question
                .map_err(|error| error.to_string())
                .and_then(|query| serde_json::to_vec(&ask_live(service, &query)).map_err(|error| error.to_string()));
            match line {
                Ok(line) => out.extend(line),
                Err(error) => out.extend(json!({"index": index, "error": error}).to_string().into_bytes()),
            }
            out.push(b'\n');
        }
        out
    }

    /// The next question with its place.
    fn next(&mut self) -> Option<(usize, Result<Query, BodyError>)> {
        match self {
            Self::Users { users, n, index } => {
                let query = Query { user: Some(users.next()?), n: *n, ..Query::default() };
                *index += 1;
                Some((*index - 1, Ok(query)))
            }
            Self::Lines { body, at, index } => {
                let line = next_line(body, at)?;
                *index += 1;
                Some((*index - 1, recommend_from_json(&line)))
            }
        }
    }
}

/// The next line that is not blank.
fn next_line(body: &Bytes, at: &mut usize) -> Option<Bytes> {
    while *at < body.len() {
        let rest = body.slice(*at..);
        let end = rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
        *at += end + 1;
        let line = rest.slice(..end);
        if !line.trim_ascii().is_empty() {
            return Some(line);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_lines_are_left_out_and_the_last_needs_no_end() {
        let body = Bytes::from_static(b"\n{\"a\":1}\r\n \n{\"b\":2}");
        let mut at = 0;
        let lines: Vec<Bytes> = std::iter::from_fn(|| next_line(&body, &mut at)).collect();
        assert_eq!(lines, ["{\"a\":1}\r", "{\"b\":2}"]);
    }
}
