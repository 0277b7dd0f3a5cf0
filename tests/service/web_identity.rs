//! A store of versions opened by web identity, as pods have it: a token from a file is changed for credentials that expire,
//! here by an STS of the test's own, which hands out what a real S3 server gave it.

use std::sync::Arc;

use object_store::aws::{AwsAuthorizer, AwsCredential};
use object_store::client::HttpRequest;
use parking_lot::Mutex;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::harness::{Ouzel, shop};

/// Credentials of an hour from the server behind `OUZEL_TEST_S3`: the XML of its answer.
async fn assumed(endpoint: &str, key: String, secret: String) -> String {
    let body = "Action=AssumeRole&Version=2011-06-15&DurationSeconds=3600";
    let mut signed: HttpRequest = http::Request::post(endpoint).body(body.to_owned().into()).unwrap();
    let credential = AwsCredential { key_id: key, secret_key: secret, token: None };
    let digest = Sha256::digest(body.as_bytes());
    AwsAuthorizer::new(&credential, "sts", "us-east-1").try_authorize(&mut signed, Some(&digest)).unwrap();
    let mut request = reqwest::Client::new().post(endpoint).body(body);
    for (name, value) in signed.headers() {
        request = request.header(name.as_str(), value.as_bytes());
    }
    let answer = request.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap();
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    assert_eq!(status, 200, "{text}");
    text
}

fn between<'a>(text: &'a str, name: &str) -> &'a str {
    let (_, after) = text.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("{name} is not in {text}"));
    after.split_once('<').unwrap().0
}

/// An STS that gives everybody these credentials for some seconds; the queries it was asked with.
async fn sts(given: String) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let shared = Arc::clone(&asked);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = vec![0; 8192];
            let length = stream.read(&mut head).await.unwrap();
            let head = String::from_utf8_lossy(&head[..length]).into_owned();
            shared.lock().push(head.lines().next().unwrap_or_default().to_owned());
            let of = |name: &str| format!("<{name}>{}</{name}>", between(&given, name));
            let soon = chrono::Utc::now() + chrono::TimeDelta::seconds(2);
            let body = format!(
                "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>{}{}{}\
                 <Expiration>{}</Expiration></Credentials></AssumeRoleWithWebIdentityResult>\
                 </AssumeRoleWithWebIdentityResponse>",
                of("AccessKeyId"),
                of("SecretAccessKey"),
                of("SessionToken"),
                soon.to_rfc3339()
            );
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\nconnection: close\r\n";
            let answer = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (url, asked)
}

async fn version(ouzel: &Ouzel, wanted: u64) {
    let live = |state: &serde_json::Value| (state["live"]["version"] == wanted).then_some(());
    ouzel.until("the version", "/state", live).await;
}

#[tokio::test]
async fn versions_go_to_a_bucket_by_web_identity() {
    let test = |name: &str| std::env::var(format!("OUZEL_TEST_S3{name}"));
    let Ok(endpoint) = test("") else {
        assert!(std::env::var("CI").is_err(), "CI runs with a real S3 server: set OUZEL_TEST_S3");
        return;
    };
    ouzel::cli::choose_tls();
    let given = assumed(&endpoint, test("_KEY").unwrap(), test("_SECRET").unwrap()).await;
    let (url, asked) = sts(given).await;
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "the-first-token").unwrap();
    let artifacts = format!("s3://{}/web-identity-{}", test("_BUCKET").unwrap(), chrono::Utc::now().timestamp_micros());
    let settings = [
        ("OUZEL__STORAGE__ARTIFACTS", artifacts.as_str()),
        ("OUZEL__STORAGE__S3_ENDPOINT", &endpoint),
        ("OUZEL__TRAINING__CANDIDATES", "popular"),
        ("AWS_ROLE_ARN", "arn:aws:iam::000000000000:role/ouzel"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", token.to_str().unwrap()),
        ("AWS_ENDPOINT_URL_STS", &url),
    ];
    let ouzel = Ouzel::start(&folder.path().join("data"), &settings);
    ouzel.ready().await;
    assert_eq!(ouzel.post("/v1/events", &json!(shop(0, 500))).await.0, 200);
    version(&ouzel, 1).await;
    let first = asked.lock().first().cloned().unwrap();
    for part in ["Action=AssumeRoleWithWebIdentity", "WebIdentityToken=the-first-token", "role%2Fouzel"] {
        assert!(first.contains(part), "{part} is not in {first}");
    }
    // The cluster writes another token before the first one expires.
    std::fs::write(&token, "the-second-token").unwrap();
    assert_eq!(ouzel.run().await["version"], 2);
    version(&ouzel, 2).await;
    assert!(asked.lock().last().unwrap().contains("WebIdentityToken=the-second-token"));
    assert!(ouzel.stop().success());
}
