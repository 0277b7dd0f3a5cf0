//! What the benches share: their arguments, the files of `bench/data.py`, and a line of figures.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use ouzel::model::dataset::Dataset;
use ouzel::model::interactions::{Interactions, NO_TIME};

/// The binary's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The arguments behind the bench's name, without the flag that cargo adds.
pub fn arguments() -> Vec<String> {
    std::env::args().skip(1).filter(|argument| argument != "--bench").collect()
}

/// The little-endian words of a file.
pub fn words(path: &Path) -> anyhow::Result<Vec<u32>> {
    let bytes = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
    Ok(bytes.as_chunks::<4>().0.iter().map(|&word| u32::from_le_bytes(word)).collect())
}

/// The pairs of a file of `bench/data.py pairs`, indices as in the file where each occurs.
#[allow(dead_code, reason = "each bench compiles this file anew, and not all read pairs")]
pub fn pairs(path: &Path) -> anyhow::Result<Dataset> {
    let words = words(path)?;
    let count = |side: usize| words.iter().skip(side).step_by(2).max().map_or(0, |&most| most as usize + 1);
    let ids = |prefix: &str, count: usize| (0..count).map(|at| format!("{prefix}{at}")).collect::<Vec<_>>();
    let user_ids = ids("u", count(0)).iter().map(|id| id.parse()).collect::<Result<Vec<_>, _>>()?;
    let item_ids = ids("i", count(1)).iter().map(|id| id.parse()).collect::<Result<Vec<_>, _>>()?;
    let mut rows =
        Interactions { user_ids: Arc::new(user_ids), item_ids: Arc::new(item_ids), ..Interactions::default() };
    for &[user, item] in words.as_chunks::<2>().0 {
        rows.push(user, item, 1.0, NO_TIME);
    }
    Ok(Dataset::new(rows))
}

/// The median.
#[allow(dead_code, reason = "each bench compiles this file anew, and not all take medians")]
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The most memory that this process held so far, in megabytes; from Linux.
#[allow(dead_code, reason = "each bench compiles this file anew, and not all tell their memory")]
pub fn peak_megabytes() -> anyhow::Result<f64> {
    megabytes("self", "VmHWM:")
}

/// What the status of a process says of its memory at `field`, in megabytes; from Linux.
#[allow(dead_code, reason = "each bench compiles this file anew, and not all tell memory")]
pub fn megabytes(process: &str, field: &str) -> anyhow::Result<f64> {
    let status =
        std::fs::read_to_string(format!("/proc/{process}/status")).context("the memory is told by Linux only")?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)).with_context(|| format!("no {field}"))?;
    let kilobytes: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kilobytes / 1024.0)
}

/// Prints what `bench/compare.py` reads.
#[allow(dead_code, reason = "each bench compiles this file anew, and not all are compared by it")]
pub fn tell(figures: &serde_json::Value) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{figures}").context("the figures cannot be printed")
}
