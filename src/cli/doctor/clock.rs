//! The clock, beside what others say the time is.

use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use super::{Finding, Verdict};
use crate::model::event::FUTURE_SLACK_MS;

const PART: &str = "clock";

/// A time that no clock which is set shows any more: 2025-01-01, in milliseconds of the epoch.
const OLD_MS: i64 = 1_735_689_600_000;

/// Clocks may differ by this much, in milliseconds: a header tells whole seconds, and an answer takes its time.
const AGREES_MS: i64 = 5_000;

/// From this difference on S3 servers refuse requests, in milliseconds.
const REFUSED_MS: i64 = 900_000;

/// Whether the clock is set, and not behind the files that were written by it.
pub(super) fn own(now_ms: i64, data_dir: &Path) -> Finding {
    if now_ms < OLD_MS {
        let text = "shows a time long past: set it, events would be refused as of the future";
        return Finding::new(PART, Verdict::Bad, text);
    }
    let ahead_ms = newest_ms(data_dir).map_or(0, |written_ms| written_ms.saturating_sub(now_ms));
    let verdict = judge(ahead_ms, FUTURE_SLACK_MS);
    if verdict == Verdict::Good {
        return Finding::new(PART, verdict, "is set");
    }
    let text = format!(
        "stands {} before files of {} were written: was it set back? Ages, schedules and half-lives go by it",
        span(ahead_ms),
        data_dir.display()
    );
    Finding::new(PART, verdict, text)
}

/// The clock beside that of another machine.
pub(super) fn beside(whose: &str, theirs_ms: i64, now_ms: i64) -> Finding {
    let off_ms = now_ms.saturating_sub(theirs_ms);
    let verdict = judge(off_ms.saturating_abs(), REFUSED_MS);
    if verdict == Verdict::Good {
        return Finding::new(PART, verdict, format!("agrees with that of {whose}"));
    }
    let way = if off_ms < 0 { "behind" } else { "ahead of" };
    let text = format!("is {} {way} that of {whose}: set both by NTP", span(off_ms.saturating_abs()));
    Finding::new(PART, verdict, text)
}

/// When a file of the folder, or of a folder in it, was written last.
fn newest_ms(folder: &Path) -> Option<i64> {
    let files = |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().flatten();
    let written = |file: std::fs::DirEntry| {
        let since = file.metadata().ok()?.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        i64::try_from(since.as_millis()).ok()
    };
    let inner = files(folder).flat_map(|inner| files(&inner.path()));
    files(folder).chain(inner).filter_map(written).max()
}

/// What a difference of clocks means that does harm above `harmful_ms`.
fn judge(off_ms: i64, harmful_ms: i64) -> Verdict {
    if off_ms <= AGREES_MS {
        Verdict::Good
    } else if off_ms <= harmful_ms {
        Verdict::Doubtful
    } else {
        Verdict::Bad
    }
}

/// A span in its largest fitting unit.
fn span(ms: i64) -> String {
    let seconds = Duration::from_millis(ms.unsigned_abs()).as_secs();
    let units = [("days", 86_400), ("h", 3600), ("min", 60)];
    let fitting = units.into_iter().find(|(_, long)| seconds >= 2 * long);
    let (unit, long) = fitting.unwrap_or(("s", 1));
    format!("{} {unit}", seconds / long)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-09-21, in milliseconds of the epoch.
    const NOW: i64 = 1_790_000_000_000;

    #[test]
    fn a_clock_that_is_not_set_or_was_set_back_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let tables = folder.path().join("tables");
        std::fs::create_dir(&tables).unwrap();
        std::fs::write(tables.join("0.jnl"), "x").unwrap();
        let written = newest_ms(folder.path()).unwrap();
        assert_eq!(own(0, folder.path()).verdict, Verdict::Bad);
        for (behind, verdict) in [
            (0, Verdict::Good),
            (AGREES_MS, Verdict::Good),
            (60_000, Verdict::Doubtful),
            (FUTURE_SLACK_MS + 1, Verdict::Bad),
        ] {
            assert_eq!(own(written - behind, folder.path()).verdict, verdict, "{behind}");
        }
        assert_eq!(own(NOW, &folder.path().join("none")).verdict, Verdict::Good);
    }

    #[test]
    fn two_clocks_are_laid_side_by_side() {
        assert_eq!(beside("it", NOW, NOW + AGREES_MS).verdict, Verdict::Good);
        let behind = beside("the S3 server", NOW, NOW - 90_000);
        assert_eq!(behind.verdict, Verdict::Doubtful);
        assert_eq!(behind.text, "is 90 s behind that of the S3 server: set both by NTP");
        let ahead = beside("it", NOW, NOW + 3 * 3_600_000);
        assert!(ahead.verdict == Verdict::Bad && ahead.text.contains("3 h ahead of"), "{}", ahead.text);
    }
}
