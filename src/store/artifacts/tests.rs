//! The same tests over a folder and, where `OUZEL_TEST_S3` names a server (see `scripts/s3`), over a bucket.

use std::env;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use super::*;
use crate::model::ids::Version;
use crate::settings::{Secret, Settings};
use crate::store::s3::{fetch_to_temp, head};

/// The defaults' section `storage`, with the test server's address and keys if there is one.
fn storage() -> (Storage, Option<String>) {
    let mut storage = toml::from_str::<Settings>(include_str!("../../../config/default.toml")).unwrap().storage;
    let Ok(endpoint) = env::var("OUZEL_TEST_S3") else { return (storage, None) };
    storage.s3_endpoint = endpoint;
    storage.s3_access_key = Secret::new(env::var("OUZEL_TEST_S3_KEY").unwrap());
    storage.s3_secret_key = Secret::new(env::var("OUZEL_TEST_S3_SECRET").unwrap());
    (storage, Some(env::var("OUZEL_TEST_S3_BUCKET").unwrap()))
}

/// A prefix that no other test and no earlier run has.
fn fresh_prefix(bucket: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    format!("s3://{bucket}/test-{since}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Runs a test over an empty place of each kind.
pub(in crate::store) async fn each_kind(test: impl AsyncFn(Artifacts)) {
    let folder = tempfile::tempdir().unwrap();
    test(Artifacts::local(folder.path().join("below/it")).unwrap()).await;
    let (mut storage, bucket) = storage();
    if let Some(bucket) = bucket {
        storage.artifacts = fresh_prefix(&bucket);
        test(Artifacts::open(&storage).unwrap()).await;
    }
}

fn live(version: u64) -> Aliases {
    Aliases { live: Some(Version(version)), ..Aliases::default() }
}

#[tokio::test]
async fn files_are_written_read_listed_and_deleted() {
    each_kind(async |place| {
        assert_eq!(place.get("a/b/one").await.unwrap(), None);
        assert_eq!(place.list("a").await.unwrap(), Vec::<String>::new());
        place.put("a/b/one", Bytes::from_static(b"1")).await.unwrap();
        place.put("a/b/one", Bytes::from_static(b"uno")).await.unwrap();
        assert!(place.put_new("a/two", Bytes::from_static(b"2")).await.unwrap());
        assert!(!place.put_new("a/two", Bytes::from_static(b"zwei")).await.unwrap());
        place.put("ab/three", Bytes::from_static(b"3")).await.unwrap();
        assert_eq!(place.get("a/b/one").await.unwrap().unwrap(), "uno");
        assert_eq!(place.get("a/two").await.unwrap().unwrap(), "2");
        assert_eq!(place.list("a").await.unwrap(), ["a/b/one", "a/two"]);
        place.delete("a/two").await.unwrap();
        place.delete("a/two").await.unwrap();
        assert!(!place.exists("a/two").await.unwrap());
        place.delete_prefix("a").await.unwrap();
        assert_eq!(place.list("a").await.unwrap(), Vec::<String>::new());
        assert!(place.exists("ab/three").await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn the_aliases_are_replaced_only_by_who_read_them_last() {
    each_kind(async |place| {
        assert!(place.read_alias().await.unwrap().is_none());
        place.replace_alias(&live(1), None).await.unwrap();
        assert!(matches!(place.replace_alias(&live(2), None).await, Err(AliasError::Conflict)));
        let (found, first) = place.read_alias().await.unwrap().unwrap();
        assert_eq!(found, live(1));
        place.replace_alias(&live(2), Some(first.clone())).await.unwrap();
        assert!(matches!(place.replace_alias(&live(3), Some(first)).await, Err(AliasError::Conflict)));
        let (found, second) = place.read_alias().await.unwrap().unwrap();
        assert_eq!(found, live(2));
        place.delete(ALIASES_PATH).await.unwrap();
        assert!(matches!(place.replace_alias(&live(3), Some(second)).await, Err(AliasError::Conflict)));
        assert!(place.read_alias().await.unwrap().is_none());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_read_the_same_aliases_one_replaces_them() {
    each_kind(async |place| {
        place.replace_alias(&live(1), None).await.unwrap();
        let (_, tag) = place.read_alias().await.unwrap().unwrap();
        let tasks: Vec<_> = (10..26)
            .map(|version| {
                let (place, tag) = (place.clone(), tag.clone());
                tokio::spawn(async move { place.replace_alias(&live(version), Some(tag)).await.map(|()| version) })
            })
            .collect();
        let mut won = Vec::new();
        for task in tasks {
            match task.await.unwrap() {
                Ok(version) => won.push(version),
                Err(AliasError::Conflict) => {}
                Err(other) => panic!("{other}"),
            }
        }
        assert_eq!(won.len(), 1, "{won:?}");
        assert_eq!(place.read_alias().await.unwrap().unwrap().0, live(won[0]));
    })
    .await;
}

#[test]
fn a_place_of_another_kind_is_refused() {
    let (mut storage, _) = storage();
    storage.artifacts = "gs://bucket/x".to_owned();
    let message = Artifacts::open(&storage).unwrap_err().to_string();
    assert_eq!(message, "storage.artifacts is gs://bucket/x: write a folder or s3://bucket/prefix");
}

#[test]
fn without_a_setting_it_is_the_folder_below_the_data() {
    let folder = tempfile::tempdir().unwrap();
    let (mut storage, _) = storage();
    storage.data_dir = folder.path().to_owned();
    let place = Artifacts::open(&storage).unwrap();
    assert_eq!(place.place(), folder.path().join("artifacts").display().to_string());
}

#[cfg(not(feature = "s3"))]
#[test]
fn a_build_without_s3_names_the_feature() {
    let (mut storage, _) = storage();
    storage.artifacts = "s3://shop/models".to_owned();
    let message = Artifacts::open(&storage).unwrap_err().to_string();
    assert!(message.contains("s3://shop/models") && message.contains("feature `s3`"), "{message}");
}

#[cfg(feature = "s3")]
#[tokio::test]
async fn an_object_is_copied_to_a_file_that_goes_with_its_owner() {
    let (storage, Some(bucket)) = storage() else { return };
    let folder = tempfile::tempdir().unwrap();
    let prefix = fresh_prefix(&bucket);
    let place = Artifacts::open(&Storage { artifacts: prefix.clone(), ..storage.clone() }).unwrap();
    let url = format!("{prefix}/in/transactions.csv.gz");
    let missing = fetch_to_temp(&url, &storage, folder.path()).await.unwrap_err();
    assert_eq!(missing.to_string(), format!("there is no object {url}"));
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);

    let content = Bytes::from((0..3_000_000_u32).flat_map(u32::to_le_bytes).collect::<Vec<_>>());
    place.put("in/transactions.csv.gz", content.clone()).await.unwrap();
    let fetched = fetch_to_temp(&url, &storage, folder.path()).await.unwrap();
    assert_eq!(fetched.state, head(&url, &storage).await.unwrap());
    assert_eq!(fetched.state.bytes, content.len() as u64);
    assert!(fetched.file.path().to_string_lossy().ends_with("transactions.csv.gz"));
    assert_eq!(std::fs::read(fetched.file.path()).unwrap(), content);
    drop(fetched);
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);

    let before = head(&url, &storage).await.unwrap();
    place.put("in/transactions.csv.gz", Bytes::from_static(b"new")).await.unwrap();
    assert_ne!(head(&url, &storage).await.unwrap().etag, before.etag);
}

#[cfg(feature = "s3")]
#[tokio::test]
async fn a_server_that_is_not_there_is_said_to_be_so() {
    let (mut storage, _) = storage();
    storage.s3_endpoint = "ftp://nowhere".to_owned();
    storage.s3_access_key = Secret::new("key");
    storage.s3_secret_key = Secret::new("a-secret-that-stays-one");
    let error = head("s3://shop/file", &storage).await.unwrap_err();
    let message = error.to_string();
    assert!(message.contains("s3://shop/file") && !message.contains("a-secret"), "{message}");
    assert!(matches!(error, S3Error::Request { .. }), "{error:?}");
}
