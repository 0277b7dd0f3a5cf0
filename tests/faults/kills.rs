//! `kill -9` while events and requests come in: nothing lost, nothing twice, every request answered.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::json;

use crate::harness::Ouzel;
use crate::kafka::{Kafka, record};

const EVENTS: u64 = 6000;
const USERS: u64 = 40;
const REQUESTS: u64 = 300;

/// Sends events and requests, a few thousand a second, until all are delivered.
async fn send_all(kafka: &Kafka) {
    let (producer, names) = (kafka.producer(), &kafka.settings.kafka);
    let mut deliveries = Vec::new();
    for n in 0..EVENTS {
        let (user, item) = (n % USERS, n);
        let event = json!({ "user": user, "item": item }).to_string();
        deliveries.push(producer.send(record(&names.events_topic, &user.to_string(), event, &[])));
        if n % (EVENTS / REQUESTS) == 0 {
            let id = (n / (EVENTS / REQUESTS)).to_string();
            let request = json!({ "user": user, "n": 3 }).to_string();
            let headers = [("correlation-id", id.as_str())];
            let request = record(&names.requests_topic, &user.to_string(), request, &headers);
            producer.send(request).await.unwrap();
        }
        if deliveries.len() == 20 {
            for delivery in futures_util::future::join_all(deliveries.drain(..)).await {
                delivery.unwrap();
            }
        }
    }
    for delivery in futures_util::future::join_all(deliveries).await {
        delivery.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_lose_no_event_repeat_none_and_leave_no_request_unanswered() {
    let kills: u32 = std::env::var("OUZEL_TEST_KILLS").map_or(5, |kills| kills.parse().unwrap());
    let kafka = std::sync::Arc::new(Kafka::new());
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut ouzel = kafka.ouzel(&data);
    ouzel.ready().await;
    let sending = {
        let kafka = kafka.clone();
        tokio::spawn(async move { send_all(&kafka).await })
    };

    let mut random = u64::from(std::process::id());
    for _ in 0..kills {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        tokio::time::sleep(Duration::from_millis(50 + (random >> 33) % 500)).await;
        ouzel.kill();
        ouzel = kafka.ouzel(&data);
    }
    sending.await.unwrap();
    all_applied(&ouzel).await;
    all_answered(&kafka).await;
    assert!(ouzel.stop().success());
}

/// Every event is there, once, under its user and in its order.
async fn all_applied(ouzel: &Ouzel) {
    ouzel
        .until("the last event", "/state", |state| (state["events"]["events"].as_u64()? >= EVENTS).then_some(()))
        .await;
    for user in 0..USERS {
        let (_, history) = ouzel.get(&format!("/v1/users/{user}")).await;
        let items: Vec<u64> = history["events"]
            .as_array()
            .unwrap()
            .iter()
            .map(|event| event["item"].as_str().unwrap().parse().unwrap())
            .collect();
        let expected: Vec<u64> = (0..EVENTS).filter(|n| n % USERS == user).collect();
        assert_eq!(items, expected, "user {user}");
    }
}

async fn all_answered(kafka: &Kafka) {
    let mut replies = kafka.follow(&kafka.settings.kafka.replies_topic);
    let mut answered: BTreeMap<String, u32> = BTreeMap::new();
    let expected: BTreeSet<String> = (0..REQUESTS).map(|n| n.to_string()).collect();
    while answered.len() < expected.len() {
        let reply = replies.next("a reply to every request").await;
        let id = String::from_utf8(reply.header("correlation-id").unwrap().to_vec()).unwrap();
        assert!(expected.contains(&id), "a reply to nothing: {id}");
        *answered.entry(id).or_default() += 1;
    }
}
