//! A disk that is full at each kind of write: said, nothing acknowledged that is not kept, nothing damaged, and gone on from
//! by itself once there is room. On a small file system of its own, which root alone can mount.

use std::fs::{File, remove_file};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::geteuid;
use serde_json::{Value, json};

use crate::harness::{Ouzel, alone, command, shop};
use crate::kafka::Kafka;
use crate::stage::Stage;
use crate::trial::Trial;
use crate::{rounds, tell};

/// A file system of its own.
struct Disk {
    folder: tempfile::TempDir,
}

impl Disk {
    /// One of so many MiB; none where this process may not mount one and it need not be.
    fn mount(mib: u32) -> Option<Self> {
        if !geteuid().is_root() {
            assert!(std::env::var("CI").is_err(), "CI runs these as root, who may mount a file system");
            tell("left out: only root can mount a file system of its own");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let size = format!("size={mib}m");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path());
        assert!(alone(|| mount.status()).unwrap().success(), "a file system is mounted");
        Some(Self { folder })
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn filler(&self) -> PathBuf {
        self.path().join("filler")
    }

    /// Leaves no byte free.
    fn fill(&self) {
        let mut file = File::options().create(true).append(true).open(self.filler()).unwrap();
        for block in [1 << 20, 4096, 1] {
            let bytes = vec![1; block];
            loop {
                match file.write_all(&bytes) {
                    Ok(()) => {}
                    Err(error) if error.kind() == ErrorKind::StorageFull => break,
                    Err(error) => panic!("{error}"),
                }
            }
        }
    }

    fn free(&self) {
        remove_file(self.filler()).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let mut unmount = Command::new("umount");
        unmount.arg("--lazy").arg(self.path());
        alone(|| unmount.status()).ok();
    }
}

async fn is_degraded(ouzel: &Ouzel, parts: &[&str]) {
    let said = |body: &Value| (body["ready"] == true && body["degraded"] == json!(parts)).then_some(());
    ouzel.until(&format!("the word that {parts:?} are missing"), "/health/ready", said).await;
}

/// Sends a call that needs room.
async fn without_room(ouzel: &Ouzel, path: &str, body: &Value) {
    let http = reqwest::Client::new();
    let answer = http.post(format!("{}{path}", ouzel.url)).json(body).send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), answer.headers()["content-type"].to_str().unwrap()),
        (507, "application/problem+json")
    );
    assert!(answer.headers().contains_key("retry-after"));
    let problem: Value = answer.json().await.unwrap();
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("free") || detail.contains("room"), "it says what to do: {problem}");
}

/// Fills the disk again and again under load, with runs and sealing at work, so that every kind of write meets it.
async fn fills_and_frees(min_free: &str, times: u32) {
    let Some(disk) = Disk::mount(160) else { return };
    let kafka = Kafka::new().with("OUZEL__STORAGE__MIN_FREE", min_free);
    let trial = Trial::within(kafka, tempfile::tempdir_in(disk.path()).unwrap());
    let stage = Stage::of(trial, &[]).await;
    for time in 0..times {
        disk.fill();
        stage.degraded(&["disk"]).await;
        without_room(&stage.ouzel, "/v1/events", &json!({ "user": "nobody", "item": 1 })).await;
        without_room(&stage.ouzel, "/api/user", &json!({ "UserId": "nobody" })).await;
        let (status, state) = stage.ouzel.get("/state").await;
        assert_eq!((status, &state["degraded"]), (200, &json!(["disk"])));
        // Longer each time: what is at work then, a run, a version, a segment, meets it too.
        tokio::time::sleep(Duration::from_millis(u64::from(time) * 700)).await;
        disk.free();
        stage.degraded(&[]).await;
        stage.goes_on(500).await;
    }
    stage.end(&format!("a disk filled {times} times, storage.min_free = {min_free}")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_fills_up_to_the_reserve_stops_nothing_but_writes() {
    fills_and_frees("16777216", rounds("OUZEL_TEST_DISK", 3)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_without_a_byte_left_in_the_middle_of_writes_damages_nothing() {
    fills_and_frees("0", rounds("OUZEL_TEST_DISK", 3)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn versions_aliases_and_runs_without_room_fail_with_a_word_and_the_live_version_stays() {
    let Some(disk) = Disk::mount(160) else { return };
    let folder = tempfile::tempdir_in(disk.path()).unwrap();
    let settings = [
        ("OUZEL__STORAGE__MIN_FREE", "0"),
        ("OUZEL__SCHEDULE__ON_START", "false"),
        ("OUZEL__TRAINING__CANDIDATES", "popular,ease"),
        ("OUZEL__TRAINING__BUDGET", "1s"),
    ];
    let ouzel = Ouzel::start(&folder.path().join("data"), &settings);
    ouzel.ready().await;
    for version in 1..=2_u64 {
        assert_eq!(ouzel.post("/v1/events", &json!(shop((version - 1) * 900, 900))).await.0, 200);
        assert_eq!(ouzel.run().await["version"], version);
    }

    // The alias.
    disk.fill();
    without_room(&ouzel, "/v1/rollback", &json!({})).await;
    assert_eq!(ouzel.get("/recommend?user=1").await.1["model"]["version"], 2);
    // More than fits what is left of a block. A run is not begun where its record cannot be written.
    without_room(&ouzel, "/v1/events", &json!(shop(1800, 200))).await;
    is_degraded(&ouzel, &["disk"]).await;
    without_room(&ouzel, "/v1/runs", &json!({})).await;
    disk.free();
    is_degraded(&ouzel, &[]).await;
    assert_eq!(ouzel.post("/v1/rollback", &json!({})).await.1["version"], 1);

    // A version: the disk is full by the time that the run has one.
    let (status, started) = ouzel.post("/v1/runs", &json!({})).await;
    assert_eq!(status, 202, "{started}");
    let path = format!("/v1/runs/{}", started["id"].as_str().unwrap());
    let at_work = |run: &Value| run["steps"].as_array()?.iter().any(|step| step["name"] == "train").then_some(());
    ouzel.until("the run at work", &path, at_work).await;
    disk.fill();
    ouzel.until_figure("ouzel_runs_total{status=\"failed\"}", |count| count == 1.0).await;
    assert_eq!(ouzel.get("/recommend?user=1").await.1["model"]["version"], 1);
    disk.free();
    // Its end is written once there is room.
    let ended = |run: &Value| (run["status"] == "failed").then(|| run["error"].as_str().unwrap().to_owned());
    let why = ouzel.until("the end of the run", &path, ended).await;
    assert!(why.contains("no room") || why.contains("No space"), "{why}");
    assert_eq!(ouzel.run().await["status"], "succeeded");
    assert!(ouzel.stop().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_without_room_stops_with_a_word_and_goes_on_where_it_was() {
    let Some(disk) = Disk::mount(80) else { return };
    let folder = tempfile::tempdir_in(disk.path()).unwrap();
    let (data, outside) = (folder.path().join("data"), tempfile::tempdir().unwrap());
    let file = outside.path().join("events.csv");
    // Users that compress badly: opening the log frees a few pages, in which a small segment would find room.
    let user = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let lines = (0..200_000).map(|n| format!("{:x},{},{}\n", user(n), n % 499, 1_750_000_000 + n));
    std::fs::write(&file, "user,item,timestamp\n".to_owned() + &lines.collect::<String>()).unwrap();
    let import = || {
        let mut import = Command::new(env!("CARGO_BIN_EXE_ouzel"));
        import.args(["import", "--format", "events"]).arg(&file).current_dir(folder.path());
        import.env("OUZEL__STORAGE__DATA_DIR", &data).env("OUZEL__STORAGE__MIN_FREE", "0");
        let done = alone(|| import.output()).unwrap();
        (
            done.status.code(),
            String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr),
        )
    };
    // The folder is made, and then there is room for little.
    assert!(Ouzel::start(&data, &[("OUZEL__STORAGE__MIN_FREE", "0")]).stop().success());
    disk.fill();
    let (code, said) = import();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("No space") || said.contains("full"), "{said}");
    disk.free();
    let (code, said) = import();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("200000 added"), "{said}");

    let ouzel = Ouzel::spawn(command(&data, &[("OUZEL__STORAGE__MIN_FREE", "0")])).unwrap();
    ouzel.until("all of it", "/state", |state| (state["events"]["events"] == 200_000).then_some(())).await;
    assert!(ouzel.stop().success());
}
