use std::path::PathBuf;

use proptest::prelude::*;

use super::load::load_for_test as load_from;
use super::*;

fn environment(pairs: &[(&str, &str)]) -> Environment {
    pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn with(pairs: &[(&str, &str)]) -> Result<Loaded, SettingsError> {
    load_from(None, &environment(pairs))
}

fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.toml");
    std::fs::write(&path, text).unwrap();
    (folder, path)
}

/// The problems, with the test's own folder taken out of them.
fn told(folder: &tempfile::TempDir, error: &SettingsError) -> String {
    error.to_string().replace(&format!("{}/", folder.path().display()), "")
}

#[test]
fn the_defaults_load_without_a_word() {
    let loaded = with(&[]).unwrap();
    assert!(loaded.warnings.is_empty());
    assert_eq!(loaded.settings.server.port, 5500);
    assert_eq!(loaded.settings.ingest.weights["cart"], 0.5);
    assert_eq!(artifacts_place(&loaded.settings), PathBuf::from("./data/artifacts"));
}

#[test]
fn every_default_survives_being_written_and_read() {
    let settings = with(&[]).unwrap().settings;
    let written = toml::to_string(&settings).unwrap();
    let (_folder, path) = file(&written);
    assert_eq!(load_from(Some(&path), &Environment::new()).unwrap().settings, settings);
}

#[test]
fn every_problem_is_told_at_once_with_key_and_source() {
    let (folder, path) = file(
        r#"
        colour = "red"
        serving = 3

        [server]
        prot = 80
        port = "http"
        address = "localhost"
        shutdown_grace = "25"

        [auth]
        keys = ["hunter2"]

        [kafka]
        start = "yesterday"
        brokers = "one:9092,two:"
        options = { "security.protocol" = ["SASL_SSL"], "linger.ms" = 5 }

        [ingest.weights]
        view = "little"

        [training]
        candidates = ["ease", "magic"]
        ease_lambdas = [50.0, -1.0]
        neural_held_out = 0.7

        [serve]
        n = 1
        "#,
    );
    let variables = environment(&[
        ("OUZEL__GATE__MARGIN", "1.5"),
        ("OUZEL__GATE__METRIC", "auc"),
        ("OUZEL__KAFKA__BATCH", "0"),
        ("OUZEL__REGISTRY__KEEP", "many"),
        ("OUZEL__SCHEDULE__CRON", "0 3 * *"),
        ("OUZEL__SCHEDULE__INTERVAL", "3651d"),
        ("OUZEL__TRAINING__HALF_LIFE", "10ms"),
        ("OUZEL__STORAGE__S3_SECRET_KEY_FILE", "/nowhere/secret"),
        ("OUZEL__INGEST__WEIGHTS", "1"),
        ("OUZEL__TELEMETRY__LOG__LEVEL", "info"),
        ("OUZEL__NONSENSE", "1"),
        ("SERVING_PORT", "70000"),
    ]);
    let error = load_from(Some(&path), &variables).unwrap_err();
    insta::assert_snapshot!(told(&folder, &error), @r#"
    the settings are not usable:
      OUZEL__NONSENSE (OUZEL__NONSENSE): is no key: write it as OUZEL__SECTION__KEY
      auth.keys (shop.toml): element 1 must be scope:key or scope+scope:key with the scopes read, ingest, admin
      colour (shop.toml): there is no such section; sections are auth, gate, ingest, kafka, overseer, registry, schedule, server, serving, storage, telemetry, training
      gate.margin (OUZEL__GATE__MARGIN): must be a number from 0 to 1, not 1.5
      gate.metric (OUZEL__GATE__METRIC): must be one of ndcg@10, recall@20, hr@10, not "auc"
      ingest.weights (OUZEL__INGEST__WEIGHTS): is a table: name the entry, as in OUZEL__INGEST__WEIGHTS__NAME
      ingest.weights.view (shop.toml): must be a number, not "little"
      kafka.batch (OUZEL__KAFKA__BATCH): must be a whole number from 1 to 1000000, not 0
      kafka.brokers (shop.toml): must be host:port,…; "two:" is not
      kafka.options.security.protocol (shop.toml): must be a text, a number, true or false
      kafka.start (shop.toml): must be earliest, latest, ts=2026-01-31T00:00:00Z or last=7d, not "yesterday"
      registry.keep (OUZEL__REGISTRY__KEEP): must be a whole number, not "many"
      schedule.cron (OUZEL__SCHEDULE__CRON): must have five fields (minute, hour, day, month, weekday), not 4
      schedule.interval (OUZEL__SCHEDULE__INTERVAL): must be 0s or a span from 1s to 3650d, not 3651d
      serve.n (shop.toml): there is no such section; sections are auth, gate, ingest, kafka, overseer, registry, schedule, server, serving, storage, telemetry, training
      server.address (shop.toml): must be an IP address such as 127.0.0.1 or 0.0.0.0, not "localhost"
      server.port (SERVING_PORT): must be a whole number from 0 to 65535, not 70000
      server.prot (shop.toml): there is no such key; is port meant?
      server.shutdown_grace (shop.toml): "25" is no span of time: write it as 500ms, 30s, 10m, 24h or 7d
      serving (shop.toml): is a section: write [serving] and its keys below
      storage.s3_secret_key_file (OUZEL__STORAGE__S3_SECRET_KEY_FILE): /nowhere/secret cannot be read: No such file or directory (os error 2)
      telemetry.log.level (OUZEL__TELEMETRY__LOG__LEVEL): there is no such key
      training.candidates (shop.toml): there is no kind "magic"; kinds are popular, decayed-popular, recent-popular, item-knn, ease, ials, neural-cf, sequence, blend
      training.ease_lambdas (shop.toml): each must be a finite number above 0, not -1
      training.half_life (OUZEL__TRAINING__HALF_LIFE): must be 0s or a span from 1s to 36500d, not 10ms
      training.neural_held_out (shop.toml): must be a number from 0 to 0.5, not 0.7
    "#);
}

#[test]
fn a_variable_wins_over_the_originals_and_that_over_the_file() {
    let (_folder, path) = file("[kafka]\nbrokers = 'file:1'\nrequests_topic = 'file'\nrequests_group = 'file'\n");
    let variables = environment(&[
        ("KAFKA_BROKERS", "original:1"),
        ("DATA_TOPIC", "original"),
        ("OUZEL__KAFKA__BROKERS", "ours:1,ours:2"),
        ("DATA_GROUP", ""),
    ]);
    let kafka = load_from(Some(&path), &variables).unwrap().settings.kafka;
    assert_eq!((kafka.brokers.as_str(), kafka.requests_topic.as_str()), ("ours:1,ours:2", "original"));
    assert_eq!(kafka.requests_group, "file", "an empty variable of the original counts as not set");
}

#[test]
fn the_originals_variables_mean_what_they_meant() {
    let loaded = with(&[
        ("KAFKA_BROKERS", "broker:9092"),
        ("DATA_TOPIC", "data"),
        ("MODEL_TOPIC", "models-here"),
        ("DATA_GROUP", "g1"),
        ("MODEL_GROUP", "g2"),
        ("SERVING_PORT", "5501"),
        ("MINIO_URL", "minio:9000"),
        ("MINIO_KEY", "minio"),
        ("MINIO_SECRET", "minio123"),
        ("PUBLISHER_DATA_INTERVAL", "1 second"),
        ("MODEL_URL_TOPIC", "old"),
        ("ALTERNATIVE_RECOMMENDER_URL", "http://old"),
    ])
    .unwrap();
    let Settings { server, kafka, storage, .. } = &loaded.settings;
    assert_eq!((server.port, kafka.brokers.as_str()), (5501, "broker:9092"));
    assert_eq!((kafka.requests_topic.as_str(), kafka.models_topic.as_str()), ("data", "models-here"));
    assert_eq!((kafka.requests_group.as_str(), kafka.models_group.as_str()), ("g1", "g2"));
    assert_eq!(storage.s3_endpoint, "http://minio:9000");
    assert_eq!((storage.s3_access_key.expose(), storage.s3_secret_key.expose()), ("minio", "minio123"));
    assert_eq!(loaded.warnings.len(), 2, "{:?}", loaded.warnings);
    assert!(loaded.warnings[0].starts_with("MODEL_URL_TOPIC"));
}

#[test]
fn lists_and_tables_come_from_variables() {
    let settings = with(&[
        ("OUZEL__TRAINING__CANDIDATES", "ease, popular"),
        ("OUZEL__TRAINING__EASE_LAMBDAS", "10,20.5"),
        ("OUZEL__STORAGE__IMPORT_WATCH", ""),
        ("OUZEL__INGEST__WEIGHTS__addToList", "-0.5"),
        ("OUZEL__KAFKA__OPTIONS__SECURITY_PROTOCOL", "SASL_SSL"),
        ("OUZEL__SCHEDULE__ON_START", "false"),
    ])
    .unwrap()
    .settings;
    assert_eq!(settings.training.candidates, ["ease", "popular"]);
    assert_eq!(settings.training.ease_lambdas, [10.0, 20.5]);
    assert!(settings.storage.import_watch.is_empty());
    assert_eq!(settings.ingest.weights["addToList"], -0.5);
    assert_eq!(settings.ingest.weights["purchase"], 1.0, "the other weights stay");
    assert_eq!(settings.kafka.options["security.protocol"].expose(), "SASL_SSL");
    assert!(!settings.schedule.on_start);
}

#[test]
fn secrets_come_from_files() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let settings = with(&[
        ("OUZEL__STORAGE__S3_ACCESS_KEY", "me"),
        ("OUZEL__STORAGE__S3_SECRET_KEY_FILE", &place("s3", "s3cret\n")),
        ("OUZEL__AUTH__KEYS", "read:one"),
        ("OUZEL__AUTH__KEYS_FILE", &place("keys", "# ours\nadmin:two\n\ningest+read:three\n")),
        ("OUZEL__KAFKA__OPTIONS__SASL_PASSWORD_FILE", &place("sasl", "pass")),
    ])
    .unwrap()
    .settings;
    assert_eq!(settings.storage.s3_secret_key.expose(), "s3cret");
    let keys: Vec<&str> = settings.auth.keys.iter().map(Secret::expose).collect();
    assert_eq!(keys, ["read:one"], "the file's are kept by whoever reads it again");
    assert_eq!(settings.kafka.options["sasl.password"].expose(), "pass");
    let shown = toml::to_string(&settings).unwrap();
    assert!(settings.auth.has_keys());
    assert!(!["s3cret", "one", "two", "three", "\"pass\""].iter().any(|secret| shown.contains(secret)), "{shown}");

    let error = with(&[("OUZEL__AUTH__KEYS_FILE", &place("keys", "read:ok\nhunter2"))]).unwrap_err();
    assert!(error.to_string().contains("line 2") && !error.to_string().contains("hunter2"), "{error}");
    let error = with(&[("OUZEL__AUTH__KEYS_FILE", &place("keys", "# none yet\n"))]).unwrap_err();
    assert!(error.to_string().contains("holds no key"), "{error}");
}

#[test]
fn keys_that_contradict_each_other_are_told() {
    let error = with(&[
        ("OUZEL__SERVER__ADDRESS", "0.0.0.0"),
        ("OUZEL__SERVER__ROLE", "serve"),
        ("OUZEL__KAFKA__BATCH", "9000"),
        ("OUZEL__KAFKA__MODELS_TOPIC", "events"),
        ("OUZEL__STORAGE__S3_ACCESS_KEY", "me"),
        ("OUZEL__OVERSEER__HUNG_AFTER", "1s"),
        ("OUZEL__OVERSEER__BACKOFF_MIN", "1m"),
    ])
    .unwrap_err();
    insta::assert_snapshot!(error, @r"
    the settings are not usable:
      kafka.batch (OUZEL__KAFKA__BATCH): a batch from Kafka is written as one, so it may not be above ingest.batch (5000)
      kafka.models_topic (OUZEL__KAFKA__MODELS_TOPIC): is the same topic as kafka.events_topic: each needs one of its own
      overseer.backoff_min (OUZEL__OVERSEER__BACKOFF_MIN): must not be longer than overseer.backoff_max (10s)
      overseer.hung_after (OUZEL__OVERSEER__HUNG_AFTER): must be longer than overseer.heartbeat (1s)
      server.address (OUZEL__SERVER__ADDRESS): 0.0.0.0 can be reached by others: set auth.keys or auth.keys_file, or auth.allow_anonymous = true to let anybody in
      server.role (OUZEL__SERVER__ROLE): roles train and serve share their events over Kafka: set kafka.brokers, or use role all
      storage.s3_access_key (OUZEL__STORAGE__S3_ACCESS_KEY): needs storage.s3_secret_key or storage.s3_secret_key_file beside it
    ");
    assert!(with(&[("OUZEL__SERVER__ADDRESS", "0.0.0.0"), ("OUZEL__AUTH__KEYS", "read:k")]).is_ok());
    assert!(with(&[("OUZEL__SERVER__ADDRESS", "::"), ("OUZEL__AUTH__ALLOW_ANONYMOUS", "true")]).is_ok());
    assert!(with(&[("OUZEL__SERVER__ADDRESS", "127.0.0.9")]).is_ok());
}

#[test]
fn a_file_that_cannot_be_read_does_not_hide_other_problems() {
    let (folder, path) = file("[server]\nport = = 1\n");
    let error = load_from(Some(&path), &environment(&[("OUZEL__SERVER__PORT", "x")])).unwrap_err();
    let text = told(&folder, &error);
    assert!(text.contains("file (shop.toml): is no TOML, line 2"), "{text}");
    assert!(text.contains("server.port (OUZEL__SERVER__PORT)"), "{text}");
    let missing = load_from(Some(&folder.path().join("none.toml")), &Environment::new()).unwrap_err();
    assert!(missing.to_string().contains("cannot be read"), "{missing}");
}

/// Every key of the defaults as (section, key, default).
fn keys() -> Vec<(String, String, toml::Value)> {
    let table: toml::Table = toml::from_str(DEFAULTS).unwrap();
    let section = |(section, keys): (&String, &toml::Value)| {
        let of = |(key, value): (&String, &toml::Value)| (section.clone(), key.clone(), value.clone());
        keys.as_table().unwrap().iter().map(of).collect::<Vec<_>>()
    };
    table.iter().flat_map(section).collect()
}

#[test]
fn every_key_gives_its_default_again_from_a_variable() {
    let defaults = with(&[]).unwrap().settings;
    for (section, key, value) in keys() {
        let element = |value: &toml::Value| match value {
            toml::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let text = match &value {
            toml::Value::Table(_) => continue,
            toml::Value::Array(elements) => elements.iter().map(element).collect::<Vec<_>>().join(","),
            other => element(other),
        };
        let name = format!("OUZEL__{}__{}", section.to_uppercase(), key.to_uppercase());
        assert_eq!(with(&[(name.as_str(), text.as_str())]).unwrap().settings, defaults, "{name}={text}");
    }
}

proptest! {
    #[test]
    fn no_text_in_any_variable_panics_and_none_is_swallowed(which in 0_usize..200, text in "\\PC{0,12}") {
        let keys = keys();
        let (section, key, default) = &keys[which % keys.len()];
        let name = format!("OUZEL__{}__{}", section.to_uppercase(), key.to_uppercase());
        match with(&[(name.as_str(), text.as_str())]) {
            Ok(_) => prop_assert!(!default.is_table()),
            Err(error) => prop_assert!(error.0.iter().all(|p| p.source == name || p.source == "default"), "{error}"),
        }
    }

    #[test]
    fn an_unknown_key_always_stops_the_start(key in "[a-z]{1,8}_x") {
        let error = with(&[(format!("OUZEL__SERVER__{key}").as_str(), "1")]).unwrap_err();
        prop_assert_eq!(&error.0[0].key, &format!("server.{key}"));
    }
}
