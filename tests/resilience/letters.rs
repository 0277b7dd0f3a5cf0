//! Damaged records among many good ones: each becomes a dead letter with its reason, and none holds a partition up.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use futures_util::future::join_all;
use ouzel::kafka::codec::messages;
use ouzel::kafka::producer::OutRecord;
use prost::Message;
use serde_json::{Value, json};

use crate::expected::history;
use crate::harness::{Ouzel, alone};
use crate::kafka::{Follower, Kafka};
use crate::load::{BEGINNING, STREAMED_USERS, event};
use crate::{rounds, tell};

/// Records sent at once.
const AT_ONCE: u64 = 1000;

/// What is wrong with a record.
#[derive(Clone, Copy, PartialEq)]
enum Damage {
    Cut,
    WithoutItem,
    Noise,
    FromTheFuture,
    Empty,
    /// Nothing, but that the service is told to read JSON only.
    Protobuf,
}

const DAMAGES: [Damage; 6] =
    [Damage::Cut, Damage::WithoutItem, Damage::Noise, Damage::FromTheFuture, Damage::Empty, Damage::Protobuf];

impl Damage {
    /// One in a hundred is damaged.
    fn of(n: u64) -> Option<Self> {
        (n % 100 == 7).then(|| DAMAGES[usize::try_from(n / 100).unwrap() % DAMAGES.len()])
    }

    fn value(self, n: u64) -> Option<Vec<u8>> {
        let mut body = event("streamed", n, STREAMED_USERS);
        match self {
            Self::Cut => Some(body.to_string().into_bytes()[..30].to_vec()),
            Self::WithoutItem => {
                body.as_object_mut().unwrap().remove("item");
                Some(body.to_string().into_bytes())
            }
            Self::Noise => Some([&[0xff, 0xfe, 0xfd], n.to_le_bytes().as_slice()].concat()),
            Self::FromTheFuture => {
                body["timestamp"] = json!("2099-01-01T00:00:00Z");
                Some(body.to_string().into_bytes())
            }
            Self::Empty => None,
            Self::Protobuf => {
                let message = messages::Event {
                    user: body["user"].as_str().unwrap().to_owned(),
                    item: body["item"].to_string(),
                    timestamp_ms: i64::try_from((BEGINNING + n) * 1000).unwrap(),
                    ..messages::Event::default()
                };
                Some(message.encode_to_vec())
            }
        }
    }

    fn reason(self) -> &'static str {
        match self {
            Self::Cut | Self::Noise | Self::Protobuf => "bad_json",
            Self::WithoutItem => "missing_field",
            Self::FromTheFuture => "timestamp_in_future",
            Self::Empty => "empty_value",
        }
    }
}

async fn send(kafka: &Kafka, count: u64) {
    let (producer, topic) = (kafka.producer(), &kafka.settings.kafka.events_topic);
    for from in (0..count).step_by(usize::try_from(AT_ONCE).unwrap()) {
        let sent = (from..count.min(from + AT_ONCE)).map(|n| {
            let good = || Some(event("streamed", n, STREAMED_USERS).to_string().into_bytes());
            let payload = Damage::of(n).map_or_else(good, |damage| damage.value(n));
            let key = Some(n.to_string().into_bytes());
            producer.send(OutRecord { topic: topic.as_str().into(), key, payload, headers: Vec::new() })
        });
        for delivery in join_all(sent).await {
            delivery.unwrap();
        }
    }
}

/// Reads so many dead letters and holds each against what was sent; how many there are of each number.
async fn read(letters: &mut Follower, count: usize) -> BTreeMap<u64, u32> {
    let mut found = BTreeMap::new();
    for _ in 0..count {
        let letter = letters.next("a dead letter").await;
        let n: u64 = std::str::from_utf8(letter.key.as_deref().unwrap()).unwrap().parse().unwrap();
        let damage = Damage::of(n).unwrap_or_else(|| panic!("record {n} was good"));
        assert_eq!(letter.payload, damage.value(n), "byte for byte");
        let reason = std::str::from_utf8(letter.header("dlq.reason").unwrap()).unwrap();
        assert!(reason.starts_with(damage.reason()), "{n}: {reason}");
        *found.entry(n).or_default() += 1;
    }
    found
}

/// Waits until all is read, and holds the histories against the numbers that `there` says.
async fn holds(ouzel: &Ouzel, count: u64, there: impl Fn(u64) -> bool) {
    let wanted = (0..count).filter(|&n| there(n)).count();
    let all = |state: &Value| {
        let (events, lag) = (state["events"]["events"].as_u64()?, state.pointer("/kafka/events/lag")?.as_u64()?);
        (events >= wanted as u64 && lag == 0).then_some(events)
    };
    assert_eq!(ouzel.until("all good records", "/state", all).await, wanted as u64);
    for user in 0..STREAMED_USERS {
        let mut found = history(ouzel, &format!("streamed-{user}")).await;
        // Of one user they come over several partitions.
        found.sort_unstable();
        let own: Vec<u64> = (0..count).filter(|&n| n % STREAMED_USERS == user && there(n)).collect();
        assert_eq!(found, own, "user {user}");
    }
}

/// `ouzel dead-letters` with these arguments; what it answers.
fn command(ouzel: &Ouzel, folder: &Path, arguments: &[&str]) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ouzel"));
    command.arg("dead-letters").args(arguments).args(["--json", "--url", &ouzel.url]).current_dir(folder);
    let done = alone(|| command.output()).unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_damaged_record_among_many_is_a_dead_letter_and_no_good_one_is_lost() {
    let count = u64::from(rounds("OUZEL_TEST_LETTERS", 20)) * 1000;
    let (kafka, folder) = (Kafka::new(), tempfile::tempdir().unwrap());
    let topic = format!("{}.dlq", kafka.settings.kafka.events_topic);
    let settings = [("OUZEL__KAFKA__EVENTS_FORMAT", "json"), ("OUZEL__SCHEDULE__ON_START", "false")];
    // Each dead letter is a line.
    let quiet = [settings[0], settings[1], ("OUZEL__TELEMETRY__LOG", "error")];
    let data = folder.path().join("data");
    let ouzel = kafka.ouzel_with(&data, &quiet);
    ouzel.ready().await;
    let begun = std::time::Instant::now();
    send(&kafka, count).await;
    let is_good = |n| Damage::of(n).is_none();
    holds(&ouzel, count, is_good).await;
    let took = begun.elapsed();
    let damaged: Vec<u64> = (0..count).filter(|&n| !is_good(n)).collect();
    let mut letters = kafka.follow(&topic);
    let found = read(&mut letters, damaged.len()).await;
    assert_eq!(found.into_iter().collect::<Vec<_>>(), damaged.iter().map(|&n| (n, 1)).collect::<Vec<_>>());
    let listed = command(&ouzel, folder.path(), &["list", "--limit", "5", "--reason", "timestamp_in_future"]);
    let listed = listed["dead_letters"].as_array().unwrap();
    assert!(listed.len() == 5 && listed.iter().all(|letter| letter["replayed"] == false), "{listed:?}");
    assert!(ouzel.stop().success());

    // The fix: the service is told to read both formats. What is damaged comes back, what was not is there now.
    let ouzel = kafka.ouzel_with(&data, &quiet[1..]);
    ouzel.ready().await;
    let replayed = command(&ouzel, folder.path(), &["replay"]);
    assert_eq!(replayed["replayed"], damaged.len(), "{replayed}");
    let is_there = |n| Damage::of(n).is_none_or(|damage| damage == Damage::Protobuf);
    let still: Vec<u64> = (0..count).filter(|&n| !is_there(n)).collect();
    holds(&ouzel, count, is_there).await;
    for _ in 0..still.len() {
        letters.next("a dead letter that came back").await;
    }
    let waiting = command(&ouzel, folder.path(), &["list", "--limit", "100000", "--waiting"]);
    assert_eq!(waiting["dead_letters"].as_array().unwrap().len(), still.len());
    assert!(ouzel.stop().success());
    tell(&format!(
        "{count} records with {} damaged among them, taken in and set aside within {took:?}; after the fix {} came back",
        damaged.len(),
        still.len()
    ));
}
