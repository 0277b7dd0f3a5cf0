//! A folder that an earlier build wrote opens with everything in it; one that a later build wrote is refused, file and numbers
//! named.

use std::fs;
use std::path::Path;
use std::process::Command;

use ouzel::store::log::verify;
use serde_json::{Value, json};

use crate::harness::{Ouzel, alone, command};
use crate::traces_of::{SMALL_SHOP, files_with};

/// What the folder was when format 1 was the latest, and what that build answered from it: see `tests/fixtures/README.md`.
const FORMAT_1: &[u8] = include_bytes!("../fixtures/format-1.tar.zst");

/// Unpacks the folder and gives what was answered from it.
fn unpack(folder: &Path) -> Value {
    let unpacked = zstd::decode_all(FORMAT_1).unwrap();
    tar::Archive::new(&unpacked[..]).unpack(folder).unwrap();
    serde_json::from_slice(&fs::read(folder.join("answers.json")).unwrap()).unwrap()
}

/// Histories and lists of everybody are what they were.
async fn answers_as(ouzel: &Ouzel, answers: &Value) {
    for (user, events) in answers["users"].as_object().unwrap() {
        assert_eq!(&ouzel.get(&format!("/v1/users/{user}")).await.1["events"], events, "of {user}");
    }
    for (user, list) in answers["lists"].as_object().unwrap() {
        let (_, found) = ouzel.get(&format!("/recommend?user={user}&n=5")).await;
        assert_eq!(&found["items"], list, "for {user}");
    }
}

#[tokio::test]
async fn a_folder_of_format_1_opens_with_its_events_versions_and_answers() {
    let folder = tempfile::tempdir().unwrap();
    let answers = unpack(folder.path());
    let data = folder.path().join("data");
    assert!(!files_with(&data, "erased-user").is_empty(), "format 1 named whom it had erased");
    let ouzel = Ouzel::start(&data, &SMALL_SHOP);
    ouzel.ready().await;
    let live = ouzel.until("the live version", "/state", |state| state["live"]["version"].as_u64()).await;
    let (_, state) = ouzel.get("/state").await;
    let said = json!({ "live": live, "events": state["events"]["events"], "versions": state["versions"]["all"], "seq": state["events"]["applied_seq"] });
    assert_eq!(said, answers["state"]);
    assert_eq!(ouzel.get("/v1/runs").await.1["runs"].as_array().unwrap().len(), answers["runs"]);
    assert_eq!(ouzel.get("/v1/items/item-3").await.1["hidden"], true);
    answers_as(&ouzel, &answers).await;

    // What it had erased is due: the name leaves the tables, the events the segment, the row both versions.
    ouzel.until("the rewriting", "/state", |state| (state["erasures"]["waiting"] == 0).then_some(())).await;
    assert_eq!(files_with(&data, "erased-user"), Vec::<std::path::PathBuf>::new());
    answers_as(&ouzel, &answers).await;
    assert_eq!(ouzel.run().await["version"], 3);
    assert!(ouzel.stop().success());
    assert_eq!(verify(&data).unwrap().findings, []);
    let ouzel = Ouzel::start(&data, &SMALL_SHOP);
    ouzel.ready().await;
    assert_eq!(ouzel.post("/v1/versions/1/promote", &json!({})).await.0, 200);
}

/// What a start on the folder says: refused, or by which version it answers.
fn said(data: &Path) -> (Option<i32>, String) {
    let mut start = command(data, &SMALL_SHOP);
    let log = data.parent().unwrap().join("log");
    start.stderr(fs::File::create(&log).unwrap());
    match Ouzel::spawn(start) {
        Ok(_) => (None, String::new()),
        Err(status) => (status.code(), fs::read_to_string(&log).unwrap()),
    }
}

#[test]
fn files_of_the_log_from_the_future_are_refused_by_name_and_number() {
    let changes = [("FORMAT", "1", "9", "2"), ("segments.json", "\"format\": 1", "\"format\": 9", "1")];
    for (file, from, to, known) in changes {
        let folder = tempfile::tempdir().unwrap();
        unpack(folder.path());
        let data = folder.path().join("data");
        let text = fs::read_to_string(data.join(file)).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(data.join(file), text.replacen(from, to, 1)).unwrap();
        let wanted =
            format!("{file}: format 9 is not known to this build, which knows up to {known}; use a later build");
        let (code, log) = said(&data);
        assert_eq!(code, Some(1), "{file}: {log}");
        assert!(log.contains(&wanted), "{file}: {log}");
        // Nor does a repair touch it.
        let mut doctor = Command::new(env!("CARGO_BIN_EXE_ouzel"));
        doctor.args(["doctor", "--repair"]).current_dir(folder.path()).env("OUZEL__STORAGE__DATA_DIR", &data);
        let done = alone(|| doctor.output()).unwrap();
        let told = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
        assert!(!done.status.success() && told.contains("format 9"), "{file}: {told}");
        assert!(!data.join("quarantine").exists(), "{file}: {told}");
    }
}

#[tokio::test]
async fn versions_and_aliases_from_the_future_are_refused_by_name_and_number_and_left_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    unpack(folder.path());
    let data = folder.path().join("data");
    let version = data.join("artifacts/versions/1");
    let later = r#"{"format":9,"version":1,"made":"otherwise"}"#;
    fs::write(version.join("manifest.json"), later).unwrap();
    let sum = <sha2::Sha256 as sha2::Digest>::digest(later.as_bytes());
    fs::write(version.join("manifest.sha256"), hex::encode(sum)).unwrap();
    let ouzel = Ouzel::start(&data, &SMALL_SHOP);
    ouzel.ready().await;
    ouzel.until("the live version", "/state", |state| state["live"]["version"].as_u64()).await;
    let (status, problem) = ouzel.post("/v1/versions/1/promote", &json!({})).await;
    let wanted = "version 1: its manifest.json is of format 9, this build knows up to 2";
    assert!(status >= 400 && problem["detail"].as_str().unwrap().contains(wanted), "{problem}");
    assert!(ouzel.stop().success());
    assert_eq!(fs::read_to_string(version.join("manifest.json")).unwrap(), later);

    // Which version is live is not known then: none is, and nothing is written over.
    let aliases = data.join("artifacts/live.json");
    fs::write(&aliases, r#"{"format":9,"live":{"all":2}}"#).unwrap();
    let mut start = command(&data, &SMALL_SHOP);
    let log = folder.path().join("log");
    start.stderr(fs::File::create(&log).unwrap());
    let ouzel = Ouzel::spawn(start).unwrap();
    ouzel.ready().await;
    let (status, problem) = ouzel.post("/v1/rollback", &json!({})).await;
    let wanted = "live.json cannot be used: it is of format 9, this build knows up to 1: use a later build";
    assert!(status >= 400 || fs::read_to_string(&log).unwrap().contains(wanted), "{problem}");
    assert!(ouzel.stop().success());
    assert!(fs::read_to_string(&log).unwrap().contains(wanted), "{}", fs::read_to_string(&log).unwrap());
    assert_eq!(fs::read_to_string(&aliases).unwrap(), r#"{"format":9,"live":{"all":2}}"#);
}
