//! More than it can take, of events and of questions: some are sent away with a word on when to come again, memory stays
//! within its bounds, whoever looks after the service is answered, and afterwards it catches up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::harness::Ouzel;
use crate::kafka::{Kafka, record};
use crate::{rounds, tell};

/// Small bounds and questions that cost something, so that two cores overload it.
const SETTINGS: [(&str, &str); 7] = [
    ("OUZEL__SERVER__WORKERS", "1"),
    ("OUZEL__SERVING__REUSE", "false"),
    ("OUZEL__SERVER__MAX_WAIT", "50ms"),
    ("OUZEL__SERVER__BODY_BUDGET", "8388608"),
    ("OUZEL__SERVER__BODY_LIMIT", "1048576"),
    ("OUZEL__INGEST__QUEUE", "4"),
    ("OUZEL__TRAINING__BUDGET", "1s"),
];

/// What may be held beside what is kept of events and models: bodies being read, batches on their way, what the client of
/// Kafka has read ahead, fjall's tables in memory. docs/operate.md says how it comes about.
const BOUND: f64 = (256 << 20) as f64;

/// Events in a body or record.
const BATCH: u64 = 100;

/// Requests of one sender that are on their way at once, at most.
const ON_THEIR_WAY: usize = 400;

/// What became of what was sent.
#[derive(Default)]
struct Counts {
    sent: AtomicU64,
    taken: AtomicU64,
    refused: AtomicU64,
}

/// Numbers events apart.
static NEXT: AtomicU64 = AtomicU64::new(0);

fn batch() -> Value {
    let from = NEXT.fetch_add(BATCH, Ordering::Relaxed);
    let event = |n: u64| json!({ "user": n % 5003, "item": n % 509, "timestamp": 1_750_000_000 + n % 1_000_000 });
    (from..from + BATCH).map(event).collect()
}

/// Sends what `ask` makes of the client, so many a second, whatever becomes of those before.
async fn offer(
    rate: f64,
    span: Duration,
    counts: Arc<Counts>,
    ask: impl Fn(&reqwest::Client) -> reqwest::RequestBuilder,
) {
    let http = reqwest::Client::builder().timeout(Duration::from_secs(60)).build().unwrap();
    let on_their_way = Arc::new(Semaphore::new(ON_THEIR_WAY));
    let begun = Instant::now();
    while begun.elapsed() < span {
        let due = (begun.elapsed().as_secs_f64() * rate) as u64;
        while counts.sent.load(Ordering::Relaxed) < due
            && let Ok(permit) = on_their_way.clone().try_acquire_owned()
        {
            counts.sent.fetch_add(1, Ordering::Relaxed);
            let (request, counts) = (ask(&http), counts.clone());
            tokio::spawn(async move {
                let answer = request.send().await.unwrap();
                let status = answer.status();
                if status == 200 {
                    counts.taken.fetch_add(1, Ordering::Relaxed);
                } else {
                    assert!([429, 503].contains(&status.as_u16()), "{status}");
                    assert!(answer.headers().contains_key("retry-after"), "{status} says when to come again");
                    counts.refused.fetch_add(1, Ordering::Relaxed);
                }
                answer.bytes().await.unwrap();
                drop(permit);
            });
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // A task that failed has dropped its permit too: the counts tell.
    let _all = on_their_way.acquire_many(ON_THEIR_WAY as u32).await.unwrap();
    let (sent, taken, refused) = counts.each();
    assert_eq!(sent, taken + refused, "each has an answer");
}

impl Counts {
    fn each(&self) -> (u64, u64, u64) {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (of(&self.sent), of(&self.taken), of(&self.refused))
    }
}

/// Sends as fast as answers come, by so many at once; how many a second were taken.
async fn most(at_once: usize, ask: impl Fn(&reqwest::Client) -> reqwest::RequestBuilder + Clone) -> f64 {
    let (span, http) = (Duration::from_secs(3), reqwest::Client::new());
    let begun = Instant::now();
    let one = || {
        let (ask, http) = (ask.clone(), http.clone());
        async move {
            let mut taken = 0_u64;
            while begun.elapsed() < span {
                let answer = ask(&http).send().await.unwrap();
                taken += u64::from(answer.status() == 200);
                answer.bytes().await.unwrap();
            }
            taken
        }
    };
    let taken = futures_util::future::join_all((0..at_once).map(|_| one())).await;
    taken.iter().sum::<u64>() as f64 / begun.elapsed().as_secs_f64()
}

/// Bytes that the process holds beside what it keeps on purpose.
fn beside(state: &Value) -> f64 {
    let bytes = |part: &str| state["memory"][part].as_f64().unwrap_or_default();
    let kept = ["histories_bytes", "catalogue_bytes", "model_bytes", "kept_lists_bytes"];
    bytes("resident_bytes") - kept.iter().map(|part| bytes(part)).sum::<f64>()
}

/// What somebody who looks after the service sees meanwhile.
struct Watch {
    stop: Arc<AtomicBool>,
    looks: JoinHandle<(f64, Duration, u32)>,
}

impl Watch {
    fn begin(ouzel: &Ouzel) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        Self { looks: tokio::spawn(look(ouzel.url.clone(), stop.clone())), stop }
    }

    /// The most bytes beside what is kept, the longest wait for an answer, and how often it looked.
    async fn end(self) -> (f64, Duration, u32) {
        self.stop.store(true, Ordering::Relaxed);
        self.looks.await.unwrap()
    }
}

async fn look(url: String, stop: Arc<AtomicBool>) -> (f64, Duration, u32) {
    let http = reqwest::Client::builder().timeout(Duration::from_secs(10)).build().unwrap();
    let (mut most, mut longest, mut looks) = (0.0_f64, Duration::ZERO, 0);
    while !stop.load(Ordering::Relaxed) {
        for path in ["/health/live", "/health/ready", "/metrics", "/state"] {
            let begun = Instant::now();
            let answer = http.get(format!("{url}{path}")).send().await.unwrap();
            assert_eq!(answer.status(), 200, "{path} answers all along");
            longest = longest.max(begun.elapsed());
            let body = answer.bytes().await.unwrap();
            if path == "/state" {
                most = most.max(beside(&serde_json::from_slice(&body).unwrap()));
            }
        }
        looks += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    (most, longest, looks)
}

/// Puts so many records a second on the topic of events; how many.
async fn stream(kafka: &Kafka, rate: f64, span: Duration) -> u64 {
    let (producer, topic) = (kafka.producer(), &kafka.settings.kafka.events_topic);
    // The embedded broker throws away what is beyond 5 MiB of a partition, read or not: no more than it keeps.
    let body = batch().to_string().len() as u64;
    let most = kafka.embedded.as_ref().map_or(u64::MAX, |_| 3 * (3 << 20) / body);
    let (begun, mut sent) = (Instant::now(), 0_u64);
    while begun.elapsed() < span {
        let due = ((begun.elapsed().as_secs_f64() * rate) as u64).min(most);
        let records = (sent..due).map(|n| producer.send(record(topic, &n.to_string(), batch().to_string(), &[])));
        for delivery in futures_util::future::join_all(records).await {
            delivery.unwrap();
        }
        sent = due.max(sent);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    sent
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_than_it_can_take_is_sent_away_and_caught_up_with() {
    let span = Duration::from_secs(u64::from(rounds("OUZEL_TEST_OVERLOAD", 8)));
    let (kafka, folder) = (Kafka::new(), tempfile::tempdir().unwrap());
    let ouzel = kafka.ouzel_with(&folder.path().join("data"), &SETTINGS);
    ouzel.ready().await;
    let url = ouzel.url.clone();
    let post = move |http: &reqwest::Client| http.post(format!("{url}/v1/events")).json(&batch());
    let url = ouzel.url.clone();
    let get = move |http: &reqwest::Client| {
        let user = NEXT.fetch_add(1, Ordering::Relaxed) % 5003;
        http.get(format!("{url}/recommend?user={user}&n=20"))
    };
    let taken_before = (0..50).map(|_| batch()).collect::<Vec<_>>();
    for batch in &taken_before {
        // Whoever is sent away comes again: on a busy machine one late moment is over so small a bound.
        while ouzel.post("/v1/events", batch).await.0 == 503 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    ouzel.until("a version", "/state", |state| state["live"]["version"].as_u64()).await;

    let at_once = 4;
    let (events, questions) = (most(at_once, post.clone()).await, most(8, get.clone()).await);
    let held = beside(&ouzel.get("/state").await.1);
    let known = ouzel.get("/state").await.1["events"]["events"].as_u64().unwrap();

    // Events at twice that rate, over HTTP and over Kafka.
    let watch = Watch::begin(&ouzel);
    let posted = Arc::new(Counts::default());
    let (streamed, ()) =
        tokio::join!(stream(&kafka, events * 2.0, span), offer(events * 2.0, span, posted.clone(), post));
    let (sent, taken, refused) = posted.each();
    let total = known + (streamed + taken) * BATCH;
    let begun = Instant::now();
    let all = |state: &Value| {
        let there = state["events"]["events"].as_u64()? >= total && state.pointer("/kafka/events/lag")? == 0;
        there.then(|| state["events"]["events"].clone())
    };
    assert_eq!(ouzel.until("an end of the lag", "/state", all).await, total, "what was taken, and nothing else");
    let (most_held, longest, looks) = watch.end().await;
    tell(&format!(
        "{:.0} events a second taken; at twice that over HTTP ({sent} bodies, {taken} taken, {refused} refused) and over \
         Kafka ({streamed} records) for {span:?}: caught up {:?} later, {looks} looks, the slowest {longest:?}, \
         at most {:.0} MiB more than before",
        events * BATCH as f64,
        begun.elapsed(),
        (most_held - held) / f64::from(1 << 20)
    ));
    assert!(refused > 0, "{sent} were no more than it can take");
    assert!(most_held < held + BOUND, "{most_held} bytes beside what is kept, {held} before");

    // Questions at five times what it answers.
    let watch = Watch::begin(&ouzel);
    let asked = Arc::new(Counts::default());
    offer(questions * 5.0, span, asked.clone(), get).await;
    let (sent, taken, refused) = asked.each();
    let (most_held, longest, looks) = watch.end().await;
    tell(&format!(
        "{questions:.0} questions a second answered; of {:.0} a second {taken} were answered and {refused} sent away, \
         {looks} looks, the slowest {longest:?}, at most {:.0} MiB more than before",
        sent as f64 / span.as_secs_f64(),
        (most_held - held) / f64::from(1 << 20)
    ));
    assert!(taken > 0 && refused > 0, "of {sent} questions {taken} were answered and {refused} sent away");
    assert!(most_held < held + BOUND, "{most_held} bytes beside what is kept, {held} before");
    ouzel.until("an answer", "/recommend?user=1", |list| list["items"].as_array().map(|_| ())).await;
    assert!(ouzel.stop().success());
}
