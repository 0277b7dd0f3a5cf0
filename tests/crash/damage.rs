//! Damaged versions are set aside and never served.

use serde_json::json;

use crate::harness::{Ouzel, shop};

#[tokio::test]
async fn a_version_with_a_wrong_checksum_is_set_aside_and_the_one_before_answers() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let settings = [("OUZEL__TRAINING__CANDIDATES", "popular,ease")];
    let ouzel = Ouzel::start(&data, &settings);
    ouzel.ready().await;
    ouzel.post("/v1/events", &json!(shop(0, 3000))).await;
    ouzel.until("the first version", "/state", |state| state["live"]["version"].as_u64()).await;
    assert_eq!(ouzel.run().await["version"], 2);
    assert!(ouzel.stop().success());

    let weights = data.join("artifacts/versions/2/weights.safetensors");
    let mut bytes = std::fs::read(&weights).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&weights, bytes).unwrap();

    let ouzel = Ouzel::start(&data, &settings);
    ouzel.ready().await;
    let live = ouzel.until("the version before", "/state", |state| state["live"]["version"].as_u64()).await;
    assert_eq!(live, 1);
    assert_eq!(ouzel.get("/v1/versions/2").await.0, 404);
    assert_eq!(ouzel.run().await["version"], 3);
}
