//! Users are taken out of versions, over each kind of place, also where a crash came between.

use super::tests::{draft, model, numbers, store};
use super::*;
use crate::model::artifact::ArtifactError;
use crate::model::ids::UserId;
use crate::model::manifest::REWRITTEN_FORMAT;
use crate::store::artifacts::tests::each_kind;

/// Names one user.
fn only(name: &'static str) -> impl Fn(&Manifest, &UserId) -> bool + Send + 'static {
    move |_, user| user.as_str() == name
}

fn users(fitted: &Fitted) -> Vec<&str> {
    fitted.user_ids.iter().map(UserId::as_str).collect()
}

/// The version's files, without its folder.
async fn names(place: &Artifacts, version: Version) -> Vec<String> {
    let paths = place.list(&folder(version)).await.unwrap();
    paths.iter().map(|path| path.rsplit('/').next().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_user_is_taken_out_and_nothing_else() {
    each_kind(async |place| {
        let store = store(&place);
        let before = store.write(draft(), &model(&["a", "b", "c"])).await.unwrap();
        let version = before.version;
        assert_eq!(store.forget(version, only("nobody")).await.unwrap(), 0);
        assert_eq!(store.manifest(version).await.unwrap(), before);
        assert_eq!(store.forget(version, only("b")).await.unwrap(), 1);
        let (manifest, fitted) = store.load(version).await.unwrap();
        assert_eq!((users(&fitted), manifest.format), (vec!["a", "c"], REWRITTEN_FORMAT));
        let saved = fitted.recommender.save().unwrap();
        let mut wanted = model(&["a", "b", "c"]).recommender.save().unwrap();
        wanted.remove_rows("users", &[1]).unwrap();
        assert_eq!(saved, wanted);
        let kept = ["items.json", "manifest.json", "manifest.sha256", "users-2.json", "weights-2.safetensors"];
        assert_eq!(names(&place, version).await, kept);
        let same = |manifest: &Manifest| (manifest.data.clone(), manifest.recipe.clone(), manifest.created_ms);
        assert_eq!(same(&manifest), same(&before));

        assert_eq!(store.forget(version, only("a")).await.unwrap(), 1);
        assert_eq!(store.forget(version, only("c")).await.unwrap(), 1);
        let (_, fitted) = store.load(version).await.unwrap();
        assert!(fitted.user_ids.is_empty(), "the last one too");
        assert!(names(&place, version).await.contains(&"users-4.json".to_owned()));
        assert_eq!(numbers(&store.list().await.unwrap()), [1]);
    })
    .await;
}

#[tokio::test]
async fn a_crash_leaves_the_old_version_or_the_new_one_and_the_next_call_cleans_up() {
    each_kind(async |place| {
        let store = store(&place);
        let version = store.write(draft(), &model(&["a", "b"])).await.unwrap().version;
        let file = async |name: &str| place.get(&path(version, name)).await.unwrap().unwrap();
        let (old, old_sum) = (file(MANIFEST).await, file(MANIFEST_SUM).await);
        let (users_1, weights_1) = (file(USERS).await, file(WEIGHTS).await);
        store.forget(version, only("b")).await.unwrap();
        let (new, new_sum) = (file(MANIFEST).await, file(MANIFEST_SUM).await);
        let put = async |name: &str, bytes: &Bytes| place.put(&path(version, name), bytes.clone()).await.unwrap();

        // Killed before the manifest was replaced, and just after it.
        let both = Bytes::from([&new_sum[..], b"\n", &old_sum[..]].concat());
        for (manifest, left) in [(&old, vec!["a", "b"]), (&new, vec!["a"])] {
            put(USERS, &users_1).await;
            put(WEIGHTS, &weights_1).await;
            put(MANIFEST, manifest).await;
            put(MANIFEST_SUM, &both).await;
            let (_, fitted) = store.load(version).await.unwrap();
            assert_eq!(users(&fitted), left);
            store.forget(version, only("b")).await.unwrap();
            assert_eq!(users(&store.load(version).await.unwrap().1), ["a"]);
            assert_eq!(names(&place, version).await.len(), 5, "no file is left over");
        }
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_made_a_model_is_not_written() {
    each_kind(async |place| {
        let store = store(&place);
        let version = store.write(draft(), &model(&["a", "b"])).await.unwrap().version;
        let broken = VersionStore { loader: |_, _| Err(ArtifactError::Missing("it".to_owned())), ..store.clone() };
        assert!(matches!(broken.forget(version, only("a")).await, Err(VersionError::Model { .. })));
        assert_eq!(users(&store.load(version).await.unwrap().1), ["a", "b"]);
        assert!(names(&place, version).await.contains(&USERS.to_owned()));
    })
    .await;
}

#[tokio::test]
async fn who_was_erased_meanwhile_is_not_written_at_all() {
    each_kind(async |place| {
        let (store, fitted) = (store(&place), model(&["a", "b"]));
        let files = ModelFiles::of(&fitted).unwrap().without(&fitted.user_ids, |user| user.as_str() == "a").unwrap();
        let manifest = store.write_files(draft(), files).await.unwrap();
        assert_eq!(users(&store.load(manifest.version).await.unwrap().1), ["b"]);
        let none = ModelFiles::of(&fitted).unwrap().without(&fitted.user_ids, |_| false).unwrap();
        assert_eq!(none.0, ModelFiles::of(&fitted).unwrap().0);
    })
    .await;
}
