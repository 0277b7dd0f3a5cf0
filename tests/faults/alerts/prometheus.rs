//! A real Prometheus that looks each second, and the house's rules with their spans shortened.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::{Ouzel, PATIENCE, alone};

/// The rules as the house keeps them.
pub const RULES: &str = include_str!("../../../k8s/observability/rules.yaml");

/// What stands in the rules for a span, and what takes its place here.
const SPANS: [(&str, &str); 8] = [
    ("[5m]", "[15s]"),
    ("[15m]", "[15s]"),
    ("[1h]", "[60s]"),
    ("[1d]", "[60s]"),
    ("[7d]", "[60s]"),
    ("offset 15m", "offset 15s"),
    ("> 2 * 24 * 3600", "> 15"),
    ("group_lag_seconds{job=\"ouzel\"}) > 300", "group_lag_seconds{job=\"ouzel\"}) > 4"),
];

/// How long what an alert watches for must last, instead of minutes.
const FOR: &str = "for: 2s";

/// The rules as Prometheus without an operator reads them.
fn rules() -> String {
    let (_, spec) = RULES.split_once("\nspec:\n").unwrap();
    let mut rules = String::new();
    for line in spec.lines() {
        let line = line.strip_prefix("  ").unwrap_or(line);
        let line = line.find("for: ").map_or(line.to_owned(), |at| format!("{}{FOR}", &line[..at]));
        writeln!(rules, "{line}").unwrap();
    }
    for (span, short) in SPANS {
        assert!(rules.contains(span), "no rule has {span} any more");
        rules = rules.replace(span, short);
    }
    rules
}

/// A running Prometheus; killed when it is dropped.
pub struct Prometheus {
    child: Child,
    url: String,
    http: reqwest::Client,
}

impl Prometheus {
    /// Starts the program to look at services by name, each in a namespace.
    pub fn start(program: &str, folder: &Path, services: &[(&str, &str, &Ouzel)]) -> Self {
        let mut config = "global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}\n".to_owned();
        config += "rule_files: [rules.yaml]\nscrape_configs:\n  - job_name: ouzel\n    static_configs:\n";
        for (name, namespace, ouzel) in services {
            let address = ouzel.url.strip_prefix("http://").unwrap();
            let labels = format!("{{instance: {name}, namespace: {namespace}, service: ouzel}}");
            writeln!(config, "      - {{targets: [\"{address}\"], labels: {labels}}}").unwrap();
        }
        std::fs::write(folder.join("rules.yaml"), rules()).unwrap();
        std::fs::write(folder.join("prometheus.yaml"), config).unwrap();
        let mut command = Command::new(program);
        command.current_dir(folder).args(["--config.file=prometheus.yaml", "--storage.tsdb.path=data"]);
        command.arg("--web.listen-address=127.0.0.1:0").stderr(Stdio::piped());
        let mut child = alone(|| command.spawn()).unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let listens = |line: String| Some(line.split_once("msg=\"Listening on\" address=")?.1.to_owned());
        let address = lines.by_ref().find_map(|line| listens(line.unwrap())).expect("it says where it listens");
        // It must not wait for its log to be read.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, url: format!("http://{address}"), http: reqwest::Client::new() }
    }

    async fn ask(&self, path: &str) -> Value {
        let answer = self.http.get(format!("{}{path}", self.url)).send().await;
        match answer {
            Ok(answer) => answer.json().await.unwrap_or_default(),
            Err(_) => Value::Null,
        }
    }

    /// Waits until it has looked at `count` processes more than once: what happened before its first look is no increase.
    pub async fn looked_at(&self, count: usize) {
        let begun = Instant::now();
        let mut last = Value::Null;
        while last["data"]["result"].as_array().map(Vec::len) != Some(count) {
            assert!(begun.elapsed() < PATIENCE, "Prometheus does not look at all: {last}");
            tokio::time::sleep(Duration::from_millis(100)).await;
            last = self.ask("/api/v1/query?query=sum_over_time(up[1m])%3E1").await;
        }
    }

    /// Waits until each of these alerts has fired, or fires now; answers all that did by then. Each stands with the process,
    /// or with the namespace where it is of several.
    pub async fn fired(&self, wanted: &[(&str, &str)], when: When) -> BTreeSet<(String, String)> {
        let begun = Instant::now();
        loop {
            let seen = self.alerts(when).await;
            let has = |&&(alert, place): &&(&str, &str)| !seen.iter().any(|(a, p)| (&**a, &**p) == (alert, place));
            let missing: Vec<_> = wanted.iter().filter(has).collect();
            if missing.is_empty() {
                return seen;
            }
            assert!(begun.elapsed() < PATIENCE, "did not fire: {missing:?}; fired: {seen:?}");
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    /// The alerts as Prometheus keeps them: a series each, with a value for each look at which it fired.
    async fn alerts(&self, when: When) -> BTreeSet<(String, String)> {
        let firing = "ALERTS%7Balertstate=%22firing%22%7D";
        let query = match when {
            When::Ever => format!("last_over_time({firing}[1h])"),
            When::Now => firing.to_owned(),
        };
        let answer = self.ask(&format!("/api/v1/query?query={query}")).await;
        let series = answer["data"]["result"].as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let of = |series: &Value| {
            let labels = &series["metric"];
            let place = if labels["instance"].is_null() { &labels["namespace"] } else { &labels["instance"] };
            (text(&labels["alertname"]), text(place))
        };
        series.iter().map(of).collect()
    }
}

/// Which alerts count.
#[derive(Debug, Clone, Copy)]
pub enum When {
    /// Those that fired since Prometheus was started.
    Ever,
    /// Those that fire.
    Now,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
