//! Requests by route, method and status, as Prometheus reads them at `/metrics`.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix_web::http::{Method, StatusCode};
use actix_web::{HttpResponse, web};
use dashmap::DashMap;

use super::gauges;
use super::service::Service;
use super::state::{self, VersionNumbers};

/// The histogram's name.
const NAME: &str = "http_server_request_duration_seconds";

/// The upper bounds of the histogram's buckets, seconds.
const BOUNDS: [f64; 14] = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// One route's requests of one method that ended in one status.
#[derive(Debug, Default)]
struct Series {
    buckets: [AtomicU64; BOUNDS.len()],
    count: AtomicU64,
    nanos: AtomicU64,
}

/// The figures; counting takes a shard's lock for a moment.
#[derive(Debug, Default)]
pub struct Metrics {
    series: DashMap<(&'static str, &'static str, u16), Series>,
}

impl Metrics {
    /// Counts one request.
    pub fn record(&self, path: &'static str, method: &Method, status: StatusCode, elapsed: Duration) {
        let key = (path, method_name(method), status.as_u16());
        let series = match self.series.get(&key) {
            Some(known) => known,
            None => self.series.entry(key).or_default().downgrade(),
        };
        let seconds = elapsed.as_secs_f64();
        if let Some((_, bucket)) = BOUNDS.iter().zip(&series.buckets).find(|&(&bound, _)| seconds <= bound) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        series.count.fetch_add(1, Ordering::Relaxed);
        series.nanos.fetch_add(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// The text format of Prometheus.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = format!("# HELP {NAME} Time to answer requests.\n# TYPE {NAME} histogram\n");
        let mut keys: Vec<_> = self.series.iter().map(|entry| *entry.key()).collect();
        keys.sort_unstable();
        for key in keys {
            if let Some(series) = self.series.get(&key) {
                // Writing to a string cannot fail.
                write_series(&mut out, key, &series).unwrap_or_default();
            }
        }
        out
    }
}

fn write_series(out: &mut String, key: (&str, &str, u16), series: &Series) -> std::fmt::Result {
    let (path, method, status) = key;
    let labels =
        format!("http_route=\"{path}\",http_request_method=\"{method}\",http_response_status_code=\"{status}\"");
    let mut below = 0;
    for (bound, bucket) in BOUNDS.iter().zip(&series.buckets) {
        below += bucket.load(Ordering::Relaxed);
        writeln!(out, "{NAME}_bucket{{{labels},le=\"{bound}\"}} {below}")?;
    }
    let count = series.count.load(Ordering::Relaxed).max(below);
    writeln!(out, "{NAME}_bucket{{{labels},le=\"+Inf\"}} {count}")?;
    writeln!(out, "{NAME}_sum{{{labels}}} {}", series.nanos.load(Ordering::Relaxed) as f64 / 1e9)?;
    writeln!(out, "{NAME}_count{{{labels}}} {count}")
}

/// The method's name, one for all that are not known, so that callers cannot invent labels.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        _ => "_OTHER",
    }
}

/// `GET /metrics`.
#[utoipa::path(get, path = "/metrics", tag = "service",
    responses((status = 200, description = "Figures in Prometheus' text format", body = String, content_type = "text/plain"), super::openapi::Refused))]
pub async fn metrics(service: web::Data<Service>) -> HttpResponse {
    let mut text = service.metrics.text();
    let state = state::with_versions(&service, VersionNumbers::default());
    text.push_str(&gauges::text(&state, service.parts.recommending.reused()));
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text)
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
        let text = metrics.text();
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
