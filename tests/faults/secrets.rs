//! Every secret that settings can hold, given to noisy processes at the log's level debug, and looked for in all they say.

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::json;

use crate::authority::Authority;
use crate::harness::{Ouzel, PATIENCE, alone, command, shop};

/// The secrets, told apart by their second part.
const SECRETS: [&str; 13] = [
    "zq7-read-key",
    "zq7-ingest-key",
    "zq7-admin-key",
    "zq7-file-key",
    "zq7-rotated-key",
    "zq7-unknown-key",
    "zq7-sasl-user",
    "zq7-sasl-password",
    "zq7-key-password",
    "zq7-client-secret",
    "zq7-s3-access",
    "zq7-s3-secret",
    "zq7-collector-key",
];

/// A process, where it writes, and what its callers were answered.
struct Noisy {
    folder: tempfile::TempDir,
    settings: Vec<(&'static str, String)>,
    heard: String,
    key: String,
}

impl Noisy {
    /// Writes the files that hold secrets, and gives every secret to a setting.
    fn new(more: &[(&'static str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new("Ouzel's tests");
        authority.issue_to(folder.path());
        let path = |name: &str| folder.path().join(name).display().to_string();
        let place = |name: &str, text: &str| std::fs::write(path(name), text).unwrap();
        place("ca.pem", &authority.pem());
        place("keys", "ingest:zq7-file-key\n");
        place("sasl", "zq7-sasl-password\n");
        place("s3", "zq7-s3-secret\n");
        let key = std::fs::read_to_string(path("key.pem")).unwrap();
        let mut settings: Vec<(&'static str, String)> = vec![
            ("OUZEL__AUTH__KEYS", "read:zq7-read-key,ingest:zq7-ingest-key,admin:zq7-admin-key".to_owned()),
            ("OUZEL__AUTH__KEYS_FILE", path("keys")),
            ("OUZEL__SERVER__TLS_CERTIFICATE", path("certificate.pem")),
            ("OUZEL__SERVER__TLS_KEY", path("key.pem")),
            ("OUZEL__KAFKA__OPTIONS__SASL_MECHANISM", "SCRAM-SHA-512".to_owned()),
            ("OUZEL__KAFKA__OPTIONS__SASL_USERNAME", "zq7-sasl-user".to_owned()),
            ("OUZEL__KAFKA__OPTIONS__SASL_PASSWORD_FILE", path("sasl")),
            ("OUZEL__KAFKA__OPTIONS__SSL_KEY_PASSWORD", "zq7-key-password".to_owned()),
            ("OUZEL__KAFKA__OPTIONS__DEBUG", "all".to_owned()),
            ("OUZEL__STORAGE__S3_ACCESS_KEY", "zq7-s3-access".to_owned()),
            ("OUZEL__STORAGE__S3_SECRET_KEY_FILE", path("s3")),
            ("OUZEL__TELEMETRY__OTLP_ENDPOINT", "http://127.0.0.1:1".to_owned()),
            ("OTEL_EXPORTER_OTLP_HEADERS", "x-collector-key=zq7-collector-key".to_owned()),
            ("OUZEL__TELEMETRY__LOG", "debug".to_owned()),
            ("OUZEL__TRAINING__CANDIDATES", "popular".to_owned()),
        ];
        settings.extend(more.iter().map(|&(name, value)| (name, value.to_owned())));
        Self { folder, settings, heard: String::new(), key }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn start(&self) -> Ouzel {
        let settings: Vec<(&str, &str)> = self.settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let mut command = command(&self.path("data"), &settings);
        command.stderr(File::create(self.path("log")).unwrap());
        Ouzel::spawn_for(command, self.client("zq7-admin-key")).expect("it starts")
    }

    /// A client that sends this key with every request.
    fn client(&self, key: &str) -> reqwest::Client {
        ouzel::cli::choose_tls();
        let authority = std::fs::read(self.path("ca.pem")).unwrap();
        let headers = HeaderMap::from_iter([("x-api-key".parse().unwrap(), HeaderValue::from_str(key).unwrap())]);
        let own = reqwest::Certificate::from_pem(&authority).unwrap();
        reqwest::Client::builder().tls_certs_only([own]).default_headers(headers).build().unwrap()
    }

    /// Sends a request and keeps what is answered, head and body.
    async fn hear(&mut self, request: reqwest::RequestBuilder) -> u16 {
        let answer = request.send().await.unwrap();
        let status = answer.status();
        self.heard += &format!("{:?}\n{status}\n", answer.headers());
        self.heard += &answer.text().await.unwrap();
        status.as_u16()
    }

    /// What callers who are wrong are told, and those who look at everything.
    async fn make_noise(&mut self, ouzel: &Ouzel) {
        let url = |path: &str| format!("{}{path}", ouzel.url);
        let admin = self.client("zq7-admin-key");
        for key in ["zq7-unknown-key", "zq7-read-key", "zq7-file-key"] {
            let client = self.client(key);
            let refused = self.hear(client.post(url("/v1/rollback"))).await;
            assert!(matches!(refused, 401 | 403), "{refused} for {key}");
            self.hear(client.get(url("/recommend?user=1")).bearer_auth(key)).await;
            self.hear(client.get(url(&format!("/recommend?api_key={key}")))).await;
        }
        for body in ["{no json", "{\"user\":1}", "[1,2]", "{\"user\":1,\"item\":\"a\",\"timestamp\":\"zero\"}", "\u{0}"]
        {
            let json = |path: &str| admin.post(url(path)).header("content-type", "application/json").body(body);
            for path in ["/v1/events", "/recommend", "/v1/score"] {
                assert!(self.hear(json(path)).await < 500, "{path} {body}");
            }
        }
        for path in ["/v1/versions/999/promote", "/v1/runs/none/cancel"] {
            self.hear(admin.post(url(path))).await;
        }
        for path in ["/state", "/metrics", "/v1/runs", "/v1/schedule", "/openapi.json", "/docs", "/"] {
            assert_eq!(self.hear(admin.get(url(path))).await, 200, "{path}");
        }
        // These need the store, or Kafka.
        for path in ["/v1/versions", "/v1/dead-letters"] {
            self.hear(admin.get(url(path))).await;
        }
    }

    /// What the commands say with the same settings.
    fn run_commands(&mut self, url: &str) {
        let ca = self.path("ca.pem").display().to_string();
        for line in [
            "config".to_owned(),
            "doctor".to_owned(),
            format!("versions list --url {url} --ca {ca} --key zq7-unknown-key"),
            format!("versions list --url {url} --key zq7-admin-key"),
            "client --count 1".to_owned(),
        ] {
            let mut command = Command::new(env!("CARGO_BIN_EXE_ouzel"));
            command.args(line.split_whitespace()).current_dir(self.folder.path());
            command.envs(self.settings.iter().map(|(name, value)| (*name, value.as_str())));
            command.env("OUZEL__STORAGE__DATA_DIR", "elsewhere");
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
            let output = alone(|| command.spawn()).unwrap().wait_with_output().unwrap();
            let told = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            assert!(!told.is_empty(), "{line}");
            self.heard += &told;
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap()
    }

    async fn logged(&self, text: &str) {
        let begun = Instant::now();
        while !self.log().contains(text) {
            assert!(begun.elapsed() < PATIENCE, "{text:?} was not said: {}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn holds_no_secret(&self) {
        let log = self.log();
        assert!(log.contains("DEBUG"), "the log is at level debug");
        let key = self.key.lines().filter(|line| line.len() > 20 && !line.starts_with("-----"));
        for (what, text) in [("the log", &log), ("what was answered", &self.heard)] {
            for secret in SECRETS.into_iter().chain(key.clone()) {
                if let Some(at) = text.find(secret) {
                    let from = text[..at].rfind('\n').map_or(0, |end| end + 1);
                    let line = text[from..].lines().next().unwrap_or_default();
                    panic!("{secret} is in {what}: {line}");
                }
            }
        }
    }
}

/// An S3 server that lets nobody in, and says in its answer what it was sent, as real ones say the access key.
fn refusing_s3() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut sent = [0; 8192];
            let read = stream.read(&mut sent).unwrap_or(0);
            let sent = String::from_utf8_lossy(&sent[..read]);
            let body = format!("<Error><Code>SignatureDoesNotMatch</Code><StringToSign>{sent}</StringToSign></Error>");
            let head = format!("HTTP/1.1 403 Forbidden\r\nconnection: close\r\ncontent-length: {}", body.len());
            // Whoever asked may be gone.
            write!(stream, "{head}\r\n\r\n{body}").ok();
        }
    });
    url
}

fn audited(log: &str, parts: &[&str]) -> bool {
    log.lines().any(|line| line.contains("ouzel::audit") && parts.iter().all(|part| line.contains(part)))
}

#[tokio::test]
async fn a_process_whose_wires_refuse_it_says_no_secret() {
    let s3 = refusing_s3();
    let secure = std::env::var("OUZEL_TEST_KAFKA_SASL_SSL").ok();
    assert!(secure.is_some() || std::env::var("CI").is_err(), "CI runs scripts/kafka start --secure, and exports it");
    let ca = std::env::var("OUZEL_TEST_KAFKA_SASL_SSL_CA").unwrap_or_default();
    let broker = secure.clone().unwrap_or_else(|| "127.0.0.1:1".to_owned());
    let mut more = vec![
        ("OUZEL__STORAGE__ARTIFACTS", "s3://zq-bucket/versions"),
        ("OUZEL__STORAGE__S3_ENDPOINT", s3.as_str()),
        ("OUZEL__KAFKA__BROKERS", broker.as_str()),
        ("OUZEL__KAFKA__OPTIONS__SECURITY_PROTOCOL", "SASL_SSL"),
        ("FAILPOINTS", "ingestor.handle=1*panic(on purpose)->off;trainer.start=1*panic(on purpose)->off"),
    ];
    if secure.is_some() {
        more.push(("OUZEL__KAFKA__OPTIONS__SSL_CA_LOCATION", ca.as_str()));
    }
    let mut noisy = Noisy::new(&more);
    let ouzel = noisy.start();
    ouzel.ready().await;
    let mut taken = 0;
    while taken != 200 {
        taken = ouzel.post("/v1/events", &json!(shop(0, 50))).await.0;
    }
    // The store refuses whatever a run would publish.
    ouzel.post("/v1/runs", &json!({})).await;
    noisy.logged("on purpose").await;
    noisy.logged("SignatureDoesNotMatch").await;
    noisy.logged(if secure.is_some() { "invalid credentials" } else { "Connection refused" }).await;
    noisy.make_noise(&ouzel).await;
    noisy.run_commands(&ouzel.url.clone());
    assert!(ouzel.stop().success());
    noisy.holds_no_secret();
}

#[tokio::test]
async fn administration_is_audited_and_says_no_secret() {
    // The option is for OAUTHBEARER alone, which `secure` tries with a real broker.
    let mut noisy = Noisy::new(&[
        ("FAILPOINTS", "ingestor.handle=1*panic(on purpose)->off"),
        ("OUZEL__KAFKA__OPTIONS__SASL_OAUTHBEARER_CLIENT_SECRET", "zq7-client-secret"),
    ]);
    let ouzel = noisy.start();
    ouzel.ready().await;
    let mut taken = 0;
    while taken != 200 {
        taken = ouzel.post("/v1/events", &json!(shop(0, 200))).await.0;
    }
    let live = |version: u64| move |state: &serde_json::Value| (state["live"]["version"] == version).then_some(());
    ouzel.until("the first version", "/state", live(1)).await;
    assert_eq!(ouzel.run().await["status"], "succeeded");
    for path in ["/v1/versions/1/promote", "/v1/rollback"] {
        let (status, told) = ouzel.post(path, &json!({})).await;
        assert_eq!(status, 200, "{path}: {told}");
    }
    assert_eq!(ouzel.put("/v1/schedule", &json!({ "paused": true })).await.0, 200);
    assert!(ouzel.delete("/v1/users/1").await.0 < 300);
    std::fs::write(noisy.path("keys"), "ingest:zq7-rotated-key\n").unwrap();
    noisy.logged("the keys have changed").await;
    noisy.make_noise(&ouzel).await;
    noisy.run_commands(&ouzel.url.clone());
    assert!(ouzel.stop().success());

    let log = noisy.log();
    for parts in [
        ["POST", "/v1/versions/1/promote"],
        ["POST", "/v1/rollback"],
        ["DELETE", "/v1/users/"],
        ["PUT", "/v1/schedule"],
        ["POST", "/v1/runs"],
        ["keys are let in", "(admin)"],
        ["the keys have changed", "(ingest)"],
    ] {
        assert!(audited(&log, &parts), "no audit line with {parts:?}");
    }
    noisy.holds_no_secret();
}

#[test]
fn the_settings_that_may_hold_secrets_are_all_tried() {
    // A new setting whose name sounds like a secret belongs in this test, or here with why it is none.
    const NAMES_OR_FILES: [&str; 3] = ["tls_key", "keys_file", "s3_secret_key_file"];
    const TRIED: [&str; 3] = ["keys", "s3_access_key", "s3_secret_key"];
    let defaults = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config/default.toml")).unwrap();
    let table: toml::Table = toml::from_str(&defaults).unwrap();
    for (section, keys) in table.iter().filter_map(|(section, keys)| Some((section, keys.as_table()?))) {
        for key in keys.keys() {
            let sounds = ["key", "secret", "password", "token", "credential"].iter().any(|part| key.contains(part));
            let known = NAMES_OR_FILES.contains(&key.as_str()) || TRIED.contains(&key.as_str());
            assert!(!sounds || known, "{section}.{key}");
        }
    }
}
