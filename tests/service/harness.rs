//! The service as a process of its own, with real HTTP on a free port.
#![allow(dead_code, reason = "each test target uses its own part of it")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// The longest that anything may take before a test fails.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// Held while a process is started and while the embedded broker is taken away: until it executes its program a child holds
/// what its parent has open, also the broker's port, and librdkafka aborts where it cannot bind that anew.
static FORKING: Mutex<()> = Mutex::new(());

/// Does what must not meet a process being started, or starts one.
pub fn alone<T>(work: impl FnOnce() -> T) -> T {
    let _forking = FORKING.lock().unwrap_or_else(PoisonError::into_inner);
    work()
}

/// A running service; killed when it is dropped.
pub struct Ouzel {
    child: Child,
    pub url: String,
    http: reqwest::Client,
}

impl Ouzel {
    /// Starts `ouzel serve` on a data folder with settings given as `OUZEL__…` variables.
    pub fn start(data: &Path, settings: &[(&str, &str)]) -> Self {
        Self::spawn(command(data, settings)).expect("it starts")
    }

    /// Starts what [`command`] made; the exit status of one that ended before it listened.
    pub fn spawn(command: Command) -> Result<Self, ExitStatus> {
        ouzel::cli::choose_tls();
        Self::spawn_for(command, reqwest::Client::new())
    }

    /// The same, asked by a client of the test's own.
    pub fn spawn_for(mut command: Command, http: reqwest::Client) -> Result<Self, ExitStatus> {
        let mut child = alone(|| command.stdout(Stdio::piped()).spawn()).unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let Some(line) = lines.next() else { return Err(child.wait().unwrap()) };
        let url = line.unwrap().strip_prefix("ouzel listens on ").expect("it prints where it listens").to_owned();
        Ok(Self { child, url, http })
    }

    pub async fn get(&self, path: &str) -> (u16, Value) {
        answer(self.http.get(format!("{}{path}", self.url))).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        answer(self.http.post(format!("{}{path}", self.url)).json(body)).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> (u16, Value) {
        answer(self.http.put(format!("{}{path}", self.url)).json(body)).await
    }

    pub async fn delete(&self, path: &str) -> (u16, Value) {
        answer(self.http.delete(format!("{}{path}", self.url))).await
    }

    /// Asks again until `found` finds what it looks for.
    pub async fn until<T>(&self, what: &str, path: &str, found: impl Fn(&Value) -> Option<T>) -> T {
        let begun = Instant::now();
        let mut last = Value::Null;
        while begun.elapsed() < PATIENCE {
            if let Ok(response) = self.http.get(format!("{}{path}", self.url)).send().await {
                last = response.json().await.unwrap_or_default();
                if let Some(found) = found(&last) {
                    return found;
                }
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("{what} did not come within {PATIENCE:?}; last seen: {last}");
    }

    /// Waits until it answers from memory.
    pub async fn ready(&self) {
        self.until("readiness", "/health/ready", |body| (body["ready"] == true).then_some(())).await;
    }

    /// What `/metrics` tells, by name with labels.
    pub async fn figures(&self) -> BTreeMap<String, f64> {
        let text = self.http.get(format!("{}/metrics", self.url)).send().await.unwrap().text().await.unwrap();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines
            .map(|line| line.rsplit_once(' ').unwrap())
            .map(|(name, value)| (name.to_owned(), value.parse().unwrap()))
            .collect()
    }

    /// Asks again until a figure is as `wanted` has it.
    pub async fn until_figure(&self, name: &str, wanted: impl Fn(f64) -> bool) -> f64 {
        let begun = Instant::now();
        let mut figures = BTreeMap::new();
        while begun.elapsed() < PATIENCE {
            figures = self.figures().await;
            if let Some(&figure) = figures.get(name).filter(|figure| wanted(**figure)) {
                return figure;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("{name} did not come within {PATIENCE:?}; last seen: {figures:#?}");
    }

    /// Starts a run and waits for its end.
    pub async fn run(&self) -> Value {
        let (status, started) = self.post("/v1/runs", &json!({})).await;
        assert_eq!(status, 202, "{started}");
        let path = format!("/v1/runs/{}", started["id"].as_str().unwrap());
        let over = |run: &Value| {
            let over = !["queued", "running"].contains(&run["status"].as_str().unwrap_or("queued"));
            over.then(|| run.clone())
        };
        self.until("the end of the run", &path, over).await
    }

    /// The number of restarts of one actor and its status.
    pub async fn actor(&self, name: &str) -> (u64, String) {
        let (_, state) = self.get("/state").await;
        actor_of(&state, name).unwrap_or_else(|| panic!("no actor {name} in {state}"))
    }

    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Stops it by SIGTERM.
    pub fn stop(mut self) -> ExitStatus {
        let pid = self.child.id().to_string();
        let mut kill = alone(|| Command::new("kill").args(["-TERM", &pid]).spawn()).unwrap();
        assert!(kill.wait().unwrap().success());
        self.child.wait().unwrap()
    }

    /// As [`Self::ended`], for tests in which others go on meanwhile.
    pub async fn died(mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "it did not end within {PATIENCE:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits for it to end by itself.
    pub fn ended(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Ouzel {
    fn drop(&mut self) {
        // It may have ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

pub fn actor_of(state: &Value, name: &str) -> Option<(u64, String)> {
    let actor = state["actors"].as_array()?.iter().find(|actor| actor["name"] == name)?;
    Some((actor["restarts"].as_u64()?, actor["status"].as_str()?.to_owned()))
}

/// `ouzel serve`, not started, with nothing of the machine's own settings.
pub fn command(data: &Path, settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ouzel"));
    command.arg("serve").current_dir(data.parent().unwrap()).env("OUZEL__SERVER__PORT", "0");
    command.env("OUZEL__STORAGE__DATA_DIR", data).env("OUZEL__TELEMETRY__LOG", "warn");
    command.env("OUZEL__OVERSEER__BACKOFF_MIN", "10ms");
    for (name, value) in settings {
        command.env(name, value);
    }
    command
}

/// The settings that put versions into the real S3 server's bucket, below `prefix`: place, endpoint, key and secret. None
/// where there is no server.
pub fn in_bucket(prefix: &str) -> Option<[(&'static str, String); 4]> {
    let test = |name: &str| std::env::var(format!("OUZEL_TEST_S3{name}"));
    let Ok(endpoint) = test("") else {
        assert!(std::env::var("CI").is_err(), "CI runs with a real S3 server: set OUZEL_TEST_S3");
        return None;
    };
    Some([
        ("OUZEL__STORAGE__ARTIFACTS", format!("s3://{}/{prefix}", test("_BUCKET").unwrap())),
        ("OUZEL__STORAGE__S3_ENDPOINT", endpoint),
        ("OUZEL__STORAGE__S3_ACCESS_KEY", test("_KEY").unwrap()),
        ("OUZEL__STORAGE__S3_SECRET_KEY", test("_SECRET").unwrap()),
    ])
}

async fn answer(request: reqwest::RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap_or_default())
}

/// Events of a shop with four groups of users, each with its own twenty-five items: `count` of them from number `from`.
pub fn shop(from: u64, count: u64) -> Vec<Value> {
    (from..from + count)
        .map(|n| {
            let random = n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407) >> 20;
            let (user, within) = (random % 400, (random / 400) % 625);
            let item = (user % 4) * 25 + (within / 25).min(within % 25);
            json!({ "id": format!("event-{n}"), "user": user, "item": item, "timestamp": 1_750_000_000 + n * 60 })
        })
        .collect()
}
