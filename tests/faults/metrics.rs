//! What `/metrics` tells of what came and went over Kafka.

use serde_json::json;

use crate::kafka::{Kafka, record};

#[tokio::test]
async fn events_dead_letters_and_replies_are_counted() {
    let kafka = Kafka::new();
    let folder = tempfile::tempdir().unwrap();
    let ouzel = kafka.ouzel(&folder.path().join("data"));
    ouzel.ready().await;
    let (names, producer) = (&kafka.settings.kafka, kafka.producer());
    for value in ["{no json", "{\"user\":1}", "[{\"user\":1,\"item\":\"a\"},{\"user\":2,\"item\":\"a\"}]"] {
        producer.send(record(&names.events_topic, "k", value, &[])).await.unwrap();
    }
    for ask in ["{\"user\":1}", "{\"user\":2}", "{\"n\":0}"] {
        producer.send(record(&names.requests_topic, "k", ask, &[])).await.unwrap();
    }
    ouzel.until_figure("ouzel_kafka_requests_answered_total", |count| count == 2.0).await;
    ouzel.until_figure("ouzel_events_total{source=\"kafka\"}", |count| count == 2.0).await;
    let letter =
        |topic: &str, reason: &str| format!("ouzel_dead_letters_total{{topic=\"{topic}\",reason=\"{reason}\"}}");
    ouzel.until_figure(&letter(&names.events_topic, "bad_json"), |count| count == 1.0).await;
    ouzel.until_figure(&letter(&names.events_topic, "missing_field"), |count| count == 1.0).await;
    ouzel.until_figure(&letter(&names.requests_topic, "out_of_range"), |count| count == 1.0).await;
    ouzel.until_figure("ouzel_event_visible_seconds_count", |count| count == 2.0).await;
    let figures = ouzel.figures().await;
    assert_eq!(figures["ouzel_kafka_request_duration_seconds_count"], 2.0);
    assert!(figures["ouzel_kafka_request_duration_seconds_sum"] > 0.0);
    assert_eq!(figures["ouzel_events_total{source=\"http\"}"], 0.0);
    assert_eq!(figures["ouzel_kafka_connected"], 1.0);
}

#[tokio::test]
async fn a_reader_that_stands_still_shows_by_the_age_of_what_it_holds() {
    let kafka = Kafka::new();
    let folder = tempfile::tempdir().unwrap();
    let stands = [("FAILPOINTS", "reader.take_in=1*off->1*sleep(4000)->off")];
    let ouzel = kafka.ouzel_with(&folder.path().join("data"), &stands);
    ouzel.ready().await;
    let (names, producer) = (&kafka.settings.kafka, kafka.producer());
    let event = json!({ "user": 1, "item": "a" }).to_string();
    let lag = |partition| {
        let topic = &names.events_topic;
        format!("kafka_consumergroup_group_lag_seconds{{topic=\"{topic}\",partition=\"{partition}\"}}")
    };
    producer.send(record(&names.events_topic, "k", event.clone(), &[])).await.unwrap();
    ouzel.until_figure("ouzel_events_total{source=\"kafka\"}", |count| count == 1.0).await;
    for partition in 0..3 {
        ouzel.until_figure(&lag(partition), |seconds| seconds == 0.0).await;
    }
    producer.send(record(&names.events_topic, "k", event, &[])).await.unwrap();
    let late = async |partition| ouzel.until_figure(&lag(partition), |seconds| seconds > 1.5).await;
    let (waited, ..) = futures_util::future::select_all((0..3).map(|n| Box::pin(late(n)))).await;
    assert!(waited < 60.0, "{waited}");
    ouzel.until_figure("ouzel_events_total{source=\"kafka\"}", |count| count == 2.0).await;
    for partition in 0..3 {
        ouzel.until_figure(&lag(partition), |seconds| seconds == 0.0).await;
    }
    ouzel.until_figure("ouzel_event_visible_seconds_sum", |seconds| seconds > 3.0).await;
}
