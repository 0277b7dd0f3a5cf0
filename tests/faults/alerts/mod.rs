//! Each alert set off by what it watches for: processes in trouble, and a real Prometheus that looks at them.
//!
//! Those in [`BY_PROMTOOL`] are tested with made-up figures alone, as all are in `k8s/observability/rules_test.yaml`.

mod prometheus;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use self::prometheus::{Prometheus, When};
use crate::harness::{Ouzel, shop};
use crate::kafka::{Kafka, record};

/// What takes too much to set off: two gibibytes, a week's worth of lists that get worse, and a broker that deletes what was
/// not read, of which `tests/resilience` looks at the figure.
const BY_PROMTOOL: [&str; 3] = ["OuzelMemory", "OuzelWorse", "OuzelRecordsLost"];

/// What comes of processes that are in trouble: each alert, with the process or, where it is of several, their namespace.
const IN_TROUBLE: [(&str, &str); 18] = [
    ("OuzelNotReady", "waits"),
    ("OuzelKafkaAway", "waits"),
    ("OuzelDiskFull", "full"),
    ("OuzelErasureLate", "keeps"),
    ("OuzelErrors", "busy"),
    ("OuzelTurnsAway", "busy"),
    ("OuzelSlow", "slow"),
    ("OuzelEventsRefused", "slow"),
    ("OuzelLag", "lags"),
    ("OuzelLate", "lags"),
    ("OuzelDeadLetters", "letters"),
    ("OuzelModelOld", "steady"),
    ("OuzelVersionsDiffer", "shop"),
    ("OuzelNoModel", "refuses"),
    ("OuzelGateRefuses", "refuses"),
    ("OuzelRunsFail", "fails"),
    ("OuzelActorRestarts", "restarts"),
    ("OuzelActorDown", "down"),
];

/// What comes of processes that are gone.
const GONE: [(&str, &str); 3] = [("OuzelDown", ""), ("OuzelProcessDown", "steady"), ("OuzelProcessDown", "lags")];

/// A place where nobody listens.
const NOBODY: &str = "127.0.0.1:1";

#[test]
fn no_alert_is_left_out() {
    let set_off = IN_TROUBLE.iter().chain(&GONE).map(|(alert, _)| *alert);
    let tested: BTreeSet<&str> = set_off.chain(BY_PROMTOOL).collect();
    let there: BTreeSet<&str> =
        prometheus::RULES.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert_eq!(there, tested);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_alert_fires_over_what_it_watches_for() {
    let Ok(program) = std::env::var("OUZEL_TEST_PROMETHEUS") else {
        return eprintln!("no alert is set off: `just alerts` sets OUZEL_TEST_PROMETHEUS");
    };
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (behind, unreadable) = (Kafka::embedded(), Kafka::embedded());
    let start = |name: &str, settings: &[(&str, &str)]| {
        let quick = [("OUZEL__TRAINING__CANDIDATES", "popular")];
        Ouzel::start(&at(name), &[&quick, settings].concat())
    };

    let steady = start("steady", &[]);
    let ahead = start("ahead", &[]);
    let lags = behind.ouzel_with(
        &at("lags"),
        &[
            ("FAILPOINTS", "reader.take_in=sleep(600000)"),
            ("OUZEL__OVERSEER__HUNG_AFTER", "1h"),
            ("OUZEL__KAFKA__BATCH", "10"),
            ("OUZEL__KAFKA__QUEUE", "1"),
        ],
    );
    let letters = unreadable.ouzel(&at("letters"));
    let waits = waiting(&at("waits"), &at("versions"));
    let busy = start("busy", &[("OUZEL__INGEST__QUEUE", "1"), ("FAILPOINTS", "ingestor.before_append=sleep(300)")]);
    let full = start("full", &[("OUZEL__STORAGE__MIN_FREE", "1099511627776")]);
    let slow = start("slow", &[]);
    let crashes = ("FAILPOINTS", "ingestor.handle=panic(always)");
    let restarts =
        start("restarts", &[crashes, ("OUZEL__OVERSEER__MAX_RESTARTS", "0"), ("OUZEL__OVERSEER__BACKOFF_MAX", "1s")]);
    let down =
        start("down", &[crashes, ("OUZEL__OVERSEER__BACKOFF_MIN", "1h"), ("OUZEL__OVERSEER__BACKOFF_MAX", "1h")]);
    let refuses = start("refuses", &[("OUZEL__TRAINING__CANDIDATES", "item-knn"), ("OUZEL__TRAINING__TRIALS", "1")]);
    let fails = start("fails", &[("FAILPOINTS", "job.train=panic(always)")]);
    let keeps = start(
        "keeps",
        &[
            ("FAILPOINTS", "eraser.pass=sleep(600000)"),
            ("OUZEL__OVERSEER__HUNG_AFTER", "1h"),
            ("OUZEL__STORAGE__ERASE_WITHIN", "1s"),
        ],
    );

    let services = [
        ("steady", "shop", &steady),
        ("ahead", "shop", &ahead),
        ("lags", "lags", &lags),
        ("letters", "letters", &letters),
        ("waits", "waits", &waits),
        ("busy", "busy", &busy),
        ("full", "full", &full),
        ("slow", "slow", &slow),
        ("restarts", "restarts", &restarts),
        ("down", "down", &down),
        ("refuses", "refuses", &refuses),
        ("fails", "fails", &fails),
        ("keeps", "keeps", &keeps),
    ];
    for ouzel in [&steady, &ahead, &lags, &letters, &busy, &full, &slow, &refuses, &fails, &keeps] {
        ouzel.ready().await;
    }
    let prometheus = Prometheus::start(&program, folder.path(), &services);
    prometheus.looked_at(services.len()).await;
    let mut load = JoinSet::new();
    load.spawn(send_too_much(busy.url.clone()));
    load.spawn(ask_slowly(slow.url.clone()));
    load.spawn(send_badly(slow.url.clone()));
    for (kafka, value, count) in [(&behind, "{\"user\":1,\"item\":\"a\"}", 1500), (&unreadable, "{no json", 3)] {
        let producer = kafka.producer();
        let topic = &kafka.settings.kafka.events_topic;
        let sent = (0..count).map(|_| producer.send(record(topic, "k", value, &[])));
        futures_util::future::try_join_all(sent).await.unwrap();
    }
    assert_eq!(full.post("/v1/events", &json!(shop(0, 1))).await.0, 507);
    assert_eq!(keeps.post("/v1/events", &json!(shop(0, 1))).await.0, 200);
    let user = shop(0, 1)[0]["user"].to_string();
    assert_eq!(keeps.delete(&format!("/v1/users/{}", user.trim_matches('"'))).await.0, 200);
    for ouzel in [&steady, &ahead, &fails] {
        assert_eq!(ouzel.post("/v1/events", &json!(shop(0, 500))).await.0, 200);
    }
    for ouzel in [&steady, &ahead] {
        ouzel.until("a version", "/state", |state| state["live"]["version"].as_u64()).await;
    }
    assert_eq!(ahead.run().await["version"], 2);
    assert_eq!(refuses.post("/v1/events", &json!(chance())).await.0, 200);
    for _ in 0..3 {
        let run = refuses.run().await;
        assert_eq!(run["status"], "refused", "{run}");
    }

    let mut seen = prometheus.fired(&IN_TROUBLE, When::Ever).await;
    // Nothing is wrong with the one but its version's age.
    seen.retain(|(alert, place)| place == "steady" && alert != "OuzelModelOld");
    assert!(seen.is_empty(), "{seen:?}");

    load.shutdown().await;
    for ouzel in [steady, ahead, lags, letters, waits, busy, full, slow, restarts, down, refuses, fails, keeps] {
        ouzel.kill();
    }
    prometheus.fired(&GONE, When::Now).await;
}

/// A replica whose store names a version that is not there, and which has no broker.
fn waiting(data: &Path, versions: &Path) -> Ouzel {
    std::fs::create_dir_all(versions).unwrap();
    std::fs::write(versions.join("live.json"), "{\"format\":1,\"live\":7,\"previous\":null}").unwrap();
    let settings = [
        ("OUZEL__SERVER__ROLE", "serve"),
        ("OUZEL__SERVER__PRIMARY_URL", "http://127.0.0.1:1"),
        ("OUZEL__KAFKA__BROKERS", NOBODY),
        ("OUZEL__STORAGE__ARTIFACTS", versions.to_str().unwrap()),
    ];
    Ouzel::start(data, &settings)
}

/// More senders than a slow disk takes.
async fn send_too_much(url: String) {
    let http = reqwest::Client::new();
    loop {
        let post = || http.post(format!("{url}/v1/events")).json(&json!({ "user": 1, "item": "a" })).send();
        futures_util::future::join_all((0..6).map(|_| post())).await;
    }
}

/// Questions whose bodies take long to come.
async fn ask_slowly(url: String) {
    let address = url.strip_prefix("http://").unwrap().to_owned();
    loop {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        let head = "POST /recommend HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-type: application/json\r\n";
        stream.write_all(format!("{head}content-length: 10\r\n\r\n{{\"user\"").as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
        stream.write_all(b":1}").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

/// Events of which every other one lacks its item.
async fn send_badly(url: String) {
    let http = reqwest::Client::new();
    loop {
        let events = json!([{ "user": 1 }, { "user": 1, "item": "a" }]);
        http.post(format!("{url}/v1/events")).json(&events).send().await.unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Purchases that chance alone makes, of few items often and of many seldom: what others took says nothing, and `item-knn`
/// is 7 % worse than what is popular. With times and a counted search, each run finds the same.
pub(crate) fn chance() -> Vec<Value> {
    let mut state = 7_u64;
    let mut draw = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / (1_u64 << 31) as f64
    };
    let event = |n: u64| {
        let item = (200.0 * draw().powi(2)) as u64;
        json!({ "user": n % 600, "item": item, "timestamp": 1_750_000_000 + n * 60 })
    };
    (0..3000).map(event).collect()
}
