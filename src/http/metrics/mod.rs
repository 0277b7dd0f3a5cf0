//! `/metrics`, as Prometheus reads it: requests by route, method and status, then the state, then the actors' work.

mod state;
mod text;
mod work;

use std::time::Duration;

use actix_web::http::{Method, StatusCode};
use actix_web::{HttpResponse, web};
use dashmap::DashMap;

use self::text::Text;
use super::service::Service;
use super::state::{VersionNumbers, with_versions};
use crate::actors::histogram::Histogram;

/// The histogram's name.
const NAME: &str = "http_server_request_duration_seconds";

/// The upper bounds of the histogram's buckets, seconds.
const BOUNDS: [f64; 14] = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// The figures; counting takes a shard's lock for a moment.
#[derive(Debug, Default)]
pub struct Metrics {
    series: DashMap<(&'static str, &'static str, u16), Histogram>,
}

impl Metrics {
    /// Counts one request.
    pub fn record(&self, path: &'static str, method: &Method, status: StatusCode, elapsed: Duration) {
        let key = (path, method_name(method), status.as_u16());
        let series = match self.series.get(&key) {
            Some(known) => known,
            None => self.series.entry(key).or_insert_with(|| Histogram::new(&BOUNDS)).downgrade(),
        };
        series.record(elapsed);
    }

    fn write(&self, out: &mut Text) {
        out.head(NAME, "histogram", "Time to answer requests.");
        let mut keys: Vec<_> = self.series.iter().map(|entry| *entry.key()).collect();
        keys.sort_unstable();
        for key in keys {
            let (path, method, status) = key;
            if let Some(series) = self.series.get(&key) {
                let labels = [
                    ("http_route", path),
                    ("http_request_method", method),
                    ("http_response_status_code", &*status.to_string()),
                ];
                out.distribution(NAME, &labels, &series.distribution());
            }
        }
    }
}

/// The method's name, one for all that are not known, so that callers cannot invent labels.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        _ => "_OTHER",
    }
}

/// `GET /metrics`.
#[utoipa::path(get, path = "/metrics", tag = "service",
    responses((status = 200, description = "Figures in Prometheus' text format", body = String, content_type = "text/plain"), super::openapi::Refused))]
pub async fn metrics(service: web::Data<Service>) -> HttpResponse {
    let mut out = Text::default();
    service.metrics.write(&mut out);
    let recommending = &service.parts.recommending;
    let versions = recommending.prequential.versions();
    let judged: Vec<_> = versions.into_iter().filter_map(|version| recommending.prequential.of(version)).collect();
    let now = with_versions(&service, VersionNumbers::default());
    state::write(&now, recommending.reused(), &judged, &mut out);
    work::write(&service.parts.meters, service.parts.kafka.is_some(), &mut out);
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(out.into_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_cumulative_and_a_method_cannot_be_invented() {
        let metrics = Metrics::default();
        for ms in [1, 3, 9000] {
            metrics.record("/recommend", &Method::GET, StatusCode::OK, Duration::from_millis(ms));
        }
        metrics.record(
            "/recommend",
            &Method::from_bytes(b"BREW").unwrap(),
            StatusCode::METHOD_NOT_ALLOWED,
            Duration::ZERO,
        );
        let mut out = Text::default();
        metrics.write(&mut out);
        let text = out.into_string();
        let labels = r#"http_route="/recommend",http_request_method="GET",http_response_status_code="200""#;
        for (le, count) in [("0.0005", 0), ("0.001", 1), ("0.005", 2), ("5", 2), ("+Inf", 3)] {
            assert!(text.contains(&format!("{NAME}_bucket{{{labels},le=\"{le}\"}} {count}\n")), "{le}: {text}");
        }
        assert!(text.contains(&format!("{NAME}_sum{{{labels}}} 9.004\n")), "{text}");
        assert!(
            text.contains("http_request_method=\"_OTHER\",http_response_status_code=\"405\"") && !text.contains("BREW")
        );
    }
}
