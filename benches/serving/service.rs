//! The service under load: the release build as a process of its own.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::common;

/// A running `ouzel serve`; killed when dropped.
pub struct Service {
    child: Child,
    pub address: SocketAddr,
}

impl Service {
    /// Starts the binary on a data folder and waits until it is ready.
    pub fn start(binary: &Path, folder: &Path, settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let begun = Instant::now();
        let mut child = Command::new(binary)
            .arg("serve")
            .env("OUZEL__STORAGE__DATA_DIR", folder)
            .env("OUZEL__SERVER__PORT", "0")
            .env("OUZEL__SCHEDULE__ON_START", "false")
            .env("OUZEL__TELEMETRY__LOG", "warn")
            .envs(settings.iter().copied())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{} cannot be started", binary.display()))?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no output")?).read_line(&mut line)?;
        let address = line.trim().rsplit("//").next().unwrap_or_default().parse();
        let address = address.with_context(|| format!("it did not say where it listens but {line:?}"))?;
        let service = Self { child, address };
        while service.get("/health/ready").map_or(0, |(status, _)| status) != 200 {
            if begun.elapsed() > Duration::from_secs(120) {
                bail!("the service was not ready within 120 s");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(service)
    }

    /// Status and body of a GET.
    pub fn get(&self, path: &str) -> anyhow::Result<(u16, Value)> {
        self.ask(&format!("GET {path} HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n"))
    }

    /// Status and body of a POST.
    pub fn post(&self, path: &str, body: &Value) -> anyhow::Result<(u16, Value)> {
        self.send("POST", path, body)
    }

    /// Status and body of a PUT.
    pub fn put(&self, path: &str, body: &Value) -> anyhow::Result<(u16, Value)> {
        self.send("PUT", path, body)
    }

    fn send(&self, method: &str, path: &str, body: &Value) -> anyhow::Result<(u16, Value)> {
        let (body, json) = (body.to_string(), "content-type: application/json");
        let length = body.len();
        self.ask(&format!(
            "{method} {path} HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n{json}\r\ncontent-length: {length}\r\n\r\n{body}"
        ))
    }

    fn ask(&self, request: &str) -> anyhow::Result<(u16, Value)> {
        use std::io::{Read as _, Write as _};
        let mut stream = std::net::TcpStream::connect(self.address)?;
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("an answer without a head")?;
        let status = head.split(' ').nth(1).context("an answer without a status")?.parse()?;
        Ok((status, serde_json::from_str(body).unwrap_or_default()))
    }

    /// The memory it holds now, megabytes.
    pub fn megabytes(&self) -> anyhow::Result<f64> {
        common::megabytes(&self.child.id().to_string(), "VmRSS:")
    }

    /// Processor time it has used so far, seconds.
    pub fn processor_seconds(&self) -> anyhow::Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let after_name = stat.rsplit(')').next().unwrap_or_default();
        let ticks: Vec<f64> = after_name.split_whitespace().skip(11).take(2).filter_map(|t| t.parse().ok()).collect();
        // Linux counts in hundredths of a second on every machine that Rust is built for.
        Ok(ticks.iter().sum::<f64>() / 100.0)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
