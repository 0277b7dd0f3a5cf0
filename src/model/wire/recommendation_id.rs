//! The id of an answered list: `version-list`, or `version-list-variant` in a test.
//!
//! The list's part is 16 hexadecimal digits, of which the first six are the process's own, so that of several processes
//! only the one that gave a list counts what it led to.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Bits of a list's own part.
pub const NUMBER_BITS: u32 = 40;

/// The longest id that is looked at, in bytes.
const MAX_BYTES: usize = 80;

/// An id, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecommendationId {
    /// The version that answered; 0 for none.
    pub version: u64,
    /// The process's own part, below 2^24.
    pub process: u32,
    /// The list's own part, below 2^40.
    pub number: u64,
    /// The user's variant in a test.
    pub variant: Option<Arc<str>>,
}

/// A text that is none of our ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no recommendation id of ours")]
pub struct NotOurs;

impl RecommendationId {
    /// A process's own part.
    #[must_use]
    pub fn draw_process() -> u32 {
        rand::random::<u32>() >> 8
    }

    /// The first list's own part.
    #[must_use]
    pub fn draw_number() -> u64 {
        rand::random::<u64>() >> (64 - NUMBER_BITS)
    }
}

impl fmt::Display for RecommendationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:06x}{:010x}", self.version, self.process, self.number)?;
        self.variant.as_ref().map_or(Ok(()), |variant| write!(f, "-{variant}"))
    }
}

impl FromStr for RecommendationId {
    type Err = NotOurs;

    fn from_str(text: &str) -> Result<Self, NotOurs> {
        let read = || {
            let mut parts = text.splitn(3, '-');
            let (version, random, variant) = (parts.next()?, parts.next()?, parts.next());
            let digits = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit());
            if !digits || random.len() != 16 || !random.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return None;
            }
            let random = u64::from_str_radix(random, 16).ok()?;
            Some(Self {
                version: version.parse().ok()?,
                process: u32::try_from(random >> NUMBER_BITS).ok()?,
                number: random & ((1 << NUMBER_BITS) - 1),
                variant: variant.map(Arc::from),
            })
        };
        if text.len() > MAX_BYTES { Err(NotOurs) } else { read().ok_or(NotOurs) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ids_that_are_not_ours_are_told_apart() {
        let long = "7-5f3a5f3a5f3a5f3a-".to_owned() + &"x".repeat(80);
        for id in ["", "7", "7-", "-5f3a5f3a5f3a5f3a", "x-5f3a5f3a5f3a5f3a", "7-xyz", "+7-5f3a5f3a5f3a5f3a", &long] {
            assert_eq!(id.parse::<RecommendationId>(), Err(NotOurs), "{id}");
        }
        let read: RecommendationId = "7-0000ab00000000ff".parse().unwrap();
        assert_eq!(read, RecommendationId { version: 7, process: 0xab, number: 0xff, variant: None });
    }

    proptest! {
        #[test]
        fn an_id_gives_back_what_it_is_of(version in any::<u64>(), variant in prop::option::of("[a-z0-9_]{1,32}")) {
            let variant = variant.as_deref().map(Arc::from);
            let (process, number) = (RecommendationId::draw_process(), RecommendationId::draw_number());
            let id = RecommendationId { version, process, number, variant };
            prop_assert_eq!(id.to_string().parse(), Ok(id));
        }
    }
}
