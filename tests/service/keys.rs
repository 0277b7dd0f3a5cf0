//! Keys of a file: taken up while the service runs, each change in the audit lines.

use std::time::{Duration, Instant};

use crate::harness::{Ouzel, PATIENCE, command};

/// Asks with a key until the status is the wanted one.
async fn until(ouzel: &Ouzel, path: &str, key: &str, wanted: u16) {
    let (begun, http) = (Instant::now(), reqwest::Client::new());
    loop {
        let answer = http.get(format!("{}{path}", ouzel.url)).header("x-api-key", key).send().await.unwrap();
        if answer.status().as_u16() == wanted {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{} and not {wanted} of {path}", answer.status());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_rotated_key_is_let_in_and_the_old_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (file, log) = (folder.path().join("keys"), folder.path().join("log"));
    let write = |text: &str| std::fs::write(&file, text).unwrap();
    write("read:old-reader\nadmin:chief\n");
    let path = file.display().to_string();
    let settings = [("OUZEL__AUTH__KEYS_FILE", path.as_str()), ("OUZEL__TELEMETRY__LOG", "info")];
    let mut command = command(&folder.path().join("data"), &settings);
    command.stderr(std::fs::File::create(&log).unwrap());
    let ouzel = Ouzel::spawn(command).expect("it starts");
    until(&ouzel, "/v1/popular", "old-reader", 200).await;
    until(&ouzel, "/v1/popular", "new-reader", 401).await;

    write("read:new-reader\nadmin:chief\n");
    until(&ouzel, "/v1/popular", "new-reader", 200).await;
    until(&ouzel, "/v1/popular", "old-reader", 401).await;
    until(&ouzel, "/v1/users/1", "chief", 200).await;

    // A file without keys would let everybody in, so it changes nothing.
    write("# nobody\n");
    let said = |text: &str| std::fs::read_to_string(&log).unwrap().contains(text);
    let begun = Instant::now();
    while !said("holds no key") {
        assert!(begun.elapsed() < PATIENCE, "{}", std::fs::read_to_string(&log).unwrap());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    until(&ouzel, "/v1/popular", "new-reader", 200).await;
    until(&ouzel, "/v1/popular", "nobody", 401).await;

    let log = std::fs::read_to_string(&log).unwrap();
    let audit: Vec<&str> = log.lines().filter(|line| line.contains("ouzel::audit")).collect();
    assert!(audit.iter().any(|line| line.contains("keys are let in") && line.contains("(admin)")), "{audit:#?}");
    let changed = audit.iter().find(|line| line.contains("the keys have changed")).expect("the change is there");
    assert!(changed.contains("added=") && changed.contains("removed=") && changed.contains("(read)"), "{changed}");
    for secret in ["old-reader", "new-reader", "chief"] {
        assert!(!log.contains(secret), "{log}");
    }
}
