//! Generated shops: a data folder with events by a power law and versions trained on them, kept between runs.

use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// How large a shop is.
#[derive(Debug, Clone, Copy)]
pub struct Shop {
    pub users: u32,
    pub items: u32,
    pub events: u32,
    /// The kind of its versions.
    pub kind: &'static str,
}

impl Shop {
    /// So many items, with `users` users of some twenty events each.
    pub const fn of(items: u32, users: u32) -> Self {
        let events = if users * 20 > items * 5 { users * 20 } else { items * 5 };
        Self { users, items, events, kind: "ials" }
    }

    /// Its data folder below `root`, made where it is not there yet: the events imported, and `versions` versions (those of
    /// `ials` with 64 factors), the last of them live.
    pub fn folder(self, binary: &Path, root: &Path, versions: usize) -> anyhow::Result<PathBuf> {
        let folder = root.join(format!("shop-{}-{}-{}-{}-{versions}", self.kind, self.items, self.users, self.events));
        if folder.join("complete").exists() {
            return Ok(folder);
        }
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        std::fs::create_dir_all(&folder)?;
        let file = folder.join("events.csv");
        self.write(&file)?;
        let ouzel = |arguments: &[&str]| ouzel(binary, &folder, self.kind, arguments);
        ouzel(&["import", &file.to_string_lossy()])?;
        std::fs::remove_file(&file)?;
        for _ in 0..versions {
            ouzel(&["train", "--publish"])?;
        }
        std::fs::write(folder.join("complete"), "")?;
        Ok(folder)
    }

    /// Writes the events; every user and every item has at least one.
    pub fn write(self, file: &Path) -> anyhow::Result<()> {
        let mut random = StdRng::seed_from_u64(42);
        let (users, items) = (PowerLaw::new(self.users, 0.6), PowerLaw::new(self.items, 0.8));
        let mut out = BufWriter::new(std::fs::File::create(file)?);
        writeln!(out, "user,item,timestamp,weight")?;
        for event in 0..self.events {
            let user = if event < self.users { event } else { users.draw(&mut random) };
            let item = if event < self.items { event } else { items.draw(&mut random) };
            let time = 1_700_000_000 + u64::from(event) * 31_536_000 / u64::from(self.events);
            writeln!(out, "u{user},i{item},{time},1")?;
        }
        out.flush().context("the events cannot be written")
    }
}

/// Indices with chances that fall as 1 / (rank + 10) ^ exponent.
struct PowerLaw {
    sums: Vec<f64>,
}

impl PowerLaw {
    fn new(size: u32, exponent: f64) -> Self {
        let add = |sum: &mut f64, rank: u32| {
            *sum += (f64::from(rank) + 10.0).powf(-exponent);
            Some(*sum)
        };
        Self { sums: (0..size).scan(0.0, add).collect() }
    }

    fn draw(&self, random: &mut StdRng) -> u32 {
        let wanted = random.random_range(0.0..self.sums.last().copied().unwrap_or(1.0));
        self.sums.partition_point(|&sum| sum < wanted) as u32
    }
}

/// Runs a command of the binary on a data folder; what is trained is of one kind.
pub fn ouzel(binary: &Path, folder: &Path, kind: &str, arguments: &[&str]) -> anyhow::Result<()> {
    let mut command = Command::new(binary);
    command.args(arguments).env("OUZEL__STORAGE__DATA_DIR", folder).stdout(std::process::Stdio::null());
    // One fit; on random events nothing ranks better than the popular list, so the gate is left open.
    let training = [
        ("OUZEL__TRAINING__CANDIDATES", kind),
        ("OUZEL__TRAINING__TRIALS", "1"),
        ("OUZEL__TRAINING__TEST_USERS", "1000"),
        ("OUZEL__TRAINING__THREADS", "2"),
        ("OUZEL__GATE__MARGIN", "1"),
    ];
    let status = command.envs(training).env("OUZEL__TELEMETRY__LOG", "warn").status()?;
    if !status.success() {
        bail!("ouzel {} ended with {status}", arguments.join(" "));
    }
    Ok(())
}
