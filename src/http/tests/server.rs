use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use actix_web::web;

use crate::http::primary::Primary;
use crate::http::server::{bind, serve};
use crate::http::testing::{get, service, service_with};
use crate::http::tls::Identity;
use crate::settings::{Role, Server};

/// Sends bytes and no more on a fresh connection and reads until the other side closes it.
async fn exchange(address: SocketAddr, request: &str) -> String {
    let request = request.to_owned();
    web::block(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    })
    .await
    .unwrap()
}

#[actix_web::test]
async fn a_server_answers_on_a_free_port_and_drains() {
    let service = service(|settings| (settings.server.port, settings.server.workers) = (0, 1));
    let running = serve(service.clone(), bind(&service.parts.settings.server).unwrap(), None).unwrap();
    let (address, stopper) = (running.address(), running.stopper());
    assert_ne!(address.port(), 0);
    let server = actix_web::rt::spawn(running.run());

    let answer = exchange(address, "GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("{\"live\":true}"), "{answer}");
    let head = exchange(address, "HEAD /v1/popular HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.ends_with("\r\n\r\n"), "{head}");

    let taken = bind(&crate::settings::Server { port: address.port(), ..service.parts.settings.server.clone() });
    assert!(taken.unwrap_err().to_string().starts_with(&format!("cannot listen on {address}: ")));

    stopper.drain().await;
    server.await.unwrap().unwrap();
    assert!(TcpStream::connect(address).is_err());
}

#[actix_web::test]
async fn a_body_whose_length_is_over_the_limit_is_refused_before_it_comes() {
    let service = service(|settings| (settings.server.port, settings.server.workers) = (0, 1));
    let running = serve(service.clone(), bind(&service.parts.settings.server).unwrap(), None).unwrap();
    let (address, stopper) = (running.address(), running.stopper());
    let server = actix_web::rt::spawn(running.run());
    for (kind, length) in [("application/json", 1_048_577), ("application/x-ndjson", 67_108_865)] {
        let head = format!(
            "POST /v1/events HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
        );
        let answer = exchange(address, &head).await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        assert!(answer.contains("application/problem+json"), "{answer}");
    }
    stopper.drain().await;
    server.await.unwrap().unwrap();
}

#[actix_web::test]
async fn calls_go_on_to_a_primary_that_speaks_tls() {
    rustls::crypto::ring::default_provider().install_default().ok();
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(place("certificate.pem"), made.cert.pem()).unwrap();
    std::fs::write(place("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let trains = service(|settings| {
        (settings.server.port, settings.server.workers) = (0, 1);
        settings.server.tls_certificate = place("certificate.pem");
        settings.server.tls_key = place("key.pem");
    });
    let server = &trains.parts.settings.server;
    let identity = Identity::read(server).unwrap();
    let running = serve(trains.clone(), bind(server).unwrap(), identity.as_ref()).unwrap();
    let (url, stopper) = (format!("https://{}", running.address()), running.stopper());
    let ended = actix_web::rt::spawn(running.run());

    let asked = async |primary_ca| {
        let server = Server { role: Role::Serve, primary_url: url.clone(), primary_ca, ..server.clone() };
        let answers = service_with(|_| {}, |parts| parts.primary = Some(Primary::of(&server).unwrap()));
        get(&answers, "/v1/schedule").await.problem()["detail"].as_str().unwrap().to_owned()
    };
    let passed_on = get(&trains, "/v1/schedule").await.problem()["detail"].as_str().unwrap().to_owned();
    assert_eq!(asked(place("certificate.pem")).await, passed_on, "the primary's own answer");
    assert!(asked(std::path::PathBuf::new()).await.contains("does not answer"), "nobody vouches for it");
    let server = Server { primary_ca: place("none.pem"), ..server.clone() };
    let missing = Primary::of(&server).err().unwrap().to_string();
    assert!(missing.starts_with("server.primary_ca: ") && missing.contains("none.pem cannot be read"), "{missing}");

    stopper.drain().await;
    ended.await.unwrap().unwrap();
}
