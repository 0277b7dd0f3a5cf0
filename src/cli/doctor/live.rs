//! Checks of a running service, by what it says of itself.

use serde_json::Value;

use super::{Finding, Verdict, clock};
use crate::cli::remote::{Remote, RemoteError};
use crate::cli::shown;

/// What to do where a part is away, by the name under which the service tells of it.
const REMEDIES: [(&str, &str); 3] = [
    ("kafka", "`ouzel doctor` with the service's settings says why"),
    ("events", "its topic is missing or is read no further: see kafka.events in /state"),
    ("disk", "nothing is taken in below storage.min_free: free some of the disk of storage.data_dir"),
];

/// How a service is, and how its clock stands beside `now_ms`.
pub(super) async fn findings(remote: &Remote, now_ms: i64) -> Vec<Finding> {
    let (ready, state) = (remote.get_dated("/health/ready").await, remote.get("/state").await);
    // 503 is an answer too: it says why in its detail.
    let mut findings = match &ready {
        Ok((body, sent_ms)) => {
            let beside = sent_ms.map(|sent_ms| clock::beside("the service", sent_ms, now_ms));
            std::iter::once(of_ready(body)).chain(beside).collect()
        }
        Err(error) => vec![Finding::new("ready", Verdict::Bad, error.to_string())],
    };
    match &state {
        Ok(body) => findings.extend(of_state(body)),
        // A probe has no key; whether it answers was asked already.
        Err(error @ RemoteError::Refused { status: 401 | 403, .. }) => {
            findings.push(Finding::new("state", Verdict::Doubtful, error.to_string()));
        }
        Err(error) => findings.push(Finding::new("state", Verdict::Bad, error.to_string())),
    }
    findings
}

fn of_ready(body: &Value) -> Finding {
    let degraded = shown::list(body, "degraded").unwrap_or_default();
    let degraded: Vec<String> = degraded.iter().map(|name| with_remedy(&shown::plain(Some(name)))).collect();
    match (body.get("ready").and_then(Value::as_bool), degraded.is_empty()) {
        (Some(true), true) => Finding::new("ready", Verdict::Good, "answers requests"),
        (Some(true), false) => {
            let text = format!("answers requests; away at the moment: {}", degraded.join(", "));
            Finding::new("ready", Verdict::Doubtful, text)
        }
        _ => Finding::new("ready", Verdict::Bad, "does not answer requests yet; its log says why"),
    }
}

fn of_state(body: &Value) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.push(match body.pointer("/live/version").and_then(Value::as_u64) {
        Some(version) => Finding::new("model", Verdict::Good, format!("version {version} is live")),
        None => {
            let text = "no version yet, lists come from what is popular; `ouzel runs start` trains one";
            Finding::new("model", Verdict::Doubtful, text)
        }
    });
    for actor in shown::list(body, "actors").unwrap_or_default() {
        let name = format!("actor {}", shown::plain(actor.get("name")));
        let status = shown::plain(actor.get("status"));
        let restarts = actor.get("restarts").and_then(Value::as_u64).unwrap_or(0);
        let error = actor.get("last_error").and_then(Value::as_str);
        let last = error.map(|error| format!(", the last after: {error}")).unwrap_or_default();
        findings.push(match (status.as_str(), restarts) {
            ("running", 0) => Finding::new(&name, Verdict::Good, "runs"),
            ("running", n) => Finding::new(&name, Verdict::Doubtful, format!("runs, rebuilt {n} times{last}")),
            (other, n) => Finding::new(&name, Verdict::Bad, format!("is {other}, rebuilt {n} times{last}")),
        });
    }
    findings
}

fn with_remedy(name: &str) -> String {
    match REMEDIES.iter().find(|(known, _)| *known == name) {
        Some((_, remedy)) => format!("{name} ({remedy})"),
        None => name.to_owned(),
    }
}
