//! `ouzel demo` as people start it: the built binary, its terminal, its HTTP, its end.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what broke by panicking")]

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Far longer than anything here takes: a bound for a broken build, not a measure.
const LONG: Duration = Duration::from_secs(240);

/// A running command with its lines.
struct Running {
    child: Child,
    lines: Receiver<String>,
    said: Vec<String>,
    until: Instant,
}

impl Running {
    fn start(arguments: &[&str], home: &std::path::Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_ouzel"))
            .args(arguments)
            // Away from the settings of whoever runs the tests.
            .current_dir(home)
            .env("TMPDIR", home)
            .env("OUZEL__TRAINING__CANDIDATES", "popular,recent-popular,ease")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (line, lines) = channel();
        let out: Lines<BufReader<ChildStdout>> = BufReader::new(child.stdout.take().unwrap()).lines();
        std::thread::spawn(move || {
            for next in out.map_while(Result::ok) {
                if line.send(next).is_err() {
                    break;
                }
            }
        });
        Self { child, lines, said: Vec::new(), until: Instant::now() + LONG }
    }

    /// The first line that holds `part`, said already or still to come: a swap is told before or after its run.
    fn line_with(&mut self, part: &str) -> String {
        if let Some(line) = self.said.iter().find(|line| line.contains(part)) {
            return line.clone();
        }
        loop {
            match self.lines.recv_timeout(self.until.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.said.push(line.clone());
                    if line.contains(part) {
                        return line;
                    }
                }
                Err(RecvTimeoutError::Timeout) => panic!("no {part:?} in time; said: {:#?}", self.said),
                Err(RecvTimeoutError::Disconnected) => panic!("ended without {part:?}; said: {:#?}", self.said),
            }
        }
    }

    /// Asks it to end, and waits until its output is closed and it is gone; answers the exit code.
    fn end(&mut self) -> Option<i32> {
        let done = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(done.success());
        self.line_with("ended: ");
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A test that failed leaves no service behind; one that is gone already cannot be killed.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

async fn ask(url: &str) -> Value {
    reqwest::get(url).await.unwrap().error_for_status().unwrap().json().await.unwrap()
}

/// How many of the answer's items come from the shopper's own taste.
fn personal(answer: &Value) -> usize {
    answer["items"].as_array().unwrap().iter().filter(|item| item["source"] == "personal").count()
}

#[tokio::test]
async fn the_demo_recommends_swaps_answers_the_client_and_ends_in_order() {
    ouzel::cli::choose_tls();
    let home = tempfile::tempdir().unwrap();
    let arguments =
        ["demo", "--port", "0", "--purchases", "20000", "--rate", "40", "--every", "5s", "--seconds", "600"];
    let mut demo = Running::start(&arguments, home.path());
    let first = demo.line_with("Ouzel runs at ");
    let word = |after: &str| {
        let rest = first.split(after).nth(1).unwrap();
        rest.split([',', ' ']).next().unwrap().trim_end_matches('.').to_owned()
    };
    let (url, broker) = (word("runs at "), word("(embedded) at "));

    demo.line_with("20000 past purchases are in");
    let run = demo.line_with("run ");
    assert!(run.contains("(start, ") && run.contains("ease chosen, NDCG@10 on the holdout 0."), "{run}");
    let version = demo.line_with("version 1 answers");
    assert!(version.contains("fitted on 20"), "{version}");

    let answer = ask(&format!("{url}/recommend?user=shopper-0001&n=5")).await;
    assert_eq!(answer["items"].as_array().unwrap().len(), 5, "{answer}");
    assert!(personal(&answer) > 0, "{answer}");
    let other = ask(&format!("{url}/recommend?user=shopper-0002&n=5")).await;
    assert_ne!(answer["items"], other["items"], "each shopper has a list of their own");

    // The original's client, over the embedded broker's own socket.
    let client = ["client", "--brokers", &broker, "--count", "3", "--rate", "20", "--seed", "1"];
    let mut client = Running::start(&client, home.path());
    let reply = client.line_with(" -> ");
    assert!(reply.contains("(ouzel "), "{reply}");
    client.line_with("3 sent, 3 answered, 0 failed");
    assert_eq!(client.child.wait().unwrap().code(), Some(0));

    let swap = demo.line_with("version 2 answers");
    assert!(swap.ends_with("failed 0"), "{swap}");
    assert_eq!(demo.end(), Some(0));
    let ended = demo.said.last().unwrap();
    assert!(!ended.contains("ended: 0 events") && ended.ends_with("0 requests failed"), "{ended}");
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0, "nothing is left behind");
}
