//! The walls between the rooms, read from the sources: who may import whom, which crate is named where, how long a file
//! may be. Each finding says file, line and rule.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test says what broke by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

/// The rooms of `src/` with the rooms each may import besides itself. `model` is pure; the rest builds on it, one way.
const ROOMS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("settings", &["model"]),
    ("store", &["model", "settings"]),
    ("kafka", &["model", "settings"]),
    ("actors", &["model", "settings", "store", "kafka"]),
    ("http", &["model", "settings", "store", "kafka", "actors"]),
    ("app", &["model", "settings", "store", "kafka", "actors", "http"]),
    ("cli", &["model", "settings", "store", "kafka", "actors", "http", "app"]),
    ("main", &["model", "settings", "store", "kafka", "actors", "http", "app", "cli"]),
    ("lib", &[]),
];

/// Crates that only some places may name. A place is a prefix of the path below `src/`.
const CRATES: &[(&[&str], &[&str])] = &[
    (&["actix"], &["actors/", "app.rs", "app/"]),
    (&["actix_web", "actix_http"], &["http/", "app.rs", "app/"]),
    (&["rdkafka", "rdkafka_sys"], &["kafka/"]),
    (
        &["burn", "burn_ndarray", "burn_flex"],
        &["model/network/", "model/network.rs", "model/training/network/", "model/training/network.rs"],
    ),
    (&["opentelemetry", "opentelemetry_otlp", "opentelemetry_sdk"], &["actors/traces.rs"]),
    (&["object_store"], &["store/"]),
    (&["fjall"], &["store/"]),
    (
        &["tokio", "tokio_stream", "tokio_util", "futures_util", "reqwest", "object_store", "fjall", "config", "clap"],
        &["settings/", "store/", "kafka/", "actors/", "http/", "app.rs", "app/", "cli/", "main.rs", "lib.rs"],
    ),
    (&["anyhow"], &["cli/", "main.rs"]),
];

/// A crate as it stands.
const KERNELS: &str = "model/kernels/";

/// No file is longer, tests included.
const MAX_LINES: usize = 400;

/// One line of code, without comments and strings.
struct Line {
    number: usize,
    code: String,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// Blanks comments, strings and character literals, so that only code is left, on the lines it was on.
fn code_of(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = end_of_text(&chars, at);
        if end > at {
            out.extend(chars[at..end].iter().map(|&c| if c == '\n' { '\n' } else { ' ' }));
            at = end;
        } else {
            out.push(chars[at]);
            at += 1;
        }
    }
    out
}

/// Where the comment or literal that begins at `at` ends; `at` itself when none does.
fn end_of_text(chars: &[char], at: usize) -> usize {
    let is = |offset: usize, wanted: char| chars.get(at + offset) == Some(&wanted);
    let find =
        |from: usize, ends: &dyn Fn(usize) -> bool| (from..chars.len()).find(|&i| ends(i)).unwrap_or(chars.len());
    if is(0, '/') && is(1, '/') {
        return find(at, &|i| chars[i] == '\n');
    }
    if is(0, '/') && is(1, '*') {
        let mut depth = 0_usize;
        let mut i = at;
        while i < chars.len() {
            match (chars[i], chars.get(i + 1)) {
                ('/', Some('*')) => (depth, i) = (depth + 1, i + 2),
                ('*', Some('/')) => (depth, i) = (depth - 1, i + 2),
                _ => i += 1,
            }
            if depth == 0 {
                return i;
            }
        }
        return chars.len();
    }
    let in_word = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
    let hashes = chars[at..].iter().skip(1).take_while(|&&c| c == '#').count();
    if is(0, 'r') && is(1 + hashes, '"') && (!in_word || chars[at - 1] == 'b') {
        let closes =
            |i: usize| chars[i] == '"' && chars[i + 1..].iter().take(hashes).filter(|&&c| c == '#').count() == hashes;
        return (find(at + 2 + hashes, &closes) + 1 + hashes).min(chars.len());
    }
    let quote = chars[at];
    let lifetime = quote == '\'' && !is(1, '\\') && !is(2, '\'');
    if (quote != '"' && quote != '\'') || lifetime {
        return at;
    }
    let mut i = at + 1;
    while i < chars.len() && chars[i] != quote {
        i += if chars[i] == '\\' { 2 } else { 1 };
    }
    (i + 1).min(chars.len())
}

fn lines(code: &str) -> impl Iterator<Item = Line> + '_ {
    code.lines().enumerate().map(|(index, code)| Line { number: index + 1, code: code.to_owned() })
}

/// The heads of the paths on a line: `foo` in `foo::bar`, and the rooms in `crate::{a, b::c}` once they are joined.
fn heads(code: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = code;
    let import = is_import(code);
    while let Some(at) = rest.find("::") {
        let before = &rest[..at];
        let start = before.rfind(|c: char| !c.is_alphanumeric() && c != '_').map_or(0, |i| i + 1);
        let inner = before[..start].ends_with("::");
        let after = &rest[at + 2..];
        if !inner && !before[start..].is_empty() {
            found.push((before[start..].to_owned(), after.to_owned()));
            if import {
                // What follows stands in this path's braces.
                return found;
            }
        }
        // What was before stays visible to the next look, so that `a::b::c` has one head.
        rest = &rest[at + 2..];
        let tail = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').count();
        rest = &rest[tail..];
        while let Some(next) = rest.strip_prefix("::") {
            let tail = next.chars().take_while(|c| c.is_alphanumeric() || *c == '_').count();
            rest = &next[tail..];
        }
    }
    let word = code.trim_start().strip_prefix("use ").or_else(|| code.trim_start().strip_prefix("pub use "));
    if let Some(whole) = word.and_then(|word| word.trim_end().strip_suffix(';')) {
        let name = whole.split(" as ").next().unwrap_or(whole).trim();
        if name.chars().all(|c| c.is_alphanumeric() || c == '_') {
            found.push((name.to_owned(), String::new()));
        }
    }
    found
}

/// The first names behind `crate::`: one, or those in braces.
fn first_names(after: &str) -> Vec<String> {
    let name = |text: &str| text.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let Some(group) = after.strip_prefix('{') else { return vec![name(after)] };
    let mut depth = 0_i32;
    let mut names = vec![String::new()];
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(String::new()),
            _ => {}
        }
        if depth == 0 && c != ',' {
            names.last_mut().unwrap().push(c);
        }
    }
    names.iter().map(|text| name(text)).filter(|text| !text.is_empty()).collect()
}

/// Joins `use` statements that run over several lines, at their first line.
fn joined(code: &str) -> Vec<Line> {
    let mut joined: Vec<Line> = Vec::new();
    let mut open = false;
    for line in lines(code) {
        let text = line.code.trim();
        if open {
            let last = joined.last_mut().unwrap();
            last.code.push_str(text);
        } else {
            joined.push(Line { number: line.number, code: line.code.clone() });
        }
        let start = joined.last().unwrap().code.trim_start().to_owned();
        open = is_import(&start) && !text.ends_with(';');
    }
    joined
}

fn is_import(code: &str) -> bool {
    let code = code.trim_start();
    code.starts_with("use ") || (code.starts_with("pub") && code.contains(" use "))
}

fn room_of(relative: &str) -> &str {
    let first = relative.split('/').next().unwrap_or(relative);
    first.strip_suffix(".rs").unwrap_or(first)
}

/// What breaks a rule in one file of `src/`.
fn findings(relative: &str, text: &str) -> Vec<String> {
    let room = room_of(relative);
    let Some((_, may)) = ROOMS.iter().find(|(name, _)| *name == room) else {
        return vec![format!(
            "src/{relative}:1: {room} is no room: name it in tests/architecture.rs with what it imports"
        )];
    };
    let mut found = Vec::new();
    for line in joined(&code_of(text)) {
        for (head, after) in heads(&line.code) {
            let at = format!("src/{relative}:{}", line.number);
            if head == "crate" && relative.starts_with(KERNELS) {
                found.push(format!("{at}: the kernels name nothing of the others, scripts/kernels builds them alone"));
            }
            if head == "crate" || head == "ouzel" {
                let rooms = first_names(&after).into_iter().filter(|name| ROOMS.iter().any(|(room, _)| room == name));
                for other in rooms.filter(|other| other != room && !may.contains(&other.as_str())) {
                    found.push(format!("{at}: {room} must not import {other}: imports run one way"));
                }
            }
            for (crates, places) in CRATES {
                let inside = places.iter().any(|place| relative.starts_with(place));
                if crates.contains(&head.as_str()) && !inside {
                    found.push(format!("{at}: {head} may only be named in {}", places.join(", ")));
                }
            }
        }
    }
    found
}

#[test]
fn imports_run_one_way_and_crates_stay_in_their_rooms() {
    let src = root().join("src");
    let mut found = Vec::new();
    for path in sources(&src) {
        let relative = path.strip_prefix(&src).unwrap().to_string_lossy().replace('\\', "/");
        found.extend(findings(&relative, &fs::read_to_string(&path).unwrap()));
    }
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn no_file_is_too_long_and_no_test_is_switched_off() {
    let root = root();
    let mut found = Vec::new();
    for path in ["src", "tests", "benches"].iter().flat_map(|folder| sources(&root.join(folder))) {
        let relative = path.strip_prefix(&root).unwrap().display().to_string();
        let text = fs::read_to_string(&path).unwrap();
        let count = text.lines().count();
        if count > MAX_LINES {
            found.push(format!(
                "{relative}:{count}: a file has at most {MAX_LINES} lines: split it by what its parts are about"
            ));
        }
        for line in lines(&code_of(&text)).filter(|line| line.code.replace(' ', "").contains("#[ignore")) {
            found.push(format!("{relative}:{}: no test is switched off: mend it or delete it", line.number));
        }
    }
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn the_rules_find_what_they_are_for() {
    let broken = |file: &str, text: &str| findings(file, text).join("\n");
    assert!(
        broken("model/a.rs", "\nuse crate::settings::Span;")
            .starts_with("src/model/a.rs:2: model must not import settings")
    );
    assert!(
        broken("store/a.rs", "use crate::{model::ids, \n  actors::{errors, messages},\n};")
            .contains("store must not import actors")
    );
    assert!(broken("kafka/a.rs", "fn f() { crate::store::open(); }").contains("kafka must not import store"));
    assert!(broken("http/a.rs", "fn f(a: actix::Addr<X>) {}").contains("actix may only be named in actors/"));
    assert!(broken("actors/a.rs", "use actix_web::web;").contains("actix_web may only be named"));
    assert!(broken("model/ease.rs", "fn f(x: &burn::tensor::Tensor) {}").contains("burn may only be named"));
    assert!(broken("model/a.rs", "use tokio::sync;").contains("tokio may only be named"));
    assert!(broken("cli/a.rs", "use rdkafka;").contains("rdkafka may only be named"));
    assert!(broken("model/kernels/a.rs", "use crate::model::ids;").contains("the kernels name nothing"));
    assert!(broken("attic/a.rs", "").contains("attic is no room"));

    let fine = |file: &str, text: &str| assert_eq!(broken(file, text), "", "{file}: {text}");
    fine("model/a.rs", "// use tokio::sync;\nlet a = \"actix::Addr\"; let b = r#\"rdkafka::x\"#; let c = 'x';");
    fine("model/a.rs", "use super::actix::x; fn f<'a>(s: &'a str) { /* burn::x */ }");
    fine("http/a.rs", "use crate::actors::handles::IngestHandle;\nuse actix_web::web;");
    fine("store/a.rs", "use crate::model::ids;\nuse crate::settings::Storage;\nuse object_store::aws;");
    fine("actors/a.rs", "use actix::prelude::*;");
    fine("http/a.rs", "use crate::kafka::{config::Options, group::{self, actix::X}};");
}
