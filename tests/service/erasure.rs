//! Erased means gone: from every file of the data folder and of the artifact store, at once or by the due time.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use ouzel::model::clock::Clock;
use ouzel::settings::{Settings, load};
use ouzel::store::artifacts::Artifacts;
use ouzel::store::log::verify;
use serde_json::{Value, json};

use crate::harness::{Ouzel, PATIENCE, in_bucket};
use crate::traces_of::{SMALL_SHOP, artifacts_with, events, files_with};

/// An id that nothing else looks like.
const GONE: &str = "somebody-who-wants-to-be-forgotten";

/// Where versions go: below the data folder, and, where `OUZEL_TEST_S3` names a server, in a bucket.
fn places() -> Vec<Vec<(&'static str, String)>> {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    let bucket = in_bucket(&format!("erasure-{since}")).map(Vec::from);
    std::iter::once(Vec::new()).chain(bucket).collect()
}

/// The settings as the service reads them.
fn settings(data: &Path, more: &[(&str, String)]) -> Settings {
    let small = SMALL_SHOP.map(|(name, value)| (name, value.to_owned()));
    let folder = [("OUZEL__STORAGE__DATA_DIR", data.display().to_string()), ("OUZEL__SERVER__PORT", "0".to_owned())];
    let all = small.into_iter().chain(folder).chain(more.iter().cloned());
    let all: BTreeMap<String, String> = all.map(|(name, value)| (name.to_owned(), value)).collect();
    load(None, &all).unwrap().settings
}

async fn version_of(ouzel: &Ouzel, user: &str) -> (Value, Value) {
    let (_, mut list) = ouzel.get(&format!("/recommend?user={user}&n=5")).await;
    (list["model"]["version"].take(), list["items"].take())
}

#[tokio::test]
async fn an_erased_user_is_in_no_file_of_folder_and_store() {
    for place in places() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let more: Vec<(&str, &str)> = place.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let all: Vec<_> = SMALL_SHOP.into_iter().chain(more).collect();
        let artifacts = Artifacts::open(&settings(&data, &place).storage).unwrap();
        let ouzel = Ouzel::start(&data, &all);
        ouzel.ready().await;
        for (version, range) in [(1, (0, 160)), (2, (160, 200))] {
            assert_eq!(ouzel.post("/v1/events", &events(range.0, range.1, GONE)).await.0, 200);
            let run = ouzel.run().await;
            assert_eq!(run["version"], version, "{run}");
        }
        let note = json!({ "UserId": GONE, "Labels": ["first"] });
        assert_eq!(ouzel.post("/api/user", &note).await.0, 200);
        let had = files_with(&data, GONE);
        for ending in ["jnl", "parquet"] {
            assert!(had.iter().any(|path| path.extension().is_some_and(|ext| ext == ending)), "{ending} in {had:?}");
        }
        let versions = ["versions/1/users.json", "versions/2/users.json"];
        assert_eq!(artifacts_with(&artifacts, GONE).await, versions, "in {}", artifacts.place());
        let others = version_of(&ouzel, "user-3").await;
        assert_eq!(others.0, 2);

        assert_eq!(ouzel.delete(&format!("/v1/users/{GONE}?wait=maybe")).await.0, 400);
        let (status, erased) = ouzel.delete(&format!("/v1/users/{GONE}?wait=true")).await;
        assert_eq!((status, &erased), (200, &json!({ "user": GONE, "events": 7 })));
        assert_eq!(files_with(&data, GONE), Vec::<std::path::PathBuf>::new());
        assert_eq!(artifacts_with(&artifacts, GONE).await, Vec::<String>::new());
        assert_eq!(ouzel.get("/state").await.1["erasures"]["waiting"], 0);
        assert_eq!(version_of(&ouzel, "user-3").await, others, "others are answered as before");

        // Whoever comes back is a stranger to the versions of before.
        let back = json!({ "user": GONE, "item": "item-3" });
        assert_eq!(ouzel.post("/v1/events", &back).await.1["accepted"], 1);
        let list = version_of(&ouzel, GONE).await.1;
        assert!(list.as_array().unwrap().iter().all(|item| item["source"] != "personal"), "{list}");
        ouzel.kill();

        let ouzel = Ouzel::start(&data, &all);
        ouzel.ready().await;
        ouzel.until("the live version", "/state", |state| state["live"]["version"].as_u64()).await;
        assert_eq!(version_of(&ouzel, "user-3").await, others);
        assert_eq!(ouzel.get(&format!("/v1/users/{GONE}")).await.1["events"].as_array().unwrap().len(), 1);
        assert_eq!(ouzel.post("/v1/rollback", &json!({})).await.0, 200, "the version before is whole");
        assert!(ouzel.stop().success());
        assert_eq!(verify(&data).unwrap().findings, []);
    }
}

#[test]
fn by_the_due_time_it_is_gone_without_anybody_asking() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let clock = Clock::held(1_800_000_000_000);
    let settings = settings(&data, &[]);
    let hour = 3_600_000;
    ouzel::cli::choose_tls();
    ouzel::app::run(async {
        let running = ouzel::app::start(settings, clock.clone()).await.unwrap();
        let (url, http) = (running.url(), reqwest::Client::new());
        let erasures = running.recommending.erasures.clone();
        let sent = http.post(format!("{url}/v1/events")).json(&events(0, 200, GONE)).send().await.unwrap();
        assert_eq!(sent.status(), 200);
        // Two erasures hours apart share a pass.
        for (user, later) in [(GONE, 5 * hour), ("user-4", 6 * hour)] {
            let erased = http.delete(format!("{url}/v1/users/{user}")).send().await.unwrap();
            assert_eq!(erased.status(), 200);
            clock.advance_ms(later);
        }
        assert_eq!(erasures.waiting().unwrap().count, 2);
        assert!(!files_with(&data, GONE).is_empty());
        clock.advance_ms(hour);
        let begun = Instant::now();
        while erasures.waiting().is_some() {
            assert!(begun.elapsed() < PATIENCE, "{:?}", erasures.waiting());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        for user in [GONE, "user-4/"] {
            assert_eq!(files_with(&data, user), Vec::<std::path::PathBuf>::new());
        }
        let rewritten = std::fs::read_dir(data.join("segments")).unwrap();
        let names: Vec<String> = rewritten.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        assert!(names.iter().all(|name| !name.contains("_r0002")), "one pass for both: {names:?}");
        running.stop().await;
    });
}
