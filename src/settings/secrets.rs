//! Secrets that are given as files: read at the load.

use std::path::Path;

use super::validate::Problem;
use super::{Secret, Settings, forms};

/// Options of librdkafka that may be given as a file, by the name with `_file` (or, from a variable, `.file`) behind it.
const OPTIONS: [&str; 4] =
    ["sasl.password", "ssl.key.password", "ssl.keystore.password", "sasl.oauthbearer.client.secret"];

/// Reads every file that a `…_file` key names into the key without `_file`; the file of keys is only checked.
pub(super) fn read_files(settings: &mut Settings, source_of: &dyn Fn(&str) -> String, problems: &mut Vec<Problem>) {
    let mut say = |key: &str, message| problems.push(Problem { key: key.to_owned(), source: source_of(key), message });

    let file = settings.storage.s3_secret_key_file.clone();
    if !file.as_os_str().is_empty() {
        match read(&file) {
            Ok(_) if !settings.storage.s3_secret_key.is_empty() => {
                say("storage.s3_secret_key_file", "storage.s3_secret_key is set too: give one of them".to_owned());
            }
            Ok(text) => settings.storage.s3_secret_key = Secret::new(text.trim()),
            Err(message) => say("storage.s3_secret_key_file", message),
        }
    }

    let file = settings.auth.keys_file.clone();
    if !file.as_os_str().is_empty() {
        match read(&file) {
            Ok(text) => {
                // They are checked here and kept by whoever reads the file again when it changes.
                let lines = (1..).zip(text.lines().map(str::trim));
                let keys: Vec<_> = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')).collect();
                if keys.is_empty() {
                    say("auth.keys_file", format!("{} holds no key", file.display()));
                }
                for (number, line) in keys {
                    if let Some(wrong) = forms::key(line) {
                        say("auth.keys_file", format!("{}, line {number}: {wrong}", file.display()));
                    }
                }
            }
            Err(message) => say("auth.keys_file", message),
        }
    }

    for option in OPTIONS {
        for name in [format!("{option}_file"), format!("{option}.file")] {
            let Some(file) = settings.kafka.options.remove(&name) else { continue };
            match read(Path::new(file.expose())) {
                Ok(text) => {
                    settings.kafka.options.insert(option.to_owned(), Secret::new(text.trim()));
                }
                Err(message) => say(&format!("kafka.options.{name}"), message),
            }
        }
    }
}

fn read(file: &Path) -> Result<String, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
    if text.trim().is_empty() { Err(format!("{} is empty", file.display())) } else { Ok(text) }
}
