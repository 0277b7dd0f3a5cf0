//! A small shop that was killed with all kinds of files in its folder, and what is known of it: copies of it are damaged.

use std::fs::{File, create_dir_all, read, read_dir, read_to_string};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use serde_json::{Value, json};

use crate::harness::{Ouzel, command, shop};

/// Users whose histories and lists are looked at.
pub const USERS: std::ops::Range<u64> = 0..24;

/// Segments of a few hundred events; no run but those that are asked for.
const SETTINGS: [(&str, &str); 4] = [
    ("OUZEL__STORAGE__SEAL_EVENTS", "700"),
    ("OUZEL__SCHEDULE__ON_START", "false"),
    ("OUZEL__TRAINING__CANDIDATES", "popular,ease"),
    ("OUZEL__TRAINING__BUDGET", "1s"),
];

/// What the service says of the shop.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    pub live: Option<u64>,
    pub events: u64,
    /// A history of each of [`USERS`].
    pub histories: Vec<Vec<Value>>,
    /// A list for each of [`USERS`].
    pub lists: Vec<Value>,
    /// The runs, as they ended.
    pub runs: Vec<Value>,
}

impl Said {
    pub async fn by(ouzel: &Ouzel) -> Self {
        let (_, state) = ouzel.get("/state").await;
        let (_, runs) = ouzel.get("/v1/runs").await;
        let (mut histories, mut lists) = (Vec::new(), Vec::new());
        for user in USERS {
            let (_, history) = ouzel.get(&format!("/v1/users/{user}")).await;
            histories.push(history["events"].as_array().unwrap().clone());
            lists.push(ouzel.get(&format!("/recommend?user={user}&n=5")).await.1["items"].take());
        }
        Self {
            live: state["live"]["version"].as_u64(),
            events: state["events"]["events"].as_u64().unwrap(),
            histories,
            lists,
            runs: runs["runs"].as_array().unwrap().clone(),
        }
    }
}

/// The killed shop: versions 1 and 2, of which 2 is live, two segments, a tail, runs.
pub struct Shop {
    folder: tempfile::TempDir,
    /// With version 2 live, as it was.
    pub whole: Said,
    /// With version 1 live.
    pub before: Said,
}

impl Shop {
    pub async fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ouzel = Ouzel::start(&folder.path().join("data"), &SETTINGS);
        ouzel.ready().await;
        for version in 1..=2_u64 {
            assert_eq!(ouzel.post("/v1/events", &json!(shop((version - 1) * 900, 900))).await.0, 200);
            assert_eq!(ouzel.run().await["version"], version);
        }
        for batch in 0..3 {
            assert_eq!(ouzel.post("/v1/events", &json!(shop(1800 + batch * 100, 100))).await.0, 200);
        }
        assert_eq!(ouzel.put("/v1/items/3", &json!({ "hidden": true })).await.0, 200);
        assert_eq!(ouzel.post("/v1/rollback", &json!({})).await.0, 200);
        let before = Said::by(&ouzel).await;
        assert_eq!(ouzel.post("/v1/rollback", &json!({})).await.0, 200);
        let whole = Said::by(&ouzel).await;
        assert_eq!((before.live, whole.live, whole.events), (Some(1), Some(2), 2100));
        assert_ne!(before.lists, whole.lists, "the versions can be told apart");
        ouzel.kill();
        Self { folder, whole, before }
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// All files with something in them, relative to the data folder.
    pub fn files(&self) -> Vec<PathBuf> {
        let data = self.data();
        let mut found = Vec::new();
        walk(&data, &mut |path, length| {
            if length.is_some_and(|length| length > 0) {
                found.push(path.strip_prefix(&data).unwrap().to_owned());
            }
        });
        found.sort();
        found
    }

    /// A copy of it.
    pub fn copy(&self) -> Copy {
        let (from, folder) = (self.data(), tempfile::tempdir().unwrap());
        let data = folder.path().join("data");
        create_dir_all(&data).unwrap();
        walk(&from, &mut |path, length| {
            let to = data.join(path.strip_prefix(&from).unwrap());
            match length {
                None => create_dir_all(to).unwrap(),
                Some(_) => copy_sparsely(path, &to),
            }
        });
        Copy { folder }
    }
}

/// Shows every folder below `folder`, and then every file in it with its length.
fn walk(folder: &Path, see: &mut impl FnMut(&Path, Option<u64>)) {
    for entry in read_dir(folder).unwrap().map(Result::unwrap) {
        let (path, about) = (entry.path(), entry.metadata().unwrap());
        if about.is_dir() {
            see(&path, None);
            walk(&path, see);
        } else {
            see(&path, Some(about.len()));
        }
    }
}

/// A journal is mostly zeros that nobody wrote: they are left out here too.
fn copy_sparsely(from: &Path, to: &Path) {
    let bytes = read(from).unwrap();
    let file = File::create(to).unwrap();
    (&file).write_all(written(&bytes)).unwrap();
    file.set_len(bytes.len() as u64).unwrap();
}

/// The bytes up to the last that is not zero.
pub fn written(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1)]
}

/// A copy that may be damaged.
pub struct Copy {
    folder: tempfile::TempDir,
}

impl Copy {
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Starts a service on it.
    pub fn start(&self) -> Result<Ouzel, ExitStatus> {
        let mut command = command(&self.data(), &SETTINGS);
        command.stderr(File::create(self.log()).unwrap());
        Ouzel::spawn(command)
    }

    /// `ouzel doctor --repair`; what it printed.
    pub fn repair(&self) -> String {
        let mut doctor = Command::new(env!("CARGO_BIN_EXE_ouzel"));
        doctor
            .args(["doctor", "--repair"])
            .current_dir(self.folder.path())
            .env("OUZEL__STORAGE__DATA_DIR", self.data());
        let done = crate::harness::alone(|| doctor.output()).unwrap();
        String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr)
    }

    /// What the last start said.
    pub fn said(&self) -> String {
        read_to_string(self.log()).unwrap()
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }
}
