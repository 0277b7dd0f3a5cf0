//! Traces as a collector gets them: from a request, or a record, to its reply.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use parking_lot::Mutex;
use prost::Message;
use serde_json::{Value, json};

use crate::harness::Ouzel;
use crate::kafka::{Kafka, record};

/// What is read of OTLP's request for spans, by its field numbers.
#[derive(Clone, PartialEq, Message)]
struct Export {
    #[prost(message, repeated, tag = "1")]
    resources: Vec<Resource>,
}

#[derive(Clone, PartialEq, Message)]
struct Resource {
    #[prost(message, repeated, tag = "2")]
    scopes: Vec<Scope>,
}

#[derive(Clone, PartialEq, Message)]
struct Scope {
    #[prost(message, repeated, tag = "2")]
    spans: Vec<Span>,
}

#[derive(Clone, PartialEq, Message)]
struct Span {
    #[prost(bytes = "vec", tag = "1")]
    trace: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    id: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    parent: Vec<u8>,
    #[prost(string, tag = "5")]
    name: String,
    #[prost(int32, tag = "6")]
    kind: i32,
    #[prost(fixed64, tag = "7")]
    begun: u64,
    #[prost(fixed64, tag = "8")]
    ended: u64,
    #[prost(message, repeated, tag = "9")]
    attributes: Vec<Attribute>,
}

#[derive(Clone, PartialEq, Message)]
struct Attribute {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, tag = "2")]
    value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct AnyValue {
    #[prost(string, optional, tag = "1")]
    text: Option<String>,
    #[prost(int64, optional, tag = "3")]
    number: Option<i64>,
}

impl Span {
    fn attribute(&self, key: &str) -> Value {
        let found = self.attributes.iter().find(|attribute| attribute.key == key);
        let value = found.and_then(|attribute| attribute.value.clone()).unwrap_or_default();
        value.text.map(Value::from).or(value.number.map(Value::from)).unwrap_or_default()
    }
}

/// A collector that keeps what it is sent.
struct Collector {
    url: String,
    spans: Arc<Mutex<Vec<Span>>>,
}

impl Collector {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let spans = Arc::new(Mutex::new(Vec::new()));
        let kept = spans.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let sent = take(&mut stream.unwrap());
                kept.lock().extend(sent.resources.into_iter().flat_map(|of| of.scopes).flat_map(|of| of.spans));
            }
        });
        Self { url, spans }
    }

    fn named(&self, name: &str) -> Vec<Span> {
        self.spans.lock().iter().filter(|span| span.name == name).cloned().collect()
    }
}

/// One request for spans, answered.
fn take(stream: &mut TcpStream) -> Export {
    let mut bytes = Vec::new();
    let head = loop {
        let mut part = [0; 4096];
        let count = stream.read(&mut part).unwrap();
        bytes.extend_from_slice(&part[..count]);
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let text = String::from_utf8(bytes[..head].to_ascii_lowercase()).unwrap();
    assert!(text.starts_with("post /v1/traces "), "{text}");
    let (_, length) = text.split_once("content-length: ").unwrap();
    let length: usize = length.split_once('\r').unwrap().0.parse().unwrap();
    let mut rest = vec![0; head + length - bytes.len()];
    stream.read_exact(&mut rest).unwrap();
    bytes.extend(rest);
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
    Export::decode(&bytes[head..]).unwrap()
}

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";

#[tokio::test]
async fn a_request_and_a_record_are_traced_to_their_replies() {
    let (collector, kafka) = (Collector::start(), Kafka::new());
    let folder = tempfile::tempdir().unwrap();
    let settings =
        [("OUZEL__TELEMETRY__OTLP_ENDPOINT", collector.url.as_str()), ("OUZEL__TELEMETRY__TRACE_SHARE", "0")];
    let ouzel = kafka.ouzel_with(&folder.path().join("data"), &settings);
    ouzel.ready().await;
    let context = format!("00-{TRACE}-{CALLER}-01");
    let ask = reqwest::Client::new().get(format!("{}/recommend?user=1", ouzel.url));
    let answer = ask.header("traceparent", &context).header("x-request-id", "mine").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    // Nobody traces this one, and none is drawn.
    assert_eq!(ouzel.get("/v1/popular").await.0, 200);
    let (names, producer) = (&kafka.settings.kafka, kafka.producer());
    let asks = record(&names.requests_topic, "1", "{\"user\":1}", &[("traceparent", &context)]);
    producer.send(asks).await.unwrap();
    let reply = kafka.follow(&names.replies_topic).next("the reply").await;
    assert!(ouzel.stop().success());

    let served = collector.named("GET /recommend");
    assert_eq!(served.len(), 1, "{served:?}");
    let span = &served[0];
    assert_eq!((hex::encode(&span.trace), hex::encode(&span.parent), span.kind), (TRACE.into(), CALLER.into(), 2));
    assert_eq!(span.attribute("http.route"), "/recommend");
    assert_eq!(span.attribute("http.response.status_code"), 200);
    assert_eq!(span.attribute("ouzel.request_id"), "mine");
    assert!(span.ended > span.begun);

    let processed = collector.named(&format!("process {}", names.requests_topic));
    assert_eq!(processed.len(), 1, "{processed:?}");
    let span = &processed[0];
    assert_eq!((hex::encode(&span.trace), hex::encode(&span.parent), span.kind), (TRACE.into(), CALLER.into(), 5));
    assert_eq!(span.attribute("messaging.kafka.offset"), 0);
    let carried = String::from_utf8(reply.header("traceparent").unwrap().to_vec()).unwrap();
    assert_eq!(carried, format!("00-{TRACE}-{}-01", hex::encode(&span.id)));
    assert_eq!(collector.spans.lock().len(), 2);
}

#[tokio::test]
async fn a_collector_that_is_away_costs_no_answer() {
    let folder = tempfile::tempdir().unwrap();
    let nobody = [("OUZEL__TELEMETRY__OTLP_ENDPOINT", "http://127.0.0.1:1")];
    let ouzel = Ouzel::start(&folder.path().join("data"), &nobody);
    ouzel.ready().await;
    assert_eq!(ouzel.post("/v1/events", &json!({ "user": 1, "item": "a" })).await.0, 200);
    for _ in 0..50 {
        assert_eq!(ouzel.get("/recommend?user=2").await.1["items"][0]["id"], "a");
    }
    assert!(ouzel.stop().success());
}
