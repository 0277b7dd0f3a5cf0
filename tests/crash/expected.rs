//! What must be there after any kill, computed from what was sent.

use std::collections::BTreeSet;
use std::path::Path;

use chrono::DateTime;
use ouzel::store::artifacts::Artifacts;
use ouzel::store::log::{EventLog, LogOptions, verify};
use ouzel::store::versions::VersionStore;

use crate::harness::Ouzel;
use crate::kafka::Kafka;
use crate::load::{BEGINNING, POSTED_USERS, STREAMED_USERS, Sent, request};

/// Requests sent after everything, to see where the group stands.
const AFTER: u64 = 30;

/// Every event is there once, under its user and in its order.
pub async fn all_applied(ouzel: &Ouzel, sent: Sent) {
    let total = sent.streamed + sent.posted;
    ouzel.until("the last event", "/state", |state| (state["events"]["events"].as_u64()? >= total).then_some(())).await;
    let ways = [("streamed", STREAMED_USERS, sent.streamed), ("posted", POSTED_USERS, sent.posted)];
    for (way, users, count) in ways {
        for user in 0..users {
            let found = history(ouzel, &format!("{way}-{user}")).await;
            let expected: Vec<u64> = (0..count).filter(|n| n % users == user).collect();
            assert_eq!(found, expected, "{way}-{user}");
        }
    }
    let (_, state) = ouzel.get("/state").await;
    assert_eq!(state["events"]["events"], total, "nothing but what was sent");
}

/// No record of either topic waits.
pub async fn nothing_waits(ouzel: &Ouzel) {
    let lags = ["/kafka/events/lag", "/kafka/requests/lag"];
    let none = |state: &serde_json::Value| lags.iter().all(|lag| state.pointer(lag) == Some(&0.into())).then_some(());
    ouzel.until("an end of the lag", "/state", none).await;
}

/// The numbers of a user's events.
pub async fn history(ouzel: &Ouzel, user: &str) -> Vec<u64> {
    let (_, body) = ouzel.get(&format!("/v1/users/{user}")).await;
    let number = |event: &serde_json::Value| {
        let time = DateTime::parse_from_rfc3339(event["timestamp"].as_str().unwrap()).unwrap().timestamp();
        u64::try_from(time).unwrap() - BEGINNING
    };
    body["events"].as_array().unwrap().iter().map(number).collect()
}

/// What became of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answered {
    /// Replies, those to a request that had one already counted in.
    pub replies: u64,
    /// Requests that were set aside, because they crashed the responder again and again.
    pub dead_letters: u64,
}

/// Every request has a reply, or is a dead letter.
pub async fn all_answered(kafka: &Kafka, sent: Sent) -> Answered {
    answers(kafka, sent, 0).await
}

/// What was answered and committed is not answered again by the next process.
pub async fn none_answered_again(kafka: &Kafka, sent: Sent, before: Answered) {
    let producer = kafka.producer();
    for n in 0..AFTER {
        producer.send(request(kafka, &format!("after-{n}"))).await.unwrap();
    }
    let now = answers(kafka, sent, AFTER).await;
    assert_eq!(now.replies, before.replies + AFTER, "each request is answered once after a clean stop");
}

/// Reads the answers up to the one that makes them complete.
async fn answers(kafka: &Kafka, sent: Sent, after: u64) -> Answered {
    let names = &kafka.settings.kafka;
    let mut topic = kafka.follow(&names.replies_topic);
    let mut set_aside = kafka.follow(&format!("{}{}", names.requests_topic, names.dead_letter_suffix));
    let ids = (0..sent.requests).map(|n| n.to_string()).chain((0..after).map(|n| format!("after-{n}")));
    let known: BTreeSet<String> = ids.collect();
    let mut missing = known.clone();
    let mut answered = Answered { replies: 0, dead_letters: 0 };
    while !missing.is_empty() {
        let record = tokio::select! {
            reply = topic.next("an answer to every request") => {
                answered.replies += 1;
                reply
            }
            letter = set_aside.next("an answer to every request") => {
                assert_eq!(letter.header("dlq.reason"), Some(b"crashed_the_responder".as_slice()));
                answered.dead_letters += 1;
                letter
            }
        };
        let id = String::from_utf8(record.header("correlation-id").unwrap().to_vec()).unwrap();
        assert!(known.contains(&id), "an answer to nothing: {id}");
        missing.remove(&id);
    }
    answered
}

/// What a kill left in the folder: the alias names a version that loads, and so do all that were written to their end.
pub async fn versions_are_whole(data: &Path) {
    let store = VersionStore::new(Artifacts::local(data.join("artifacts")).unwrap(), 10);
    let aliases = store.aliases().await.unwrap();
    let numbers = store.numbers().await.unwrap();
    for version in aliases.live.iter().chain(&aliases.previous) {
        assert!(numbers.contains(version), "an alias names version {version}, there are {numbers:?}");
    }
    for version in numbers {
        store.load(version).await.unwrap();
    }
}

/// The log of a stopped service, read to its last byte, with the offsets that stand in it.
pub fn log_is_whole(data: &Path, sent: Sent) {
    let report = verify(data).unwrap();
    assert!(report.findings.is_empty(), "{:?}", report.findings);
    assert_eq!(report.events, sent.streamed + sent.posted);
    let (log, recovery) = EventLog::open(data, LogOptions::default()).unwrap();
    assert_eq!(recovery.notes(), Vec::<String>::new());
    let reached: i64 = log.offsets().unwrap().iter().map(|offset| offset.next).sum();
    assert_eq!(reached, i64::try_from(sent.streamed).unwrap(), "the offsets are those of the last records");
    let quarantine = data.join("quarantine");
    let kept: Vec<_> =
        std::fs::read_dir(&quarantine).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    assert!(kept.is_empty(), "a kill damages nothing: {kept:?}");
}
