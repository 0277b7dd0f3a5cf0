//! The commands that work on files and on a stopped service's folder, run as a user runs them.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test says what broke by panicking")]

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use safetensors::tensor::{Dtype, TensorView};
use tempfile::TempDir;

/// A shop's folder and the commands run on it.
struct Shop {
    home: TempDir,
}

/// How a command ended.
struct Ended {
    code: i32,
    out: String,
    err: String,
}

impl Ended {
    fn good(self) -> Self {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        self
    }
}

impl Shop {
    fn new() -> Self {
        Self { home: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn file(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ouzel"));
        command
            .current_dir(self.home.path())
            .args(line.split_whitespace())
            .env("OUZEL__TRAINING__CANDIDATES", "popular,recent-popular,ease")
            .env("OUZEL__SCHEDULE__ON_START", "false")
            .env("OUZEL__SERVER__PORT", "0")
            .env("OUZEL__TELEMETRY__LOG_FORMAT", "json");
        command
    }

    fn ouzel(&self, line: &str) -> Ended {
        let output = self.command(line).stdin(Stdio::null()).output().unwrap();
        Ended {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// A service that is killed at the end of its test.
struct Service {
    child: Child,
    url: String,
}

impl Service {
    fn start(shop: &Shop, environment: &[(&str, &str)]) -> Self {
        let mut command = shop.command("serve");
        command.envs(environment.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let listening = lines.by_ref().map(Result::unwrap).find(|line| line.contains("listens on"));
        let listening = listening.expect("the service ended before it listened");
        let at = listening.find("http://").unwrap();
        let url = listening[at..].to_owned();
        // A pipe that nobody reads would stop the service once it is full.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, url }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Events of 40 users in two camps, each with a taste of its own.
fn events() -> String {
    let mut text = "user,item,timestamp,weight\n".to_owned();
    for user in 0..40 {
        for n in 0..6 {
            let item = (user % 2) * 10 + (user / 2 + n * 3) % 10;
            text.push_str(&format!("u{user},i{item},{},1\n", 1_700_000_000 + n * 86_400 + user));
        }
    }
    text
}

fn json(path: &Path) -> Vec<serde_json::Value> {
    fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_file_imported_twice_adds_nothing_and_a_bad_line_is_named_by_its_number() {
    let shop = Shop::new();
    shop.file("transactions.csv", "customerId,products\n1,2|3\n2,\n3,3|4|4\n");
    let first = shop.ouzel("import --format transactions transactions.csv").good();
    assert_eq!(first.out, "transactions.csv: 5 events, 5 added, 0 known already, 1 bad lines\n");
    assert!(first.err.contains("transactions.csv: line 3: "), "{}", first.err);
    let second = shop.ouzel("import --format transactions transactions.csv").good();
    assert_eq!(second.out, "transactions.csv: 5 events, 0 added, 5 known already, 1 bad lines\n");

    let other = Shop::new();
    fs::copy(shop.path("transactions.csv"), other.path("transactions.csv")).unwrap();
    let strict = other.ouzel("import --strict --format transactions transactions.csv");
    assert_eq!((strict.code, strict.out.as_str()), (1, ""));
    assert!(strict.err.contains("transactions.csv: line 3: "), "{}", strict.err);
    assert_eq!(shop.ouzel("import nothing.csv").code, 1);
}

#[test]
fn a_model_is_trained_published_and_answers_in_bulk() {
    let shop = Shop::new();
    shop.file("events.csv", &events());
    shop.ouzel("import events.csv").good();

    let tried = shop.ouzel("train").good();
    assert!(tried.out.contains("ndcg@10") && tried.out.contains("nothing was kept"), "{}", tried.out);
    assert!(!shop.path("data/artifacts/versions").exists());
    let published = shop.ouzel("train --publish").good();
    assert!(published.out.contains("ease") && published.out.ends_with("version 1 is live\n"), "{}", published.out);

    shop.file("users.csv", "customerId\nu0\nu1\nnobody\n");
    shop.ouzel("recommend --users users.csv --n 3 --out lists.ndjson").good();
    let lists = json(&shop.path("lists.ndjson"));
    let users: Vec<_> = lists.iter().map(|list| list["user"].as_str().unwrap()).collect();
    assert_eq!(users, ["u0", "u1", "nobody"]);
    for (list, camp) in lists.iter().zip([0..10, 10..20]) {
        for item in list["items"].as_array().unwrap() {
            let number: i32 = item["id"].as_str().unwrap()[1..].parse().unwrap();
            assert!(item["source"] != "personal" || camp.contains(&number), "{list}");
        }
    }
    assert_eq!(lists[2]["items"].as_array().unwrap().len(), 3);

    let all = shop.ouzel("recommend --n 2").good().out;
    assert!(all.starts_with("user,rank,item,score,source\nu0,1,"), "{all}");
    assert_eq!(all.lines().count(), 1 + 40 * 2);
}

#[test]
fn an_evaluation_in_json_has_a_row_per_kind_and_one_is_chosen() {
    let shop = Shop::new();
    shop.file("events.csv", &events());
    let told = shop.ouzel("evaluate events.csv --protocol leave-last-out --models popular,ease --json").good();
    let report: serde_json::Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!(report["protocol"], "leave-last-out");
    let rows = report["rows"].as_array().unwrap();
    let mut models: Vec<_> = rows.iter().map(|row| row["model"].as_str().unwrap()).collect();
    models.sort_unstable();
    assert_eq!(models, ["ease", "popular"]);
    assert_eq!(rows.iter().filter(|row| row["chosen"] == true).count(), 1);
    for row in rows {
        for name in ["hr@10", "ndcg@10", "recall@20", "ndcg@20", "ndcg@100", "users", "fit_seconds"] {
            assert!(row[name].is_number(), "{name}: {row}");
        }
        assert!(row["settings"].is_object());
    }

    shop.file("negatives", "(u0,i8)\ti1\ti3\n(u1,i19)\ti11\ti13\n");
    let among = shop.ouzel("evaluate events.csv --negatives negatives --models popular --json").good();
    let report: serde_json::Value = serde_json::from_str(&among.out).unwrap();
    assert_eq!((report["users"].as_u64(), report["rows"][0]["hr@10"].as_f64()), (Some(2), Some(1.0)));
    shop.file("negatives", "(u0,i8)\ti1\nu1 i19\n");
    let wrong = shop.ouzel("evaluate events.csv --negatives negatives --models popular");
    assert!(wrong.code == 1 && wrong.err.contains("negatives: line 2: "), "{}", wrong.err);
}

#[test]
fn a_running_service_keeps_its_folder_and_does_the_same_by_url() {
    let shop = Shop::new();
    shop.file("events.csv", &events());
    let service = Service::start(&shop, &[]);
    for line in ["import events.csv", "train --publish", "recommend"] {
        let refused = shop.ouzel(line);
        assert!(refused.code == 1 && refused.err.contains("--url"), "{line}: {}", refused.err);
    }
    let url = &service.url;
    let first = shop.ouzel(&format!("import events.csv --url {url}")).good();
    assert_eq!(first.out, "events.csv: 240 events, 240 added, 0 known already, 0 bad lines\n");
    let second = shop.ouzel(&format!("import events.csv --url {url}")).good();
    assert_eq!(second.out, "events.csv: 240 events, 0 added, 240 known already, 0 bad lines\n");
    let trained = shop.ouzel(&format!("train --publish --url {url}")).good();
    assert!(trained.out.contains("succeeded") && trained.out.contains("ease"), "{}", trained.out);
    shop.file("users.csv", "u3\nu4\n");
    let lists = shop.ouzel(&format!("recommend --users users.csv --n 2 --url {url}")).good().out;
    let users: Vec<_> = lists.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(users, ["u3", "u3", "u4", "u4"]);
    shop.ouzel(&format!("recommend --n 2 --out all.parquet --url {url}")).good();
    assert!(fs::read(shop.path("all.parquet")).unwrap().starts_with(b"PAR1"));
    assert!(!shop.path("all.parquet.part").exists());
}

#[test]
fn a_watched_file_is_imported_at_a_run_when_it_changed() {
    let shop = Shop::new();
    shop.file("transactions.csv", "customerId,products\n1,2|3\n2,3\n");
    let environment = [
        ("OUZEL__STORAGE__IMPORT_WATCH", "transactions.csv,gone.csv"),
        ("OUZEL__STORAGE__IMPORT_FORMAT", "transactions"),
    ];
    let service = Service::start(&shop, &environment);
    let run = || shop.ouzel(&format!("runs start --wait --url {}", service.url)).good().err;

    let first = run();
    assert!(first.contains("snapshot: transactions.csv: 3 new events, 0 known, 0 bad lines"), "{first}");
    assert!(first.contains("snapshot: gone.csv was not imported: "), "{first}");
    assert!(first.contains("snapshot: 3 events of 2 users on 2 items"), "{first}");
    let same = run();
    assert!(!same.contains("new events") && same.contains("3 events of 2 users on 2 items"), "{same}");

    shop.file("transactions.csv", "customerId,products\n1,2|3\n2,3\n5,2\n6\n");
    let grown = run();
    assert!(grown.contains("snapshot: transactions.csv: line 5: "), "{grown}");
    assert!(grown.contains("snapshot: transactions.csv: 1 new events, 0 known, 1 bad lines"), "{grown}");
    assert!(grown.contains("snapshot: 4 events of 3 users on 2 items"), "{grown}");

    shop.file("transactions.csv", "customerId,products\n7,9\n");
    let replaced = run();
    assert!(replaced.contains("snapshot: transactions.csv: 1 new events"), "{replaced}");
    assert!(replaced.contains("snapshot: 5 events of 4 users on 3 items"), "{replaced}");
}

#[test]
fn a_damaged_version_is_found_and_set_aside() {
    let shop = Shop::new();
    shop.file("events.csv", &events());
    shop.ouzel("import events.csv").good();
    shop.ouzel("train --publish").good();
    let whole = shop.ouzel("doctor").good().out;
    assert!(whole.contains("240 events") && whole.contains("1, all whole"), "{whole}");

    let folder = shop.path("data/artifacts/versions/1");
    let weights = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let weights = weights.max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap();
    let mut bytes = fs::read(&weights).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&weights, bytes).unwrap();
    let found = shop.ouzel("doctor");
    assert!(found.code == 1 && found.out.contains("version 1: "), "{}", found.out);
    let repaired = shop.ouzel("doctor --repair").good();
    assert!(repaired.err.contains("version 1 was set aside"), "{}", repaired.err);
    shop.ouzel("doctor").good();
}

/// A file of factors of two dimensions, by the item's number.
fn factors(shop: &Shop, name: &str, of: impl Fn(i16) -> [i16; 2]) {
    let ids: Vec<String> = (0..20).map(|item| format!("i{item}")).collect();
    let values: Vec<u8> = (0..20).flat_map(of).flat_map(|value| f32::from(value).to_le_bytes()).collect();
    let tensor = TensorView::new(Dtype::F32, vec![20, 2], &values).unwrap();
    let about = HashMap::from([("items".to_owned(), serde_json::to_string(&ids).unwrap())]);
    fs::write(shop.path(name), safetensors::serialize([("factors", tensor)], Some(about)).unwrap()).unwrap();
}

#[test]
fn factors_from_elsewhere_become_a_version_or_are_refused() {
    let shop = Shop::new();
    shop.file("events.csv", &events());
    shop.ouzel("import events.csv").good();
    factors(&shop, "camps.safetensors", |item| if item < 10 { [1, 0] } else { [0, 1] });
    factors(&shop, "garbage.safetensors", |item| [item * 37 % 13 - 6, item * 53 % 11 - 5]);
    factors(&shop, "nothing.safetensors", |_| [0, 0]);

    let until = "--trained-until 1700300000";
    assert!(shop.ouzel("versions import nothing.safetensors").err.contains("every factor of every known item is 0"));
    let done = shop.ouzel(&format!("versions import camps.safetensors --alpha 10 {until}")).good();
    assert!(done.out.contains("camps.safetensors: 20 items\nversion 1 is live\n"), "{}", done.out);
    let live = fs::read(shop.path("data/artifacts/live.json")).unwrap();
    let refused = shop.ouzel(&format!("versions import garbage.safetensors {until}"));
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("the gate refused the factors"), "{}", refused.err);
    assert_eq!(fs::read(shop.path("data/artifacts/live.json")).unwrap(), live);
    let again = shop.ouzel("versions import camps.safetensors --json");
    assert_eq!(again.code, 1);
    let again: serde_json::Value = serde_json::from_str(&again.out).unwrap();
    assert_eq!((again["status"].as_str(), again["version"].is_null()), (Some("refused"), true), "{again}");
    let reasons = again["gate"]["reasons"].to_string();
    assert!(reasons.contains("may have been fitted on the holdout"), "{reasons}");
    assert!(reasons.contains("the live version's ials"), "{reasons}");

    for wrong in ["--alpha 0", "--weight-power 2", "--trained-until soon", "--judge-by camps.safetensors"] {
        assert_eq!(shop.ouzel(&format!("versions import camps.safetensors {wrong}")).code, 2, "{wrong}");
    }
    let missing = shop.ouzel("versions import events.csv");
    assert!(missing.code == 1 && missing.err.contains("it is neither Parquet nor safetensors"), "{}", missing.err);

    let service = Service::start(&shop, &[]);
    let listed = shop.ouzel(&format!("versions list --url {}", service.url)).good();
    assert!(
        listed.out.lines().nth(1).is_some_and(|line| line.contains("live") && line.contains("imported")),
        "{}",
        listed.out
    );
    let shown = shop.ouzel(&format!("versions show 1 --url {}", service.url)).good();
    assert!(shown.out.contains("camps.safetensors") && shown.out.contains("\"alpha\":10.0"), "{}", shown.out);
    let locked = shop.ouzel("versions import camps.safetensors");
    assert!(locked.code == 1 && locked.err.contains("stop the service while factors are imported"), "{}", locked.err);
}
