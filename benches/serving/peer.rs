//! The original's network behind FastAPI and ONNX Runtime, beside the service with the same network.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use super::Bench;
use super::cases::{self, SHOP_PEER};
use super::common::median;
use super::load::{Arrivals, drive};
use super::rates::{CONNECTIONS, SPAN};
use super::service::Service;

/// Processes of the peer: one for each core that the service has.
const WORKERS: &str = "2";

/// `bench/peers/serving_fastapi.py`; stopped when dropped.
struct Peer {
    child: Child,
    address: SocketAddr,
}

impl Peer {
    fn start(python: &str) -> anyhow::Result<Self> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/bench/peers/serving_fastapi.py");
        let (users, items) = (SHOP_PEER.users.to_string(), SHOP_PEER.items.to_string());
        let mut child = Command::new(python)
            .args([script, "--workers", WORKERS, "--users", &users, "--items", &items])
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{python} cannot be started"))?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no output")?).read_line(&mut line)?;
        let told: Value = serde_json::from_str(&line).with_context(|| format!("the peer said {line:?}"))?;
        let port = told["port"].as_u64().and_then(|port| u16::try_from(port).ok()).context("it named no port")?;
        Ok(Self { child, address: SocketAddr::from(([127, 0, 0, 1], port)) })
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It stops its workers at a SIGTERM, and would leave them behind at a SIGKILL.
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).ok();
        self.child.wait().ok();
    }
}

/// Thirty given products asked of both in turn; `OUZEL_BENCH_PYTHON` names a Python with what
/// `bench/peers/requirements.txt` lists.
pub fn fastapi(bench: &Bench) -> anyhow::Result<()> {
    let case = "30 candidates, the original's network, beside FastAPI and ONNX Runtime";
    let Ok(python) = std::env::var("OUZEL_BENCH_PYTHON") else {
        return bench.tell(case, "not measured", "", "OUZEL_BENCH_PYTHON names no Python");
    };
    let folder = SHOP_PEER.folder(&bench.binary, &bench.folder, 1)?;
    let service = Service::start(&bench.binary, &folder, &[("OUZEL__SERVING__REUSE", "false")])?;
    let peer = Peer::start(&python)?;
    let ours = || drive(service.address, CONNECTIONS, Arrivals::Closed, SPAN, cases::score(SHOP_PEER));
    let theirs =
        || drive(peer.address, CONNECTIONS, Arrivals::Closed, SPAN, cases::score_by_number("/score", SHOP_PEER));
    ours()?;
    theirs()?;
    let (mut of_ours, mut of_theirs) = (Vec::new(), Vec::new());
    for _ in 0..bench.rounds {
        let (ours, theirs) = (ours()?, theirs()?);
        ensure!(ours.failed + theirs.failed == 0, "{} and {} requests failed", ours.failed, theirs.failed);
        of_ours.push(ours.rate());
        of_theirs.push(theirs.rate());
    }
    let ratio = median(of_ours.iter().zip(&of_theirs).map(|(ours, theirs)| ours / theirs).collect());
    let told = format!("{:.0}/s, the peer {:.0}/s with {WORKERS} processes", median(of_ours), median(of_theirs));
    bench.tell(case, &format!("{ratio:.1}"), "", &told)
}
