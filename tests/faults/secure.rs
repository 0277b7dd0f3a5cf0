//! Kafka by SASL_SSL: a real broker's listener with TLS, SCRAM-SHA-512 and OAUTHBEARER, as `scripts/kafka start --secure`
//! starts it. Without one these tests end at once, but in CI.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ouzel::kafka::broker::BrokerState;
use ouzel::kafka::topics;
use ouzel::model::clock::Clock;
use serde_json::{Value, json};

use crate::authority::Authority;
use crate::harness::{Ouzel, PATIENCE, alone};
use crate::kafka::{Kafka, record};

/// A token that its broker takes, since it asks for no signature: of the user ouzel-tests, until 2100.
const TOKEN: &str = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJvdXplbC10ZXN0cyIsImlhdCI6MTcwMDAwMDAwMCwiZXhwIjo0MTAyNDQ0ODAwfQ.";

/// A password that nobody has.
const WRONG: &str = "wrong-password-7f3a";

type Settings = Vec<(&'static str, String)>;

/// The listener, topics of one test, and its folder.
struct Secure {
    kafka: Kafka,
    folder: tempfile::TempDir,
}

fn variable(name: &str) -> Option<String> {
    let found = std::env::var(format!("OUZEL_TEST_KAFKA_SASL_SSL{name}")).ok();
    assert!(found.is_some() || std::env::var("CI").is_err(), "CI runs scripts/kafka start --secure, and exports it");
    found
}

impl Secure {
    fn new() -> Option<Self> {
        variable("")?;
        Some(Self { kafka: Kafka::new(), folder: tempfile::tempdir().unwrap() })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The settings by which the broker lets this user in, changed by `change`.
    fn settings(&self, change: &[(&'static str, &str)]) -> Settings {
        let of = |name: &str| variable(name).unwrap();
        let mut settings: Settings = vec![
            ("OUZEL__KAFKA__BROKERS", of("")),
            ("OUZEL__KAFKA__OPTIONS__SECURITY_PROTOCOL", "SASL_SSL".to_owned()),
            ("OUZEL__KAFKA__OPTIONS__SASL_MECHANISM", "SCRAM-SHA-512".to_owned()),
            ("OUZEL__KAFKA__OPTIONS__SASL_USERNAME", of("_USER")),
            ("OUZEL__KAFKA__OPTIONS__SASL_PASSWORD", of("_PASSWORD")),
            ("OUZEL__KAFKA__OPTIONS__SSL_CA_LOCATION", of("_CA")),
            ("OUZEL__TELEMETRY__LOG", "info".to_owned()),
        ];
        settings.extend(change.iter().map(|&(name, value)| (name, value.to_owned())));
        settings
    }

    fn command(&self, settings: &Settings) -> Command {
        let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.kafka.command(&self.path("data"), &settings)
    }

    fn start(&self, settings: &Settings) -> Ouzel {
        let mut command = self.command(settings);
        command.stderr(File::create(self.path("log")).unwrap());
        Ouzel::spawn(command).expect("it starts")
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap()
    }

    /// What `ouzel doctor` says with the same settings, and whether all is well.
    fn doctor(&self, settings: &Settings) -> (bool, String) {
        let serve = self.command(settings);
        let mut command = Command::new(env!("CARGO_BIN_EXE_ouzel"));
        command.arg("doctor").current_dir(self.folder.path()).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        for (name, value) in serve.get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        command.env("OUZEL__STORAGE__DATA_DIR", "elsewhere");
        let output = alone(|| command.spawn()).unwrap().wait_with_output().unwrap();
        let told = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(told).unwrap())
    }

    /// An event is applied and a request answered, both over this listener.
    async fn goes_through(&self, ouzel: &Ouzel) {
        ouzel.ready().await;
        let (names, producer) = (&self.kafka.settings.kafka, self.kafka.producer());
        let event = json!({ "user": 1, "item": "a" }).to_string();
        producer.send(record(&names.events_topic, "1", event, &[])).await.unwrap();
        ouzel.until("the event", "/state", |state| (state["events"]["events"] == 1).then_some(())).await;
        let ask = json!({ "user": 2 }).to_string();
        producer.send(record(&names.requests_topic, "2", ask, &[])).await.unwrap();
        let reply = self.kafka.follow(&names.replies_topic).next("the reply").await;
        let list: Value = serde_json::from_slice(reply.payload.as_deref().unwrap()).unwrap();
        assert_eq!(list["items"][0]["id"], "a", "{list}");
        ouzel.until("Kafka", "/health/ready", |body| (body["degraded"] == json!([])).then_some(())).await;
    }

    /// The service says why it has no Kafka and what to do, in the log, in `/state` and by the doctor, and answers on.
    async fn is_refused(&self, settings: &Settings, why: &str, remedy: &str, secrets: &[&str]) {
        let ouzel = self.start(settings);
        ouzel.ready().await;
        let told = |state: &Value| {
            let error = state["kafka"]["broker"]["last_error"].as_str()?;
            (error.contains(why) && error.contains(remedy)).then(|| state.to_string())
        };
        let state = ouzel.until(why, "/state", told).await;
        self.said(why).await;
        let log = self.log();
        let refusals =
            log.lines().filter(|line| line.contains("the connection to Kafka is refused")).collect::<Vec<_>>();
        assert!(refusals.iter().all(|line| line.contains(remedy)), "{refusals:#?}");
        // Each client of the service says it once, not at each attempt.
        assert!((1..=4).contains(&refusals.len()), "{refusals:#?}");
        assert_eq!(ouzel.post("/v1/events", &json!({ "user": 1, "item": "a" })).await.0, 200);
        assert_eq!(ouzel.get("/health/ready").await.1["degraded"], json!(["kafka"]));

        let (well, doctor) = self.doctor(settings);
        assert!(!well && doctor.contains(why) && doctor.contains(remedy), "{doctor}");
        for secret in secrets {
            for text in [&state, &self.log(), &doctor] {
                assert!(!text.contains(secret), "{secret} is in {text}");
            }
        }
    }

    async fn said(&self, text: &str) {
        let begun = Instant::now();
        while !self.log().contains(text) {
            assert!(begun.elapsed() < PATIENCE, "{text:?} was not said: {}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Answers every request for a token, and tells the last one's authorization.
fn token_endpoint() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/token", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let mut authorized = false;
            for line in stream.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty()) {
                // "shop:shop-secret-91c2" in base64.
                authorized |= line.eq_ignore_ascii_case("authorization: Basic c2hvcDpzaG9wLXNlY3JldC05MWMy");
            }
            let body = match authorized {
                true => json!({ "access_token": TOKEN, "token_type": "Bearer", "expires_in": 600 }).to_string(),
                false => json!({ "error": "invalid_client" }).to_string(),
            };
            let status = if authorized { "200 OK" } else { "401 Unauthorized" };
            let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}", body.len());
            // Whoever asked may be gone.
            write!(stream.get_mut(), "{head}\r\n\r\n{body}").ok();
        }
    });
    url
}

/// The settings of OAUTHBEARER with this endpoint and secret.
fn oauth<'a>(endpoint: &'a str, secret: &'a str) -> [(&'static str, &'a str); 5] {
    [
        ("OUZEL__KAFKA__OPTIONS__SASL_MECHANISM", "OAUTHBEARER"),
        ("OUZEL__KAFKA__OPTIONS__SASL_OAUTHBEARER_METHOD", "oidc"),
        ("OUZEL__KAFKA__OPTIONS__SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL", endpoint),
        ("OUZEL__KAFKA__OPTIONS__SASL_OAUTHBEARER_CLIENT_ID", "shop"),
        ("OUZEL__KAFKA__OPTIONS__SASL_OAUTHBEARER_CLIENT_SECRET", secret),
    ]
}

#[tokio::test]
async fn scram_over_tls_works_from_the_options_of_a_file() {
    let Some(secure) = Secure::new() else { return };
    let of = |name: &str| variable(name).unwrap();
    std::fs::write(secure.path("password"), of("_PASSWORD") + "\n").unwrap();
    let options = format!(
        "[kafka]\nbrokers = '{}'\n[kafka.options]\n'security.protocol' = 'SASL_SSL'\n'sasl.mechanism' = 'SCRAM-SHA-512'\n\
         'sasl.username' = '{}'\n'sasl.password_file' = '{}'\n'ssl.ca.location' = '{}'\n",
        of(""),
        of("_USER"),
        secure.path("password").display(),
        of("_CA")
    );
    let file = secure.path("shop.toml");
    std::fs::write(&file, options).unwrap();
    let mut command = secure.command(&vec![("OUZEL__TELEMETRY__LOG", "info".to_owned())]);
    command.env_remove("OUZEL__KAFKA__BROKERS").arg("--config").arg(&file);
    command.stderr(File::create(secure.path("log")).unwrap());
    let ouzel = Ouzel::spawn(command).expect("it starts");
    secure.goes_through(&ouzel).await;
    assert!(ouzel.stop().success());
    assert!(!secure.log().contains(&of("_PASSWORD")) && !secure.log().contains("ERROR"), "{}", secure.log());
    let (well, doctor) = secure.doctor(&secure.settings(&[]));
    assert!(well && doctor.contains("lets this user in and has all topics"), "{doctor}");
}

#[tokio::test]
async fn a_wrong_password_is_said_with_what_to_do() {
    let Some(secure) = Secure::new() else { return };
    let settings = secure.settings(&[("OUZEL__KAFKA__OPTIONS__SASL_PASSWORD", WRONG)]);
    let remedy = "check sasl.mechanism, sasl.username and sasl.password in kafka.options";
    secure.is_refused(&settings, "invalid credentials", remedy, &[WRONG]).await;
}

#[tokio::test]
async fn a_wrong_authority_is_said_with_what_to_do() {
    let Some(secure) = Secure::new() else { return };
    std::fs::write(secure.path("other.pem"), Authority::new("somebody else").pem()).unwrap();
    let other = secure.path("other.pem").display().to_string();
    let settings = secure.settings(&[("OUZEL__KAFKA__OPTIONS__SSL_CA_LOCATION", &other)]);
    let remedy = "name the authority of the broker's certificate in ssl.ca.location of kafka.options";
    let password = variable("_PASSWORD").unwrap();
    secure.is_refused(&settings, "certificate verify failed", remedy, &[&password]).await;
}

#[tokio::test]
async fn oauthbearer_works_with_a_token_from_an_endpoint() {
    let Some(secure) = Secure::new() else { return };
    let endpoint = token_endpoint();
    // With OAUTHBEARER the service makes no topics.
    let made = topics::ensure(&secure.kafka.settings.kafka, &BrokerState::new(Clock::System)).unwrap();
    assert!(made.ended(PATIENCE).await);
    let settings = secure.settings(&oauth(&endpoint, "shop-secret-91c2"));
    let ouzel = secure.start(&settings);
    secure.goes_through(&ouzel).await;
    let (status, letters) = ouzel.get("/v1/dead-letters").await;
    assert_eq!(status, 200, "{letters}");
    let (_, doctor) = secure.doctor(&settings);
    assert!(doctor.contains("lets this user in"), "{doctor}");
    assert!(ouzel.stop().success());
    for secret in [TOKEN, "shop-secret-91c2"] {
        assert!(!secure.log().contains(secret) && !doctor.contains(secret), "{}", secure.log());
    }
}

#[tokio::test]
async fn an_endpoint_without_tokens_is_said_with_what_to_do() {
    let remedy = "check sasl.oauthbearer.* in kafka.options";
    let Some(secure) = Secure::new() else { return };
    let away = secure.settings(&oauth("http://127.0.0.1:1/token", "shop-secret-91c2"));
    let why = "no token from http://127.0.0.1:1/token: ";
    secure.is_refused(&away, why, remedy, &["shop-secret-91c2"]).await;

    let Some(secure) = Secure::new() else { return };
    let endpoint = token_endpoint();
    let wrong = secure.settings(&oauth(&endpoint, WRONG));
    let why = format!("no token from {endpoint}: it answers with status 401 (invalid_client)");
    secure.is_refused(&wrong, &why, remedy, &[WRONG]).await;
}

#[tokio::test]
async fn oauthbearer_without_an_endpoint_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let settings = [
        ("OUZEL__KAFKA__BROKERS", "127.0.0.1:1"),
        ("OUZEL__KAFKA__OPTIONS__SASL_MECHANISM", "OAUTHBEARER"),
        ("OUZEL__KAFKA__OPTIONS__SASL_OAUTHBEARER_METHOD", "oidc"),
    ];
    let log = folder.path().join("log");
    let mut command = crate::harness::command(&folder.path().join("data"), &settings);
    command.stderr(File::create(&log).unwrap());
    assert!(Ouzel::spawn(command).is_err());
    let told = std::fs::read_to_string(log).unwrap();
    assert!(told.contains("sasl.oauthbearer.token.endpoint.url") && told.contains("is needed"), "{told}");
}
