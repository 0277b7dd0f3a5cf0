//! SIGTERM under load: whatever was taken in is answered, what was acknowledged is there and no more, and nobody is let in
//! afterwards.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Ouzel, PATIENCE, shop};

/// Connections that stay open and ask without pause.
const CLIENTS: u64 = 8;

/// What one connection saw.
#[derive(Debug, Default)]
struct Seen {
    answered: u64,
    /// Numbers of the events that were acknowledged.
    acknowledged: Vec<u64>,
    /// Answers that a request got other than 200.
    turned_away: u64,
    /// Requests that met the closing of a connection that was at rest: nobody read them, and a caller sends them again. An
    /// event among them must not have been taken in.
    not_taken: u64,
    /// Answers that broke off.
    broken: u64,
}

/// One answer: its status, and whether the connection closes behind it; none where it ended before the first byte.
fn answer(stream: &mut TcpStream) -> Result<Option<(u16, bool)>, String> {
    let (mut bytes, mut part) = (Vec::new(), [0; 16 * 1024]);
    loop {
        let mut headers = [httparse::EMPTY_HEADER; 48];
        let mut response = httparse::Response::new(&mut headers);
        if let httparse::Status::Complete(head) = response.parse(&bytes).map_err(|error| error.to_string())? {
            let header = |name: &str| {
                let found = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
                found.map(|header| std::str::from_utf8(header.value).unwrap().to_ascii_lowercase())
            };
            let length: usize = header("content-length").expect("an answer with a length").parse().unwrap();
            if bytes.len() >= head + length {
                let closes = header("connection").is_some_and(|value| value == "close");
                return Ok(Some((response.code.unwrap(), closes)));
            }
        }
        match stream.read(&mut part) {
            Ok(0) | Err(_) if bytes.is_empty() => return Ok(None),
            Ok(0) => return Err("an answer broke off".to_owned()),
            Ok(count) => bytes.extend_from_slice(&part[..count]),
            Err(error) => return Err(format!("an answer broke off: {error}")),
        }
    }
}

/// Asks and sends events over one connection until it is closed.
fn client(address: &str, number: u64, begun: &AtomicU64) -> Seen {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut seen = Seen::default();
    for n in 0.. {
        let event = number * 1_000_000 + n;
        let sends = n % 2 == 0;
        let request = if sends {
            let body =
                json!({ "id": format!("sent-{event}"), "user": format!("sent-{number}"), "item": "1" }).to_string();
            let head = "POST /v1/events HTTP/1.1\r\nhost: ouzel\r\ncontent-type: application/json\r\ncontent-length";
            format!("{head}: {}\r\n\r\n{body}", body.len())
        } else {
            format!("GET /recommend?user={}&n=10 HTTP/1.1\r\nhost: ouzel\r\n\r\n", n % 400)
        };
        if stream.write_all(request.as_bytes()).is_err() {
            return seen;
        }
        match answer(&mut stream) {
            Ok(Some((status, closes))) => {
                seen.answered += 1;
                begun.fetch_add(1, Ordering::Relaxed);
                match status {
                    200 if sends => seen.acknowledged.push(event),
                    200 => {}
                    503 => seen.turned_away += 1,
                    other => panic!("status {other}"),
                }
                if closes {
                    return seen;
                }
            }
            Ok(None) => {
                seen.not_taken += 1;
                return seen;
            }
            Err(_) => {
                seen.broken += 1;
                return seen;
            }
        }
    }
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_under_load_loses_no_answer() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let ouzel = Ouzel::start(&data, &[("OUZEL__TRAINING__CANDIDATES", "popular,ease")]);
    ouzel.ready().await;
    assert_eq!(ouzel.post("/v1/events", &json!(shop(0, 2000))).await.0, 200);
    ouzel.until("a version", "/state", |state| state["live"]["version"].as_u64()).await;

    let address = ouzel.url.strip_prefix("http://").unwrap().to_owned();
    let begun = Arc::new(AtomicU64::new(0));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let (address, begun) = (address.clone(), begun.clone());
            std::thread::spawn(move || client(&address, number, &begun))
        })
        .collect();
    let loaded = std::time::Instant::now();
    while begun.load(Ordering::Relaxed) < 50 * CLIENTS {
        assert!(loaded.elapsed() < PATIENCE, "the clients hardly ask");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let status = tokio::task::spawn_blocking(move || ouzel.stop()).await.unwrap();
    let seen: Vec<Seen> = clients.into_iter().map(|client| client.join().unwrap()).collect();
    assert_eq!(status.code(), Some(0), "{seen:?}");
    assert!(TcpStream::connect(&address).is_err(), "nobody listens any more");
    for one in &seen {
        assert_eq!(one.broken, 0, "{one:?}");
        assert!(one.answered > 0 && one.not_taken <= 1, "{one:?}");
    }

    let ouzel = Ouzel::start(&data, &[]);
    ouzel.ready().await;
    for (number, one) in (0_u64..).zip(&seen) {
        let (_, history) = ouzel.get(&format!("/v1/users/sent-{number}")).await;
        let kept = history["events"].as_array().map_or(0, Vec::len);
        assert_eq!(
            kept,
            one.acknowledged.len(),
            "of {number}: what is there was acknowledged, and the other way round"
        );
    }
    let state: Value = ouzel.get("/state").await.1;
    let all: usize = seen.iter().map(|one| one.acknowledged.len()).sum();
    assert_eq!(state["events"]["events"], 2000 + all);
}
