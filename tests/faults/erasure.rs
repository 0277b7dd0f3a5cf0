//! Over Kafka and several processes: who is erased at one of them leaves the files of all, and the versions they share.

use std::path::{Path, PathBuf};

use ouzel::store::artifacts::Artifacts;
use serde_json::{Value, json};

use crate::harness::Ouzel;
use crate::kafka::Kafka;
use crate::traces_of::{SMALL_SHOP, artifacts_with, events, files_with};

/// An id that nothing else looks like.
const GONE: &str = "somebody-who-wants-to-be-forgotten";

struct Shop {
    kafka: Kafka,
    folder: tempfile::TempDir,
}

impl Shop {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn start(&self, name: &str, role: &str, more: &[(&str, &str)]) -> Ouzel {
        let versions = self.path("versions").display().to_string();
        let ours = [("OUZEL__STORAGE__ARTIFACTS", versions.as_str()), ("OUZEL__SERVER__ROLE", role)];
        let all: Vec<_> = SMALL_SHOP.into_iter().chain(ours).chain(more.iter().copied()).collect();
        self.kafka.ouzel_with(&self.path(name), &all)
    }
}

async fn has(ouzel: &Ouzel, count: u64) {
    ouzel.until("the events", "/state", |state| (state["events"]["events"] == count).then_some(())).await;
}

fn nothing_left(data: &Path) {
    assert_eq!(files_with(data, GONE), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn an_erased_user_leaves_the_files_of_every_process() {
    let shop = Shop { kafka: Kafka::new(), folder: tempfile::tempdir().unwrap() };
    let trainer = shop.start("trainer", "train", &[]);
    let primary = ("OUZEL__SERVER__PRIMARY_URL", trainer.url.as_str());
    let one = shop.start("one", "serve", &[primary]);
    let soon = ("OUZEL__STORAGE__ERASE_WITHIN", "2s");
    let two = shop.start("two", "serve", &[primary, soon]);
    trainer.ready().await;
    let sent: Value = events(0, 200, GONE);
    assert_eq!(one.post("/v1/events", &sent).await.1["accepted"], 200);
    for ouzel in [&trainer, &one, &two] {
        has(ouzel, 200).await;
    }
    let run = trainer.run().await;
    assert_eq!(run["version"], 1, "{run}");
    let artifacts = Artifacts::local(shop.path("versions")).unwrap();
    assert_eq!(artifacts_with(&artifacts, GONE).await, ["versions/1/users.json"]);
    for name in ["trainer", "one", "two"] {
        assert!(!files_with(&shop.path(name), GONE).is_empty(), "{name}");
    }
    one.until("the version", "/state", |state| state["live"]["version"].as_u64()).await;

    let (status, erased) = one.delete(&format!("/v1/users/{GONE}?wait=true")).await;
    assert_eq!((status, &erased), (200, &json!({ "user": GONE, "events": 7 })));
    nothing_left(&shop.path("one"));
    nothing_left(&shop.path("trainer"));
    assert_eq!(artifacts_with(&artifacts, GONE).await, Vec::<String>::new());
    has(&two, 193).await;
    two.until("the rewriting", "/state", |state| (state["erasures"]["waiting"] == 0).then_some(())).await;
    nothing_left(&shop.path("two"));

    // A replica that comes anew loads the version as it is now, and a restart reads no record twice.
    assert!(two.stop().success());
    for name in ["two", "three"] {
        let ouzel = shop.start(name, "serve", &[primary]);
        ouzel.until("the version", "/state", |state| state["live"]["version"].as_u64()).await;
        has(&ouzel, 193).await;
        assert!(ouzel.stop().success());
    }
    nothing_left(&shop.path("two"));
}
