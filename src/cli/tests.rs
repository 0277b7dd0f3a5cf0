use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;

use clap::{CommandFactory, Parser};

use super::*;
use crate::settings::Environment;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split_whitespace())
}

/// Runs a command line; gives back its exit code and what it wrote to stdout and stderr.
pub(super) fn ouzel(line: &str) -> (u8, String, String) {
    ouzel_in(line, &[])
}

fn ouzel_in(line: &str, environment: &[(&str, &str)]) -> (u8, String, String) {
    let environment: Environment = environment.iter().map(|&(k, v)| (k.to_owned(), v.to_owned())).collect();
    let cli = parse(line).unwrap();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let result = run(cli.command, &mut Context { config: cli.config, environment, out: &mut out, err: &mut err });
    if let Err(error) = &result {
        report(error, &mut err).unwrap();
    }
    (exit_code(&result), String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

/// A service that gives one answer after another and tells what it was asked: method, path and the key.
fn service(answers: Vec<(u16, &'static str)>) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serve = move || {
        let mut asked = Vec::new();
        let mut answers = VecDeque::from(answers);
        while let Some((status, body)) = answers.pop_front() {
            let (stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream);
            let (mut line, mut key, mut length) = (String::new(), String::new(), 0);
            reader.read_line(&mut line).unwrap();
            loop {
                let mut header = String::new();
                reader.read_line(&mut header).unwrap();
                let header = header.trim();
                if let Some((name, value)) = header.split_once(": ") {
                    match name.to_lowercase().as_str() {
                        "authorization" => key = format!(" [{value}]"),
                        "content-length" => length = value.parse().unwrap(),
                        _ => (),
                    }
                } else {
                    break;
                }
            }
            reader.read_exact(&mut vec![0; length]).unwrap();
            asked.push(format!("{}{key}", line.trim_end_matches(" HTTP/1.1\r\n")));
            let head = format!(
                "HTTP/1.1 {status} X\r\nx-request-id: r1\r\nconnection: close\r\ncontent-length: {}",
                body.len()
            );
            write!(reader.get_mut(), "{head}\r\n\r\n{body}").unwrap();
        }
        asked
    };
    (url, std::thread::spawn(serve))
}

#[test]
fn every_command_of_the_contract_is_there_and_explains_itself() {
    Cli::command().debug_assert();
    let names: Vec<String> = Cli::command().get_subcommands().map(|command| command.get_name().to_owned()).collect();
    assert_eq!(
        names.join(" "),
        "serve demo import train evaluate recommend client versions runs dead-letters doctor config openapi completions"
    );
    for command in Cli::command().get_subcommands() {
        assert!(command.get_about().is_some(), "{}", command.get_name());
    }
}

#[test]
fn the_contracts_lines_parse_and_wrong_ones_do_not() {
    for line in [
        "ouzel",
        "ouzel serve --config shop.toml",
        "ouzel --config shop.toml demo --data-dir d --port 0 --every 30s",
        "ouzel import a.csv b.ndjson.gz s3://bucket/c.parquet --format transactions --strict --url http://h:1",
        "ouzel train --publish --url http://h:1",
        "ouzel evaluate f.csv --protocol temporal --min-item-users 5 --min-user-items 5 --models ease,popular --json",
        "ouzel recommend --users users.csv --n 20 --out lists.parquet",
        "ouzel client --kind events --rate 0.5 --count 3",
        "ouzel versions list",
        "ouzel versions show 3 --json",
        "ouzel versions promote 3 --url http://h:1 --key k",
        "ouzel versions rollback",
        "ouzel runs start --wait",
        "ouzel runs cancel 0001",
        "ouzel dead-letters replay --topic events",
        "ouzel doctor --live",
        "ouzel doctor --repair",
        "ouzel config",
        "ouzel openapi",
        "ouzel completions zsh",
    ] {
        assert!(parse(line).is_ok(), "{line}: {}", parse(line).err().map(|e| e.to_string()).unwrap_or_default());
    }
    for line in [
        "ouzel fly",
        "ouzel import",
        "ouzel import a.csv --format xml",
        "ouzel recommend --n 0",
        "ouzel recommend --n 1001",
        "ouzel client --rate 0",
        "ouzel client --rate -1",
        "ouzel versions",
        "ouzel versions show three",
        "ouzel doctor --live --repair",
        "ouzel completions csh",
        "ouzel demo --every soon",
    ] {
        assert_eq!(parse(line).err().map(|error| error.exit_code()), Some(2), "{line}");
    }
}

#[test]
fn arguments_that_contradict_each_other_are_wrong_usage() {
    for (line, told) in [
        ("ouzel evaluate f.csv --protocol holdout", "--test FILE"),
        ("ouzel evaluate f.csv --protocol temporal --test t.csv", "leave --protocol out"),
        ("ouzel evaluate f.csv --models ease,magic", "there is no kind \"magic\""),
        ("ouzel train --url http://h:1", "--publish"),
        ("ouzel recommend --out lists.xml", ".parquet"),
        ("ouzel client", "no broker"),
        ("ouzel versions list --url h:1", "--url must be like"),
    ] {
        let (code, out, err) = ouzel(line);
        assert_eq!((code, out.as_str()), (2, ""), "{line}: {err}");
        assert!(err.contains(told), "{line}: {err}");
    }
    let (code, _, err) = ouzel_in("ouzel client --brokers b:1", &[("PUBLISHER_DATA_INTERVAL", "often")]);
    assert!(code == 2 && err.contains("PUBLISHER_DATA_INTERVAL"), "{err}");
    let (code, _, err) = ouzel_in("ouzel versions list", &[("OUZEL__SERVER__PORT", "0")]);
    assert!(code == 2 && err.contains("--url"), "{err}");
}

#[test]
fn config_shows_what_is_used_and_hides_secrets() {
    let set = [("OUZEL__AUTH__KEYS", "read:hunter2"), ("OUZEL__SERVER__PORT", "5501")];
    let (code, out, err) = ouzel_in("ouzel config", &set);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("port = 5501") && out.contains("keys = [\"***\"]") && !out.contains("hunter2"), "{out}");
    let (code, out, err) = ouzel_in("ouzel config", &[("OUZEL__SERVER__PORT", "x"), ("OUZEL__GATE__MARGIN", "2")]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.contains("server.port (OUZEL__SERVER__PORT)") && err.contains("gate.margin"), "{err}");
    assert_eq!(ouzel("ouzel config --defaults").1, crate::settings::DEFAULTS);
}

#[test]
fn versions_are_listed_shown_and_switched() {
    let list = r#"{"live":7,"previous":6,"versions":[
        {"version":7,"recipe":{"kind":"ease"},"created_ms":1790000000000,"data":{"events":60000},"run":"0007","live":true,
         "candidates":[{"model":"ease","chosen":true,"part":"validation","metrics":{"ndcg@10":{"mean":0.3,"ci95":0.1}}},
                       {"model":"ease","chosen":true,"part":"holdout","metrics":{"ndcg@10":{"mean":0.2034,"ci95":0.01}}}]},
        {"version":6,"recipe":{"kind":"popular"},"created_ms":1780000000000,"data":{"events":100},"run":null,"candidates":[]}]}"#;
    let live = r#"{"version":6,"recipe":{"kind":"popular"},"live":true}"#;
    let (url, asked) = service(vec![(200, list), (200, live), (200, live), (200, list)]);
    let (code, out, err) = ouzel(&format!("ouzel versions list --url {url}/"));
    assert_eq!(code, 0, "{err}");
    insta::assert_snapshot!(out, @r"
    VERSION  STATE     KIND     MADE                  EVENTS  HR@10  NDCG@10  RECALL@20   RUN
          7  live      ease     2026-09-21 14:13:20Z   60000      -    0.203          -  0007
          6  previous  popular  2026-05-28 20:26:40Z     100      -        -          -     -
    ");
    let (_, out, _) = ouzel(&format!("ouzel versions promote 6 --url {url} --key secret"));
    assert_eq!(out, "version 6 is live (popular)\n");
    assert_eq!(ouzel(&format!("ouzel versions rollback --url {url}")).1, out);
    let (_, out, _) = ouzel(&format!("ouzel versions list --json --url {url}"));
    assert_eq!(serde_json::from_str::<serde_json::Value>(&out).unwrap()["live"], 7);
    assert_eq!(
        asked.join().unwrap(),
        ["GET /v1/versions", "POST /v1/versions/6/promote [Bearer secret]", "POST /v1/rollback", "GET /v1/versions"]
    );
}

#[test]
fn what_the_service_refuses_is_told_with_its_reason() {
    let problem =
        r#"{"type":"about:blank","title":"Conflict","status":409,"detail":"there is no previous version","error":"x"}"#;
    let (url, asked) =
        service(vec![(409, problem), (403, r#"{"detail":"wrong scope"}"#), (502, "<html>"), (200, "<html>")]);
    let (code, out, err) = ouzel(&format!("ouzel versions rollback --url {url}"));
    assert_eq!((code, out.as_str()), (1, ""));
    assert_eq!(err, "ouzel: there is no previous version (status 409, request r1)\n");
    let (_, _, err) = ouzel(&format!("ouzel versions show 1 --url {url}"));
    assert!(err.contains("wrong scope") && err.contains("OUZEL_KEY"), "{err}");
    let (_, _, err) = ouzel(&format!("ouzel versions show 1 --url {url}"));
    assert!(err.contains("Bad Gateway (status 502"), "{err}");
    let (code, _, err) = ouzel(&format!("ouzel runs list --url {url}"));
    assert!(code == 1 && err.contains("is no Ouzel of this kind"), "{err}");
    asked.join().unwrap();
    // The service is gone now.
    let (code, _, err) = ouzel(&format!("ouzel runs list --url {url}"));
    assert!(code == 1 && err.contains("ouzel serve"), "{err}");
}

#[test]
fn a_run_is_followed_until_it_is_over() {
    let running = r#"{"id":"a/1","status":"running","steps":[{"name":"snapshot","log":["60000 events"]}]}"#;
    let refused = r#"{"id":"a/1","status":"refused","error":"worse than popular","trigger":"manual","queued_ms":1790000000000,
        "started_ms":1790000000000,"finished_ms":1790000001500,
        "steps":[{"name":"snapshot","log":["60000 events"]},{"name":"train","log":["ease","popular"]}]}"#;
    let started = r#"{"id":"a/1","status":"queued"}"#;
    let (url, asked) = service(vec![(200, started), (200, running), (200, running), (200, refused)]);
    let remote = remote::Remote::at(&url, None, &trust::Trust::System).unwrap();
    let mut told = Vec::new();
    let followed = runs::follow(&remote, "a/1", std::time::Duration::ZERO, &mut told);
    assert_eq!(remote::wait_for(followed).unwrap()["status"], "refused");
    insta::assert_snapshot!(String::from_utf8(told).unwrap(), @r"
    snapshot
      snapshot: 60000 events
    train
      train: ease
      train: popular
    ");
    assert_eq!(asked.join().unwrap(), ["GET /v1/runs/a%2F1"; 4]);

    let (url, asked) = service(vec![(202, started), (200, refused)]);
    let (code, out, err) = ouzel(&format!("ouzel runs start --wait --url {url}"));
    assert_eq!(code, 1);
    assert!(out.contains("refused") && out.contains("1.5"), "{out}");
    assert!(err.ends_with("ouzel: run a/1 was over as refused: worse than popular\n"), "{err}");
    assert_eq!(asked.join().unwrap(), ["POST /v1/runs", "GET /v1/runs/a%2F1"]);
}

#[test]
fn dead_letters_are_listed_and_replayed() {
    const PAGE: &str = r#"{"dead_letters":[],"next":"0.0.7"}"#;
    const DRY: &str = r#"{"replayed":0,"dry_run":{"readable":3,"unreadable":1,"named":[{"topic":"events","partition":0,"offset":9,"timestamp":null,"reason":"bad_json"}]}}"#;
    let list = r#"{"dead_letters":[{"topic":"events","partition":0,"offset":12,"timestamp":1790000000000,"reason":"no JSON"}]}"#;
    let (url, asked) = service(vec![(200, list), (200, r#"{"replayed":1}"#), (200, PAGE), (200, DRY)]);
    let (_, out, _) = ouzel(&format!("ouzel dead-letters list --url {url}"));
    assert!(out.contains("no JSON") && out.contains("12"), "{out}");
    assert_eq!(ouzel(&format!("ouzel dead-letters replay --topic events --limit 5 --url {url}")).1, "replayed 1\n");
    let filtered = "ouzel dead-letters list --topic a/b --partition 2 --reason bad --waiting --next 0.0.9";
    assert_eq!(ouzel(&format!("{filtered} --url {url}")).1, "no dead letter\nmore: --next 0.0.7\n");
    let (_, dry, _) = ouzel(&format!("ouzel dead-letters replay --dry-run --url {url}"));
    assert!(dry.starts_with("3 can be read, 1 cannot\n") && dry.contains("bad_json"), "{dry}");
    assert_eq!(
        asked.join().unwrap(),
        [
            "GET /v1/dead-letters?limit=100",
            "POST /v1/dead-letters/replay?topic=events&limit=5",
            "GET /v1/dead-letters?limit=100&topic=a%2Fb&partition=2&reason=bad&waiting=true&next=0.0.9",
            "POST /v1/dead-letters/replay?dry_run=true"
        ]
    );
}

#[test]
fn a_live_doctor_tells_what_is_wrong() {
    let state = r#"{"live":null,"actors":[{"name":"ingestor","status":"running","restarts":0,"last_error":null},
        {"name":"trainer","status":"hung","restarts":2,"last_error":"panicked: x"}]}"#;
    let (url, asked) = service(vec![(200, r#"{"ready":true,"degraded":["kafka"]}"#), (200, state)]);
    let (code, out, err) = ouzel(&format!("ouzel doctor --live --url {url}"));
    assert_eq!((code, err.as_str()), (1, "ouzel: one thing is wrong\n"));
    insta::assert_snapshot!(out, @r"
    PART                   WHAT
    ready           look   answers requests; away at the moment: kafka (`ouzel doctor` with the service's settings says why)
    model           look   no version yet, lists come from what is popular; `ouzel runs start` trains one
    actor ingestor  ok     runs
    actor trainer   WRONG  is hung, rebuilt 2 times, the last after: panicked: x
    ");
    asked.join().unwrap();
}

#[test]
fn the_doctor_tries_folders_and_brokers() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data").display().to_string();
    let (code, out, err) = ouzel_in("ouzel doctor", &[("OUZEL__STORAGE__DATA_DIR", &data)]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains("storage.data_dir") && out.contains("no Kafka"), "{out}");
}
