//! What the documents name is there: the files and headings that they link to, and the settings.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The documents, by their place below the root.
fn documents() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md"].map(PathBuf::from).into();
    for folder in ["docs", "docs/decisions"] {
        let files = fs::read_dir(Path::new(ROOT).join(folder)).unwrap().map(|entry| entry.unwrap().file_name());
        found.extend(
            files.map(|name| Path::new(folder).join(name)).filter(|path| path.extension() == Some("md".as_ref())),
        );
    }
    found
}

fn text(document: &Path) -> String {
    fs::read_to_string(Path::new(ROOT).join(document)).unwrap()
}

/// What stands between `open` and `close`, wherever in `text`; a piece has no line end and no blank in it.
fn pieces<'a>(text: &'a str, open: &'a str, close: char) -> impl Iterator<Item = &'a str> {
    text.split(open)
        .skip(1)
        .filter_map(move |rest| rest.split_once(close))
        .map(|(piece, _)| piece)
        .filter(|piece| !piece.is_empty() && !piece.contains(char::is_whitespace))
}

/// The anchors of a document's headings, as GitHub makes them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let kept = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    headings.map(|heading| heading.to_lowercase().replace(|c| !kept(c), "").replace(' ', "-")).collect()
}

/// What is wrong with the links of a document: each to a file that is not there, or to a heading that is not in it.
fn broken_links(document: &Path, text: &str) -> Vec<String> {
    let folder = Path::new(ROOT).join(document.parent().unwrap());
    let lost = |link: &&str| {
        let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
        let path = if file.is_empty() { Path::new(ROOT).join(document) } else { folder.join(file) };
        if !path.exists() {
            return true;
        }
        !anchor.is_empty() && !anchors(&fs::read_to_string(path).unwrap()).contains(anchor)
    };
    let links = pieces(text, "](", ')').filter(|link| !link.contains("://"));
    links.filter(lost).map(|link| format!("{}: {link}", document.display())).collect()
}

/// The settings that a document names and that are not there.
fn unknown_settings(document: &Path, text: &str) -> Vec<String> {
    let defaults: toml::Table = text_of_defaults().parse().unwrap();
    let known = |name: &&str| {
        let Some((section, key)) = name.split_once('.') else { return true };
        let plain = key.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        let Some(section) = defaults.get(section).filter(|_| plain).and_then(toml::Value::as_table) else {
            return true;
        };
        // `/state` has these below its own `kafka`.
        section.contains_key(key) || matches!(*name, "kafka.broker" | "kafka.events" | "kafka.requests")
    };
    let code = text.split('`').skip(1).step_by(2);
    code.filter(|name| !known(name)).map(|name| format!("{}: {name}", document.display())).collect()
}

fn text_of_defaults() -> String {
    text(Path::new("config/default.toml"))
}

#[test]
fn links_lead_to_files_and_headings_that_are_there() {
    let broken: Vec<String> = documents().iter().flat_map(|document| broken_links(document, &text(document))).collect();
    assert!(broken.is_empty(), "{broken:#?}");
    let made_up = "[a](operate.md#tls) [b](none.md) [c](operate.md#nowhere) [d](#lost) [e](https://example.org/x)";
    let found = broken_links(Path::new("docs/tour.md"), made_up);
    assert_eq!(found, ["none.md", "operate.md#nowhere", "#lost"].map(|link| format!("docs/tour.md: {link}")));
}

#[test]
fn settings_that_are_named_are_there() {
    let unknown = documents().into_iter().filter(|document| document != Path::new("CHANGELOG.md"));
    let unknown: Vec<String> = unknown.flat_map(|document| unknown_settings(&document, &text(&document))).collect();
    assert!(unknown.is_empty(), "{unknown:#?}");
    let found = unknown_settings(Path::new("x.md"), "`serving.reuse`, `serving.reuses`, `gate.rs` and `README.md`");
    assert_eq!(found, ["x.md: serving.reuses", "x.md: gate.rs"]);
}

#[test]
fn every_chapter_is_in_the_books_list() {
    let list = text(Path::new("docs/README.md"));
    for document in documents().iter().filter(|document| document.parent() == Some(Path::new("docs"))) {
        let name = document.file_name().unwrap().to_str().unwrap();
        assert!(name == "README.md" || list.contains(&format!("]({name})")), "{name}");
    }
}
