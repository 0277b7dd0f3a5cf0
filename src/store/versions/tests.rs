//! Over each kind of place: what is written is read, what is damaged is noticed, what is torn is no version.

use std::sync::Arc;

use super::*;
use crate::model::artifact::{ArtifactError, Tensors};
use crate::model::ids::{ItemId, UserId};
use crate::model::manifest::DataRange;
use crate::model::recommender::{RecipeSpec, Recommender, Taste};
use crate::store::artifacts::tests::each_kind;

/// A score per item, the same for everybody, and a number per user that says who was trained.
#[derive(Debug)]
struct Table {
    scores: Vec<f32>,
    users: Vec<u32>,
}

impl Recommender for Table {
    fn kind(&self) -> &'static str {
        "table"
    }

    fn items(&self) -> usize {
        self.scores.len()
    }

    fn score_all(&self, _taste: &Taste<'_>, out: &mut [f32]) -> bool {
        out.copy_from_slice(&self.scores);
        true
    }

    fn save(&self) -> Result<Tensors, ArtifactError> {
        let (items, users) = (self.scores.len(), self.users.len());
        Ok(Tensors::default().with_f32("scores", &[items], self.scores.clone()).with_u32(
            "users",
            &[users],
            self.users.clone(),
        ))
    }
}

fn load_table(spec: &RecipeSpec, mut tensors: Tensors) -> Result<Box<dyn Recommender>, ArtifactError> {
    if spec.kind != "table" {
        return Err(ArtifactError::Kind(spec.kind.clone()));
    }
    let (items, users) = (tensors.shape("scores")?.to_vec(), tensors.shape("users")?.to_vec());
    Ok(Box::new(Table { scores: tensors.take_f32("scores", &items)?, users: tensors.take_u32("users", &users)? }))
}

fn ids<T: std::str::FromStr<Err: std::fmt::Debug>>(names: &[&str]) -> Arc<Vec<T>> {
    Arc::new(names.iter().map(|name| name.parse().unwrap()).collect())
}

pub(super) fn model(users: &[&str]) -> Fitted {
    let rows = (0..).take(users.len()).collect();
    Fitted {
        recommender: Box::new(Table { scores: vec![0.25, -1.5, 3.0], users: rows }),
        settings: serde_json::json!({ "half_life": 7 }),
        item_ids: ids::<ItemId>(&["25", "caffè", "\"quoted\""]),
        user_ids: ids::<UserId>(users),
    }
}

pub(super) fn draft() -> Manifest {
    Manifest {
        format: 0,
        run: Some("r1".to_owned()),
        imported: None,
        data: DataRange { events: 12, ..DataRange::default() },
        ..Manifest::by_hand(
            0,
            RecipeSpec { kind: "table".to_owned(), settings: serde_json::json!({ "half_life": 7 }) },
            1_700_000_000_000,
        )
    }
}

pub(super) fn store(place: &Artifacts) -> VersionStore {
    VersionStore { loader: load_table, ..VersionStore::new(place.clone(), 2) }
}

async fn written(place: &Artifacts, count: u64) -> VersionStore {
    let store = store(place);
    for number in 1..=count {
        assert_eq!(store.write(draft(), &model(&["u"])).await.unwrap().version, Version(number));
    }
    store
}

pub(super) fn numbers(manifests: &[Manifest]) -> Vec<u64> {
    manifests.iter().map(|manifest| manifest.version.0).collect()
}

#[tokio::test]
async fn what_is_written_is_loaded() {
    each_kind(async |place| {
        let store = store(&place);
        assert_eq!(store.next_version().await.unwrap(), Version(1));
        for users in [&["25", "новый"][..], &[]] {
            let fitted = model(users);
            let manifest = store.write(draft(), &fitted).await.unwrap();
            assert_eq!(manifest.format, ARTIFACT_FORMAT);
            assert_eq!(manifest.files.contains_key(USERS), !users.is_empty());
            let (read, loaded) = store.load(manifest.version).await.unwrap();
            assert_eq!(read, manifest);
            assert_eq!((&loaded.item_ids, &loaded.user_ids), (&fitted.item_ids, &fitted.user_ids));
            assert_eq!(loaded.settings, fitted.settings);
            assert_eq!(loaded.recommender.save().unwrap(), fitted.recommender.save().unwrap());
        }
        assert_eq!(numbers(&store.list().await.unwrap()), [2, 1]);
        assert!(matches!(store.load(Version(3)).await, Err(VersionError::Unknown(Version(3)))));
    })
    .await;
}

#[tokio::test]
async fn the_bodies_are_stable() {
    let folder = tempfile::tempdir().unwrap();
    let place = Artifacts::local(folder.path()).unwrap();
    store(&place).write(draft(), &model(&["25"])).await.unwrap();
    let text = |name: &str| std::fs::read_to_string(folder.path().join("versions/1").join(name)).unwrap();
    insta::assert_snapshot!(text(ITEMS), @r#"["25","caffè","\"quoted\""]"#);
    insta::assert_snapshot!(text(USERS), @r#"["25"]"#);
    insta::assert_snapshot!(text(MANIFEST), @r#"{"format":1,"version":1,"recipe":{"kind":"table","settings":{"half_life":7}},"created_ms":1700000000000,"run":"r1","parent":null,"data":{"events":12,"users":0,"items":0,"events_from_ms":null,"events_to_ms":null,"applied_seq":0,"offsets":[]},"protocol":"temporal","candidates":[],"gate":{"passed":true,"reasons":[]},"files":{"items.json":{"sha256":"b23f0ec0f3ed2f0dcc662349b7c193d58719211c4342da0bddbcc1389ac9414f","bytes":28},"users.json":{"sha256":"d3fc45e172f79b21f889e4d2c8d30f2d2dd49b50ed0c957443ffc9cd643ecc55","bytes":6},"weights.safetensors":{"sha256":"30aa1d3b8b9ef3a79a24972bade40b602b4f40389733a4b5a029904b03986789","bytes":144}}}"#);
}

#[tokio::test]
async fn damage_to_any_file_is_noticed_and_named() {
    each_kind(async |place| {
        let store = written(&place, 1).await;
        for file in [WEIGHTS, ITEMS, USERS, MANIFEST, MANIFEST_SUM] {
            let at = path(Version(1), file);
            let whole = place.get(&at).await.unwrap().unwrap();
            let mut flipped = whole.to_vec();
            let middle = flipped.len() / 2;
            flipped[middle] ^= 1;
            for damaged in [flipped.into(), whole.slice(..whole.len() / 2), Bytes::new()] {
                place.put(&at, damaged).await.unwrap();
                let named = match store.load(Version(1)).await {
                    Err(VersionError::Damaged { version: Version(1), file, .. }) => file,
                    other => panic!("{file}: {:?}", other.map(|(manifest, _)| manifest)),
                };
                assert_eq!(named, if file == MANIFEST_SUM { MANIFEST } else { file });
            }
            if file != MANIFEST {
                place.delete(&at).await.unwrap();
                assert!(matches!(store.load(Version(1)).await, Err(VersionError::Damaged { .. })), "{file}");
            }
            place.put(&at, whole).await.unwrap();
            store.load(Version(1)).await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn a_version_that_is_set_aside_is_gone_but_its_number_is_not_given_again() {
    each_kind(async |place| {
        let store = written(&place, 3).await;
        store.activate(Version(2)).await.unwrap();
        store.activate(Version(3)).await.unwrap();
        place.put(&path(Version(3), WEIGHTS), Bytes::from_static(b"torn")).await.unwrap();
        let reason = store.load(Version(3)).await.err().unwrap().to_string();
        let aliases = store.set_aside(Version(3), &reason).await.unwrap();
        assert_eq!((aliases.live, aliases.previous), (Some(Version(2)), None));
        assert_eq!(aliases, store.aliases().await.unwrap());
        assert!(matches!(store.load(Version(3)).await, Err(VersionError::Unknown(_))));
        assert!(matches!(store.activate(Version(3)).await, Err(VersionError::Unknown(_))));
        assert_eq!(numbers(&store.list().await.unwrap()), [2, 1]);
        assert_eq!(store.clean().await.unwrap(), []);
        assert_eq!(store.next_version().await.unwrap(), Version(4));
        store.load(Version(2)).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn what_was_set_aside_is_kept_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let store = written(&Artifacts::local(folder.path()).unwrap(), 2).await;
    store.set_aside(Version(1), "weights.safetensors is missing").await.unwrap();
    let kept = folder.path().join("quarantine/versions/1-1");
    assert!(kept.join(WEIGHTS).exists() && kept.join(MANIFEST).exists());
    let note = std::fs::read_to_string(kept.join(DAMAGED)).unwrap();
    assert!(note.contains("weights.safetensors is missing"), "{note}");
    assert!(!folder.path().join("versions/1").exists());
}

#[tokio::test]
async fn what_a_crash_leaves_is_no_version_and_is_cleaned_up() {
    each_kind(async |place| {
        let store = written(&place, 1).await;
        let whole = place.get(&path(Version(1), WEIGHTS)).await.unwrap().unwrap();
        place.put(&path(Version(2), WEIGHTS), whole).await.unwrap();
        place.put(&path(Version(2), MANIFEST_SUM), Bytes::from_static(b"0")).await.unwrap();
        place.put(&path(Version(3), "weights.safetensors.tmp-1-0"), Bytes::from_static(b"x")).await.unwrap();
        assert_eq!(numbers(&store.list().await.unwrap()), [1]);
        assert!(matches!(store.load(Version(2)).await, Err(VersionError::Unknown(_))));
        assert!(matches!(store.activate(Version(2)).await, Err(VersionError::Unknown(_))));
        assert_eq!(store.next_version().await.unwrap(), Version(4));
        assert_eq!(store.clean().await.unwrap(), [Version(2), Version(3)]);
        assert_eq!(store.clean().await.unwrap(), []);
        assert_eq!(store.write(draft(), &model(&[])).await.unwrap().version, Version(2));
        store.load(Version(1)).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn activate_and_rollback_move_both_aliases() {
    each_kind(async |place| {
        let store = written(&place, 2).await;
        assert_eq!(store.aliases().await.unwrap(), Aliases::default());
        assert!(matches!(store.rollback().await, Err(VersionError::NoPrevious)));
        let both = |aliases: Aliases| (aliases.live.map(|v| v.0), aliases.previous.map(|v| v.0));
        assert_eq!(both(store.activate(Version(1)).await.unwrap()), (Some(1), None));
        assert!(matches!(store.rollback().await, Err(VersionError::NoPrevious)));
        assert_eq!(both(store.activate(Version(2)).await.unwrap()), (Some(2), Some(1)));
        assert_eq!(both(store.activate(Version(2)).await.unwrap()), (Some(2), Some(1)));
        assert_eq!(both(store.rollback().await.unwrap()), (Some(1), Some(2)));
        assert_eq!(both(store.rollback().await.unwrap()), (Some(2), Some(1)));
        assert_eq!(both(store.aliases().await.unwrap()), (Some(2), Some(1)));
        assert!(matches!(store.activate(Version(9)).await, Err(VersionError::Unknown(Version(9)))));
    })
    .await;
}

#[tokio::test]
async fn pruning_leaves_the_newest_the_live_and_the_previous() {
    each_kind(async |place| {
        let store = written(&place, 6).await;
        store.activate(Version(1)).await.unwrap();
        store.activate(Version(3)).await.unwrap();
        assert_eq!(store.prune().await.unwrap(), [Version(4), Version(2)]);
        assert_eq!(numbers(&store.list().await.unwrap()), [6, 5, 3, 1]);
        assert_eq!(store.prune().await.unwrap(), []);
        assert_eq!(place.list("versions/4").await.unwrap(), Vec::<String>::new());
        for version in [1, 3, 5, 6] {
            store.load(Version(version)).await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn a_later_format_and_an_unknown_kind_are_told_from_damage() {
    each_kind(async |place| {
        let store = written(&place, 1).await;
        let later = Bytes::from(r#"{"format":99,"version":{"major":1}}"#);
        place.put(&path(Version(1), MANIFEST_SUM), files::sum(&later).into()).await.unwrap();
        place.put(&path(Version(1), MANIFEST), later).await.unwrap();
        assert!(matches!(store.load(Version(1)).await, Err(VersionError::Later { format: 99, .. })));
        let unknown = Manifest { recipe: RecipeSpec { kind: "oracle".to_owned(), ..draft().recipe }, ..draft() };
        let version = store.write(unknown, &model(&[])).await.unwrap().version;
        let error = store.load(version).await.err().unwrap();
        assert_eq!(error.to_string(), "version 2 makes no model: unknown kind of model oracle");
    })
    .await;
}
