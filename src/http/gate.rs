//! The layer around each endpoint: keys, calls from other sites' pages, admission, panics, figures and audit lines.

use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::time::Instant;

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{Method, Uri, header};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest, web};
use futures_util::FutureExt;
use tokio::sync::OwnedSemaphorePermit;

use super::auth::{Caller, Scope};
use super::body;
use super::edge::REQUEST_ID;
use super::errors::{ApiError, Kind};
use super::lateness::Lateness;
use super::service::Service;
use crate::actors::traces::Trace;
use crate::model::version_news::By;

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody.
    Open,
    /// Whoever has a key of this scope, where keys are set.
    Needs(Scope),
}

/// What an endpoint asks of its callers.
#[derive(Debug)]
pub struct Plan {
    /// The path, as figures name it.
    pub path: &'static str,
    /// Its methods.
    pub methods: Vec<(Method, Access)>,
    /// Whether a request takes a permit.
    pub admitted: bool,
    /// Whether only the process with the trainer can answer.
    pub primary: bool,
}

impl Plan {
    /// Who may call it by this method; none where it has no such method.
    pub fn access(&self, method: &Method) -> Option<Access> {
        let method = if method == Method::HEAD { &Method::GET } else { method };
        self.methods.iter().find(|(known, _)| known == method).map(|&(_, access)| access)
    }
}

/// Lets a request through to the endpoint's handler.
pub async fn gate(plan: Rc<Plan>, request: ServiceRequest, next: Next<BoxBody>) -> Result<ServiceResponse, Error> {
    let started = Instant::now();
    let inner = request.request().clone();
    let method = request.method().clone();
    let Some(service) = inner.app_data::<web::Data<Service>>().cloned() else {
        return Ok(ServiceResponse::from_err(ApiError::internal(), inner));
    };
    let trace = begin_trace(&plan, &service, &inner);
    let response = match check(&plan, &service, &inner) {
        Err(error) => ServiceResponse::from_err(error, inner),
        Ok(permits) => {
            let primary = service.parts.primary.as_ref().filter(|_| plan.primary && plan.access(&method).is_some());
            let answer = async move {
                match primary {
                    Some(primary) => Ok(primary.ask(request).await),
                    None => next.call(request).await,
                }
            };
            let answered = AssertUnwindSafe(answer).catch_unwind().await;
            drop(permits);
            match answered {
                Ok(Ok(response)) => response,
                Ok(Err(error)) => ServiceResponse::from_err(error, inner),
                Err(panic) => {
                    let message = panic_text(panic.as_ref());
                    tracing::error!(request_id = request_id(&inner), path = plan.path, message, "a handler panicked");
                    ServiceResponse::from_err(ApiError::internal(), inner)
                }
            }
        }
    };
    service.metrics.record(plan.path, &method, response.status(), started.elapsed());
    if let Some(mut trace) = trace {
        let status = response.status();
        trace.note("http.response.status_code", i64::from(status.as_u16()));
        if status.is_server_error() {
            trace.failed(status.as_str());
        }
    }
    Ok(response)
}

/// Begins a request's span where there is somewhere to send it. What only watches the service is not traced.
fn begin_trace(plan: &Plan, service: &Service, request: &HttpRequest) -> Option<Trace> {
    let traces = service.parts.traces.as_ref()?;
    if plan.path.starts_with("/health/") || plan.path == "/metrics" {
        return None;
    }
    let header = |name: &str| request.headers().get(name)?.to_str().ok();
    let mut trace = traces.request(request.method().as_str(), plan.path, header);
    trace.note("ouzel.request_id", request_id(request).to_owned());
    Some(trace)
}

fn check(plan: &Plan, service: &Service, request: &HttpRequest) -> Result<Option<Permits>, ApiError> {
    let Some(access) = plan.access(request.method()) else { return Ok(None) };
    let safe = request.method() == Method::GET || request.method() == Method::HEAD;
    if let Access::Needs(scope) = access {
        let keyring = service.keyring();
        let caller = keyring.check(request.headers(), scope)?;
        service.rates.take(caller)?;
        // A page of another site can make a browser send a request, but never a key's header.
        if !safe && keyring.is_open() && from_another_site(request) {
            return Err(ApiError::new(Kind::Forbidden, "pages of other sites may not call this service"));
        }
        if !safe && scope == Scope::Admin {
            audit(request, caller);
            request.extensions_mut().insert(caller);
        }
    }
    if plan.admitted { admit(service, request).map(Some) } else { Ok(None) }
}

/// What a request holds while it is worked on.
type Permits = (OwnedSemaphorePermit, Option<OwnedSemaphorePermit>);

fn admit(service: &Service, request: &HttpRequest) -> Result<Permits, ApiError> {
    if let Some(lateness) = request.app_data::<Lateness>() {
        lateness.admit(rand::random)?;
    }
    let permit = service.admission.admit()?;
    let bytes = body::held(request.headers(), &service.parts.settings.server);
    Ok((permit, service.bodies.admit(bytes)?))
}

fn audit(request: &HttpRequest, caller: Caller) {
    tracing::info!(
        target: "ouzel::audit",
        request_id = request_id(request),
        caller = %caller,
        method = %request.method(),
        path = request.path(),
        "administration"
    );
}

/// Who calls for an administration's work, to be told of it.
pub(super) fn by(request: &HttpRequest) -> By {
    let caller = request.extensions().get::<Caller>().map(ToString::to_string).unwrap_or_default();
    By::call(caller, request_id(request).to_owned())
}

/// Whether a browser says that the page behind the request is another site's.
fn from_another_site(request: &HttpRequest) -> bool {
    let text = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return !matches!(site, "same-origin" | "none");
    }
    let Some(origin) = text(header::ORIGIN.as_str()) else { return false };
    let host = text(header::HOST.as_str());
    let origin_host = origin.parse::<Uri>().ok().and_then(|uri| uri.authority().map(ToString::to_string));
    origin_host.as_deref() != host
}

fn request_id(request: &HttpRequest) -> &str {
    request.headers().get(&REQUEST_ID).and_then(|value| value.to_str().ok()).unwrap_or("-")
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}
