//! The topics as other programs meet them: the original's bytes, dead letters, announcements, a broker that is away.

use ouzel::kafka::codec::messages::{ModelDescriptor, RecommendationReply};
use prost::Message;
use serde_json::{Value, json};

use crate::harness::{Ouzel, alone, shop};
use crate::kafka::{Kafka, record};

async fn with_version(ouzel: &Ouzel) {
    ouzel.ready().await;
    assert_eq!(ouzel.post("/v1/events", &json!(shop(0, 3000))).await.0, 200);
    ouzel.until("the first version", "/state", |state| state["live"]["version"].as_u64()).await;
}

#[tokio::test]
async fn requests_are_answered_in_their_own_format_and_versions_announced() {
    let kafka = Kafka::new();
    let folder = tempfile::tempdir().unwrap();
    let ouzel = kafka.ouzel(&folder.path().join("data"));
    with_version(&ouzel).await;
    let (names, producer) = (&kafka.settings.kafka, kafka.producer());

    // user 25 and products 1 and 2, as any protobuf library writes the original's message.
    let bytes = [0x0a, 2, 1, 2, 0x10, 25];
    producer.send(record(&names.requests_topic, "25", bytes, &[])).await.unwrap();
    let mut replies = kafka.follow(&names.replies_topic);
    let reply = replies.next("the reply in protobuf").await;
    assert_eq!(reply.key.as_deref(), Some(b"25".as_slice()));
    assert_eq!(reply.header("model-version"), Some(b"1".as_slice()));
    let body = RecommendationReply::decode(reply.payload.as_deref().unwrap()).unwrap();
    assert_eq!(body.model, "ouzel 1");
    assert_eq!(body.products.iter().map(|p| (p.product, p.id.as_str())).collect::<Vec<_>>(), [(1, "1"), (2, "2")]);

    let ask = json!({ "user": 21, "n": 4 }).to_string();
    producer.send(record(&names.requests_topic, "21", ask, &[("correlation-id", "mine")])).await.unwrap();
    let reply = replies.next("the reply in JSON").await;
    assert_eq!(reply.header("correlation-id"), Some(b"mine".as_slice()));
    let list: Value = serde_json::from_slice(reply.payload.as_deref().unwrap()).unwrap();
    assert_eq!((list["items"].as_array().unwrap().len(), &list["model"]["version"]), (4, &json!(1)));

    let announced = kafka.follow(&names.models_topic).next("the announcement").await;
    let descriptor = ModelDescriptor::decode(announced.payload.as_deref().unwrap()).unwrap();
    assert!(descriptor.url.ends_with("/v1/models/recommender/versions/1:predict"), "{descriptor:?}");
    // What was announced can be asked there.
    let path = descriptor.url.strip_prefix(&ouzel.url).unwrap();
    let ask = json!({ "signature_name": "", "inputs": { "products": [[1], [2]], "users": [[25], [25]] } });
    let (status, predicted) = ouzel.post(path, &ask).await;
    assert_eq!((status, &predicted["outputs"]["model-version"]), (200, &json!(["1"])), "{predicted}");
}

#[tokio::test]
async fn what_cannot_be_read_is_a_dead_letter_and_the_partition_goes_on() {
    let kafka = Kafka::new();
    let folder = tempfile::tempdir().unwrap();
    let ouzel = kafka.ouzel(&folder.path().join("data"));
    ouzel.ready().await;
    let (names, producer) = (&kafka.settings.kafka, kafka.producer());
    let bad: [&[u8]; 3] = [b"{no json", b"{\"user\":1}", b"\xff\xff\xff"];
    for value in bad {
        producer.send(record(&names.events_topic, "same", value, &[])).await.unwrap();
    }
    let two = json!([{ "user": 1, "item": "a" }, { "user": 1, "item": "b" }]).to_string();
    producer.send(record(&names.events_topic, "same", two, &[])).await.unwrap();
    ouzel.until("the good record", "/state", |state| (state["events"]["events"] == 2).then_some(())).await;

    let mut letters = kafka.follow(&format!("{}.dlq", names.events_topic));
    for value in bad {
        let letter = letters.next("a dead letter").await;
        assert_eq!(letter.payload.as_deref(), Some(value));
        assert_eq!(letter.header("dlq.topic"), Some(names.events_topic.as_bytes()));
        assert!(!letter.header("dlq.reason").unwrap().is_empty());
    }
}

#[tokio::test]
async fn an_actor_of_kafka_that_panics_is_rebuilt_and_leaves_nothing_out() {
    for (point, actor) in [("reader.take_in", "reader"), ("responder.reply", "responder")] {
        let kafka = Kafka::new();
        let folder = tempfile::tempdir().unwrap();
        let fault = format!("{point}=1*panic(on purpose)->off");
        let ouzel = kafka.ouzel_with(&folder.path().join("data"), &[("FAILPOINTS", &fault)]);
        ouzel.ready().await;
        let (names, producer) = (&kafka.settings.kafka, kafka.producer());
        for n in 0..20 {
            let event = json!({ "user": n % 3, "item": n }).to_string();
            producer.send(record(&names.events_topic, "k", event, &[])).await.unwrap();
            let ask = json!({ "user": n }).to_string();
            producer.send(record(&names.requests_topic, "k", ask, &[])).await.unwrap();
        }
        ouzel.until("all events", "/state", |state| (state["events"]["events"] == 20).then_some(())).await;
        let mut replies = kafka.follow(&names.replies_topic);
        let mut places = std::collections::BTreeSet::new();
        while places.len() < 20 {
            places.insert(replies.next("all replies").await.header("correlation-id").unwrap().to_vec());
        }
        assert_eq!(ouzel.actor(actor).await, (1, "running".to_owned()));
    }
}

#[tokio::test]
async fn a_broker_that_is_away_is_said_and_waited_for() {
    let kafka = Kafka::embedded();
    let broker = kafka.embedded.as_ref().unwrap();
    alone(|| broker.set_down(true)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let ouzel = kafka.ouzel(&folder.path().join("data"));
    let degraded = |body: &Value| (body["degraded"] == json!(["kafka"])).then_some(());
    ouzel.until("a word on the broker", "/health/ready", degraded).await;
    assert_eq!(ouzel.post("/v1/events", &json!({ "user": 1, "item": "a" })).await.0, 200);
    assert_eq!(ouzel.get("/recommend?user=2").await.1["items"][0]["id"], "a");

    broker.set_down(false).unwrap();
    let event = json!({ "user": 1, "item": "b" }).to_string();
    kafka.producer().send(record(&kafka.settings.kafka.events_topic, "1", event, &[])).await.unwrap();
    ouzel.until("the event", "/state", |state| (state["events"]["events"] == 2).then_some(())).await;
    ouzel.until("the broker", "/health/ready", |body| (body["degraded"] == json!([])).then_some(())).await;
}
