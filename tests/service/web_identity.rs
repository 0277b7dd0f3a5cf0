//! A store of versions opened by web identity, as pods have it: a token from a file is changed for credentials that expire,
//! here by an STS of the test's own, which hands out what a real S3 server gave it.

use std::path::Path;
use std::sync::Arc;

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use object_store::aws::{AwsAuthorizer, AwsCredential};
use parking_lot::Mutex;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::authority::Authority;
use crate::harness::{Ouzel, in_bucket, shop};

/// Credentials of an hour from the server behind `OUZEL_TEST_S3`: the XML of its answer.
async fn assumed(endpoint: &str, key: String, secret: String) -> String {
    let body = "Action=AssumeRole&Version=2011-06-15&DurationSeconds=3600";
    let mut signed: object_store::client::HttpRequest =
        http::Request::post(endpoint).body(body.to_owned().into()).unwrap();
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

/// An STS that gives everybody these credentials for two seconds, over TLS by a certificate in `folder`: without it the
/// client takes none. What it was asked with.
fn sts(given: String, folder: &Path) -> (String, Arc<Mutex<Vec<String>>>) {
    let pem = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let chain = CertificateDer::pem_slice_iter(&pem("certificate.pem")).map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_slice(&pem("key.pem")).unwrap();
    let tls = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let shared = Arc::clone(&asked);
    let answer = move |request: HttpRequest| {
        shared.lock().push(request.query_string().to_owned());
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
        async { HttpResponse::Ok().content_type("text/xml").body(body) }
    };
    let server = HttpServer::new(move || App::new().default_service(web::to(answer.clone()))).workers(1);
    let server = server.bind_rustls_0_23("127.0.0.1:0", tls).unwrap();
    let url = format!("https://127.0.0.1:{}", server.addrs()[0].port());
    actix_web::rt::spawn(server.run());
    (url, asked)
}

async fn version(ouzel: &Ouzel, wanted: u64) {
    let live = |state: &serde_json::Value| (state["live"]["version"] == wanted).then_some(());
    ouzel.until("the version", "/state", live).await;
}

#[actix_web::test]
async fn versions_go_to_a_bucket_by_web_identity() {
    let prefix = format!("web-identity-{}", chrono::Utc::now().timestamp_micros());
    let Some([artifacts, endpoint, key, secret]) = in_bucket(&prefix) else { return };
    ouzel::cli::choose_tls();
    let given = assumed(&endpoint.1, key.1, secret.1).await;
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("the cluster's");
    authority.issue_to(folder.path());
    let trusted = folder.path().join("ca.pem");
    std::fs::write(&trusted, authority.pem()).unwrap();
    let (url, asked) = sts(given, folder.path());
    let token = folder.path().join("token");
    std::fs::write(&token, "the-first-token").unwrap();
    let settings = [
        (artifacts.0, artifacts.1.as_str()),
        (endpoint.0, &endpoint.1),
        ("OUZEL__TRAINING__CANDIDATES", "popular"),
        ("AWS_ROLE_ARN", "arn:aws:iam::000000000000:role/ouzel"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", token.to_str().unwrap()),
        ("AWS_ENDPOINT_URL_STS", &url),
        ("SSL_CERT_FILE", trusted.to_str().unwrap()),
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
    let second = |_: &serde_json::Value| {
        let read = asked.lock().last().unwrap().contains("WebIdentityToken=the-second-token");
        read.then_some(())
    };
    // The client asks for credentials ten times a second at most, and each look at the versions needs some.
    ouzel.until("the second token", "/v1/versions", second).await;
    assert_eq!(ouzel.run().await["version"], 2);
    version(&ouzel, 2).await;
    assert!(ouzel.stop().success());
}
