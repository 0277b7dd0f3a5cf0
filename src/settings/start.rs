//! Where a first start begins: `earliest`, `latest`, `ts=2026-01-31T00:00:00Z`, `last=7d`.

use std::str::FromStr;

use super::Span;
use crate::model::event::time_of_text;

/// The meaning of `kafka.start`. Stored offsets win over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartAt {
    /// The first record that the broker still has.
    Earliest,
    /// Whatever comes from now on.
    Latest,
    /// The first record at or after a time, milliseconds of the epoch.
    At(i64),
    /// The first record of the last so many milliseconds.
    Last(Span),
}

/// A text that is no start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no start: write earliest, latest, ts=2026-01-31T00:00:00Z or last=7d")]
pub struct StartError(String);

impl StartAt {
    /// The time from which on records are read, where it is one.
    #[must_use]
    pub fn time_ms(self, now_ms: i64) -> Option<i64> {
        match self {
            Self::Earliest | Self::Latest => None,
            Self::At(time) => Some(time.max(0)),
            Self::Last(span) => Some(now_ms.saturating_sub(span.millis_i64()).max(0)),
        }
    }
}

impl FromStr for StartAt {
    type Err = StartError;

    fn from_str(text: &str) -> Result<Self, StartError> {
        let wrong = || StartError(text.to_owned());
        match text.split_once('=') {
            None if text == "earliest" => Ok(Self::Earliest),
            None if text == "latest" => Ok(Self::Latest),
            Some(("ts", time)) if !time.starts_with('-') => time_of_text(time).map(Self::At).ok_or_else(wrong),
            Some(("last", span)) => span.parse().map(Self::Last).map_err(|_| wrong()),
            _ => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_four_forms_are_read() {
        assert_eq!("earliest".parse(), Ok(StartAt::Earliest));
        assert_eq!("latest".parse(), Ok(StartAt::Latest));
        assert_eq!("ts=2026-01-31T00:00:00Z".parse(), Ok(StartAt::At(1_769_817_600_000)));
        assert_eq!("ts=1769817600000".parse(), Ok(StartAt::At(1_769_817_600_000)));
        assert_eq!("last=7d".parse(), Ok(StartAt::Last(Span::from_millis(604_800_000))));
        assert_eq!("last=7d".parse::<StartAt>().unwrap().time_ms(604_800_005), Some(5));
        for wrong in ["", "first", "ts=yesterday", "ts=-5", "last=week", "ts", "last=", "earliest=1"] {
            let said = wrong.parse::<StartAt>().unwrap_err().to_string();
            assert!(said.contains("earliest, latest"), "{said}");
        }
    }
}
