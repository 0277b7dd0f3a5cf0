//! HTTPS as callers meet it: who is answered, what a renewal does, what the commands say.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::authority::Authority;
use crate::harness::{Ouzel, PATIENCE, alone, command};

/// A folder with a certificate, its key and what the service logs.
struct Place {
    folder: tempfile::TempDir,
    authority: Authority,
}

impl Place {
    fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap(), authority: Authority::new("Ouzel's tests") };
        place.authority.issue_to(place.folder.path());
        std::fs::write(place.path("ca.pem"), place.authority.pem()).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    fn settings(&self) -> [(&'static str, String); 3] {
        let file = |name| self.path(name).display().to_string();
        [
            ("OUZEL__SERVER__TLS_CERTIFICATE", file("certificate.pem")),
            ("OUZEL__SERVER__TLS_KEY", file("key.pem")),
            ("OUZEL__TELEMETRY__LOG", "info".to_owned()),
        ]
    }

    fn command(&self) -> Command {
        let log = std::fs::File::create(self.path("log")).unwrap();
        let mut command = command(&self.path("data"), &[]);
        command.envs(self.settings()).stderr(log);
        command
    }

    fn start(&self) -> Ouzel {
        Ouzel::spawn_for(self.command(), self.authority.client()).expect("it starts")
    }

    /// Waits until the log has a text.
    fn logged(&self, text: &str) {
        let begun = Instant::now();
        while !self.text("log").contains(text) {
            assert!(begun.elapsed() < PATIENCE, "{text:?} was not said: {}", self.text("log"));
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn certificate(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(self.text("certificate.pem").as_bytes()).unwrap()
    }

    /// A connection that has gone through its handshake.
    fn connect(&self, address: SocketAddr) -> StreamOwned<ClientConnection, TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.authority.pem().as_bytes()).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        let connection = ClientConnection::new(Arc::new(config), name).unwrap();
        let socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut stream = StreamOwned::new(connection, socket);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock).unwrap();
        }
        stream
    }

    /// A command on this place's settings.
    fn ouzel(&self, line: &str, more: &[(&str, &str)]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ouzel"));
        command.current_dir(self.folder.path()).args(line.split_whitespace()).envs(self.settings());
        command.envs(more.iter().copied()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        alone(|| command.spawn()).unwrap().wait_with_output().unwrap()
    }
}

fn address(ouzel: &Ouzel) -> SocketAddr {
    ouzel.url.strip_prefix("https://").expect("it says https").parse().unwrap()
}

/// Asks on an open connection, which stays open.
fn ask(stream: &mut StreamOwned<ClientConnection, TcpStream>) -> String {
    stream.write_all(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let mut piece = [0; 1024];
    while !answer.ends_with(b"{\"live\":true}") {
        let read = stream.read(&mut piece).unwrap();
        assert!(read > 0, "the connection ended after {}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&piece[..read]);
    }
    String::from_utf8(answer).unwrap()
}

fn shown(stream: &StreamOwned<ClientConnection, TcpStream>) -> CertificateDer<'static> {
    stream.conn.peer_certificates().unwrap()[0].clone()
}

#[tokio::test]
async fn who_trusts_the_authority_is_answered_and_nobody_else() {
    let place = Place::new();
    let ouzel = place.start();
    ouzel.ready().await;
    assert_eq!(ouzel.get("/recommend?user=1").await.0, 200);
    let stranger = Authority::new("somebody else").client().get(format!("{}/health/live", ouzel.url)).send().await;
    assert!(format!("{:?}", stranger.unwrap_err()).contains("UnknownIssuer"));

    // Plain HTTP gets an alert of TLS and the end of the connection.
    let mut plain = TcpStream::connect(address(&ouzel)).unwrap();
    plain.set_read_timeout(Some(PATIENCE)).unwrap();
    plain.write_all(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    plain.read_to_end(&mut answer).unwrap();
    assert_eq!(answer.first_chunk(), Some(&[21, 3, 3]), "{answer:?}");

    assert_eq!(ouzel.get("/recommend?user=1").await.0, 200);
    assert!(ouzel.stop().success());
    assert!(!place.text("log").contains("ERROR"), "{}", place.text("log"));
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_to_new_connections_and_old_ones_go_on() {
    let place = Place::new();
    let ouzel = place.start();
    let old = place.certificate();
    let mut open = place.connect(address(&ouzel));
    assert!(ask(&mut open).starts_with("HTTP/1.1 200 OK\r\n"));
    assert_eq!(shown(&open), old);

    place.authority.issue_to(place.folder.path());
    place.logged("the certificate of TLS has changed and is taken up");
    let mut fresh = place.connect(address(&ouzel));
    assert_eq!(shown(&fresh), place.certificate());
    assert_ne!(shown(&fresh), old);
    assert!(ask(&mut fresh).starts_with("HTTP/1.1 200 OK\r\n"));
    assert!(ask(&mut open).starts_with("HTTP/1.1 200 OK\r\n"), "the connection from before is open still");
    assert_eq!(shown(&open), old);
}

#[tokio::test]
async fn a_broken_renewal_is_said_and_the_old_certificate_kept() {
    let place = Place::new();
    let ouzel = place.start();
    let (old, key) = (place.certificate(), place.text("key.pem"));
    let (_, other) = place.authority.issue(&["localhost"]);
    let secret: String = other.lines().nth(1).unwrap().to_owned();
    for (broken, told) in [
        (other.as_str(), "is not the key of the first certificate in"),
        (&other[..other.len() / 2], "holds no usable key"),
        ("", "holds no usable key"),
    ] {
        std::fs::write(place.path("key.pem"), broken).unwrap();
        place.logged(told);
        assert_eq!(shown(&place.connect(address(&ouzel))), old, "{told}");
    }
    std::fs::remove_file(place.path("key.pem")).unwrap();
    place.logged("key.pem cannot be read: No such file or directory");
    assert_eq!(shown(&place.connect(address(&ouzel))), old);
    let log = place.text("log");
    assert!(log.contains("cannot be used: what was there before is kept") && !log.contains(&secret), "{log}");

    std::fs::write(place.path("key.pem"), key).unwrap();
    place.logged("is taken up");
    assert_eq!(shown(&place.connect(address(&ouzel))), old);
}

#[tokio::test]
async fn a_start_with_files_that_cannot_be_used_is_refused() {
    let place = Place::new();
    let (certificate, key) = (place.text("certificate.pem"), place.text("key.pem"));
    let (_, other) = place.authority.issue(&["localhost"]);
    let write = |name: &str, text: &str| std::fs::write(place.path(name), text).unwrap();
    for (certificate, key, told) in [
        (certificate.as_str(), other.as_str(), "server.tls_key: "),
        (certificate.as_str(), "nonsense", "BEGIN PRIVATE KEY"),
        ("nonsense", key.as_str(), "holds no certificate"),
        (&certificate[..300], key.as_str(), "is broken"),
    ] {
        write("certificate.pem", certificate);
        write("key.pem", key);
        let Err(status) = Ouzel::spawn_for(place.command(), place.authority.client()) else { panic!("{told}") };
        let log = place.text("log");
        assert_eq!(status.code(), Some(2), "{log}");
        assert!(log.contains(told) && !log.contains(key.lines().nth(1).unwrap_or("nothing")), "{told}: {log}");
    }
    let half = place.ouzel("config", &[("OUZEL__SERVER__TLS_KEY", "")]);
    let told = String::from_utf8_lossy(&half.stderr).into_owned();
    assert_eq!(half.status.code(), Some(2), "{told}");
    assert!(told.contains("server.tls_certificate (OUZEL__SERVER__TLS_CERTIFICATE): needs server.tls_key"), "{told}");
}

#[tokio::test]
async fn commands_go_over_https() {
    let place = Place::new();
    let ouzel = place.start();
    ouzel.ready().await;
    let port = address(&ouzel).port().to_string();
    let code = |output: &Output| output.status.code();
    let said =
        |output: &Output| String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned();

    // Its own settings name the certificate, whatever that is called.
    let live = place.ouzel("doctor --live", &[("OUZEL__SERVER__PORT", &port)]);
    assert_eq!(code(&live), Some(0), "{}", said(&live));
    for told in ["answers requests", "agrees with that of the service"] {
        assert!(said(&live).contains(told), "{}", said(&live));
    }

    let listed = place.ouzel(&format!("versions list --url https://localhost:{port} --ca ca.pem"), &[]);
    assert_eq!(code(&listed), Some(0), "{}", said(&listed));
    let by_variable = place.ouzel(&format!("runs list --url {}", ouzel.url), &[("OUZEL_CA", "ca.pem")]);
    assert_eq!(code(&by_variable), Some(0), "{}", said(&by_variable));

    for (url, remedy) in [
        (ouzel.url.clone(), "name its authority's certificate with --ca FILE"),
        (format!("http://127.0.0.1:{port}"), "does it speak https?"),
    ] {
        let refused = place.ouzel(&format!("versions list --url {url}"), &[]);
        assert_eq!(code(&refused), Some(1), "{}", said(&refused));
        assert!(said(&refused).contains(remedy), "{}", said(&refused));
    }
    let other = tempfile::tempdir().unwrap();
    Authority::new("somebody else").issue_to(other.path());
    let other = other.path().join("certificate.pem").display().to_string();
    let settings = [("OUZEL__SERVER__PORT", port.as_str()), ("OUZEL__SERVER__TLS_CERTIFICATE", &other)];
    let doubted = place.ouzel("doctor --live", &settings);
    assert_eq!(code(&doubted), Some(1), "{}", said(&doubted));
    assert!(said(&doubted).contains("is not that of server.tls_certificate here"), "{}", said(&doubted));

    let checked = place.ouzel("doctor", &[("OUZEL__STORAGE__DATA_DIR", "elsewhere")]);
    assert!(said(&checked).contains("server.tls_key is the key to it"), "{}", said(&checked));
    let missing = place.ouzel("doctor", &[("OUZEL__SERVER__TLS_CERTIFICATE", "none.pem")]);
    assert_eq!(code(&missing), Some(1), "{}", said(&missing));
    assert!(said(&missing).contains("none.pem cannot be read"), "{}", said(&missing));
}
