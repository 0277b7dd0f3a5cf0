//! Records of the topic of versions.

use std::sync::Arc;

use serde::Serialize;

use super::JSON;
use super::descriptor::NAME;
use crate::kafka::producer::OutRecord;
use crate::model::version_news::VersionNews;

/// What a record holds, in JSON.
#[derive(Serialize)]
struct Told<'a> {
    /// By which a record that was delivered twice is known.
    id: String,
    /// When it happened, milliseconds of the epoch.
    time_ms: i64,
    #[serde(flatten)]
    news: &'a VersionNews,
}

/// The record that tells of something that happened at `now_ms`, for the topic of versions. All have one key, so that they
/// stay in order.
///
/// # Errors
/// When it cannot be written as JSON.
pub fn record(topic: &str, news: &VersionNews, now_ms: i64) -> serde_json::Result<OutRecord> {
    let told = Told { id: format!("{:016x}", rand::random::<u64>()), time_ms: now_ms, news };
    Ok(OutRecord {
        topic: Arc::from(topic),
        key: Some(NAME.as_bytes().to_vec()),
        payload: Some(serde_json::to_vec(&told)?),
        headers: vec![("content-type".to_owned(), JSON.as_bytes().to_vec())],
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::model::ids::Version;
    use crate::model::manifest::{CandidateFigures, Manifest};
    use crate::model::recommender::RecipeSpec;
    use crate::model::version_news::{By, What};

    #[test]
    fn a_record_says_what_became_of_which_version_and_by_whom() {
        let mut manifest = Manifest::by_hand(7, RecipeSpec { kind: "ease".to_owned(), settings: json!({}) }, 5);
        let of =
            |part: &str| CandidateFigures { model: "ease".to_owned(), part: part.to_owned(), ..Default::default() };
        manifest.candidates = vec![of("validation"), of("holdout")];
        let by = By::call("1f2e3d4c".to_owned(), "r1".to_owned());
        let news = VersionNews::live(What::RolledBack, &manifest, Some(Version(8)), by);
        let sent = record("versions", &news, 99).unwrap();
        assert_eq!((&*sent.topic, sent.key.as_deref()), ("versions", Some(b"recommender".as_slice())));
        let mut told: Value = serde_json::from_slice(&sent.payload.unwrap()).unwrap();
        let id = told.as_object_mut().unwrap().remove("id").unwrap();
        assert_eq!(id.as_str().unwrap().len(), 16);
        let figures = told.as_object_mut().unwrap().remove("figures").unwrap();
        assert_eq!(figures.as_array().unwrap().len(), 1);
        assert_eq!(figures[0]["part"], "holdout");
        let expected = json!({
            "time_ms": 99, "what": "rolled_back", "version": 7, "previous": 8, "kind": "ease", "events": 0,
            "by": { "caller": "1f2e3d4c", "request_id": "r1" }, "gate": { "passed": true, "reasons": [] },
        });
        assert_eq!(told, expected);
        let again = record("versions", &news, 99).unwrap();
        assert_ne!(serde_json::from_slice::<Value>(&again.payload.unwrap()).unwrap()["id"], id);
    }
}
