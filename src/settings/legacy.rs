//! The original system's environment variables. An empty one counts as not set.

use super::load::Environment;

/// A variable with the section and key it stands for.
const MEANT: [(&str, &str, &str); 9] = [
    ("KAFKA_BROKERS", "kafka", "brokers"),
    ("DATA_TOPIC", "kafka", "requests_topic"),
    ("MODEL_TOPIC", "kafka", "models_topic"),
    ("DATA_GROUP", "kafka", "requests_group"),
    ("MODEL_GROUP", "kafka", "models_group"),
    ("SERVING_PORT", "server", "port"),
    ("MINIO_URL", "storage", "s3_endpoint"),
    ("MINIO_KEY", "storage", "s3_access_key"),
    ("MINIO_SECRET", "storage", "s3_secret_key"),
];

/// Variables of parts that are gone, with what came in their place.
const GONE: [(&str, &str); 4] = [
    ("MODEL_URL_TOPIC", "versions are announced on kafka.models_topic"),
    ("MODEL_URL_GROUP", "versions are announced on kafka.models_topic"),
    ("DEFAULT_RECOMMENDER_URL", "the model is served by this process"),
    ("ALTERNATIVE_RECOMMENDER_URL", "the model is served by this process"),
];

/// A value that one of the original's variables gives.
pub(super) struct Meant<'a> {
    pub(super) variable: &'static str,
    pub(super) section: &'static str,
    pub(super) key: &'static str,
    pub(super) text: std::borrow::Cow<'a, str>,
}

/// The values that the original's variables give.
pub(super) fn values(environment: &Environment) -> Vec<Meant<'_>> {
    let given = |name: &str| environment.get(name).map(|text| text.trim()).filter(|text| !text.is_empty());
    MEANT
        .into_iter()
        .filter_map(|(variable, section, key)| {
            let text = given(variable)?;
            // The original named its store by host and port alone.
            let text = match key {
                "s3_endpoint" if !text.contains("://") => format!("http://{text}").into(),
                _ => text.into(),
            };
            Some(Meant { variable, section, key, text })
        })
        .collect()
}

/// What is to be said about variables that mean nothing any more.
pub(super) fn warnings(environment: &Environment) -> Vec<String> {
    let said = |&(name, why): &(&str, &str)| format!("{name} is set but not used: {why}");
    GONE.iter().filter(|(name, _)| environment.get(*name).is_some_and(|text| !text.is_empty())).map(said).collect()
}
