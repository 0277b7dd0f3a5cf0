//! Requests that no client of ours would send, as bytes on a real connection.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use actix_web::web;
use serde_json::Value;

use crate::http::server::{bind, serve};
use crate::http::testing::service;
use crate::settings::Secret;

/// An answer taken apart: status, head in lower case, body.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

/// Sends bytes on a fresh connection and reads until the other side closes it.
async fn exchange(address: SocketAddr, request: Vec<u8>) -> Answer {
    let answer = web::block(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream.write_all(&request).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8(answer).unwrap()
    });
    let answer = answer.await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head: {answer:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_lowercase(), body: body.to_owned() }
}

/// A head with the connection's end in it, and a body.
fn request(line: &str, headers: &[&[u8]], body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{line}\r\nConnection: close\r\n").into_bytes();
    for header in headers {
        bytes.extend_from_slice(header);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body);
    bytes
}

#[actix_web::test]
async fn malformed_heads_are_refused() {
    let service = service(|settings| {
        (settings.server.port, settings.server.workers) = (0, 1);
        settings.auth.keys = ["read:r", "ingest:i"].map(Secret::new).to_vec();
    });
    let running = serve(service.clone(), bind(&service.parts.settings.server).unwrap(), None).unwrap();
    let (address, stopper) = (running.address(), running.stopper());
    let server = actix_web::rt::spawn(running.run());

    const HOST: &[u8] = b"Host: x";
    const READ: &[u8] = b"X-API-Key: r";
    const INGEST: &[u8] = b"X-API-Key: i";
    const CHUNKED: &[u8] = b"Transfer-Encoding: chunked";
    type Case<'a> = (&'a str, &'a [&'a [u8]], &'a [u8], u16);
    let reached: [Case; 17] = [
        ("GET /recommend?user=u HTTP/1.1", &[HOST, b"X-API-Key: \xff\xfe"], b"", 401),
        ("GET /recommend?user=u HTTP/1.1", &[HOST, b"Authorization: Bearer \xc3\x28"], b"", 401),
        ("GET /recommend?user=u HTTP/1.1", &[HOST, b"Authorization:"], b"", 401),
        ("GET /recommend?n=0 HTTP/1.1", &[b"Host: \xff", READ, b"traceparent: \xff", b"Origin: \xff"], b"", 400),
        ("GET /recommend?%00=1 HTTP/1.1", &[HOST, READ], b"", 400),
        ("GET /v1/recommend/%zz?n=0 HTTP/1.1", &[HOST, READ], b"", 400),
        ("GET /v1/versions/%ff HTTP/1.1", &[HOST, READ], b"", 400),
        ("GET //recommend HTTP/1.1", &[HOST, READ], b"", 404),
        ("GET /../../etc/passwd HTTP/1.1", &[HOST, READ], b"", 404),
        ("GET http://elsewhere/nothing HTTP/1.1", &[HOST, READ], b"", 404),
        ("OPTIONS * HTTP/1.1", &[HOST, READ], b"", 404),
        ("BREW /recommend HTTP/1.1", &[HOST, READ], b"", 405),
        ("POST /v1/events HTTP/1.1", &[HOST, INGEST, b"Content-Type: \xff", b"Content-Length: 2"], b"{}", 415),
        ("POST /v1/events HTTP/1.1", &[HOST, INGEST, b"Content-Encoding: \xff", b"Content-Length: 2"], b"{}", 415),
        ("POST /v1/events HTTP/1.1", &[HOST, INGEST, CHUNKED], b"zz\r\n{}\r\n0\r\n\r\n", 400),
        ("POST /v1/events HTTP/1.1", &[HOST, INGEST, b"Content-Length: 20"], b"{\"user\":1", 400),
        ("GET /recommend?user=u HTTP/1.0", &[b"X-Request-ID: \xff"], b"", 401),
    ];
    for (line, headers, body, status) in reached {
        let answer = exchange(address, request(line, headers, body)).await;
        assert_eq!(answer.status, status, "{line} {headers:?}: {}", answer.body);
        assert!(answer.head.contains("content-type: application/problem+json"), "{line}: {}", answer.head);
        let problem: Value = serde_json::from_str(&answer.body).unwrap();
        let id = problem["request_id"].as_str().unwrap();
        assert!(answer.head.contains(&format!("x-request-id: {id}")), "{line}: {}", answer.head);
    }

    // What actix cannot read as a request at all it answers by itself, without a body, and ends the connection.
    let unread: [(&str, &[&[u8]]); 8] = [
        ("GET /recommend?user=u HTTP/9.9", &[HOST]),
        ("GET /recommend?user=u", &[HOST]),
        ("GET /recommend?user=u HTTP/1.1", &[]),
        ("GET /recommend?user=u HTTP/1.1", &[HOST, HOST]),
        ("GET /recommend?user=u HTTP/1.1", &[HOST, b"X-Name\x01: v"]),
        ("GET /recommend?user=u HTTP/1.1", &[HOST, b"X-Name: \x00"]),
        ("POST /v1/events HTTP/1.1", &[HOST, b"Content-Length: 1", b"Content-Length: 2"]),
        ("POST /v1/events HTTP/1.1", &[HOST, CHUNKED, b"Content-Length: 2"]),
    ];
    for (line, headers) in unread {
        let answer = exchange(address, request(line, headers, b"")).await;
        assert_eq!((answer.status, answer.body.as_str()), (400, ""), "{line} {headers:?}");
    }
    stopper.drain().await;
    server.await.unwrap().unwrap();
}
