//! The tail's rows in bytes: one row per batch, with a checksum of its own over everything behind it.
//!
//! `xxh3 (8) | version (1) | last seq (8) | arrival (8) | events (4) | the events`, numbers little-endian. An event is
//! `flags (1) | value (4) | user | item | type | time? (8) | id? | recommendation id?`, each text with its length in two
//! bytes. The row's key is its first seq, big-endian.

use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use crate::model::event::Event;
use crate::model::ids::{ItemId, UserId};

const VERSION: u8 = 1;
const HAS_TIME: u8 = 1;
const HAS_ID: u8 = 2;
const HAS_RECOMMENDATION: u8 = 4;
const SUM: usize = 8;

/// One row of the tail.
#[derive(Debug, Clone, PartialEq)]
pub struct TailRow {
    /// The batch's last record; item changes and erasures behind the events have numbers too.
    pub last: u64,
    /// When the batch came in, milliseconds of the epoch.
    pub arrival_ms: i64,
    /// The batch's new events; the first has the row's key as its number, the others follow.
    pub events: Vec<Event>,
}

/// What is known of a row without its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowHead {
    /// The batch's last record.
    pub last: u64,
    /// Number of events.
    pub events: u64,
}

/// The row's key.
#[must_use]
pub const fn key(first: u64) -> [u8; 8] {
    first.to_be_bytes()
}

/// The number that a key stands for.
#[must_use]
pub fn first_of(key: &[u8]) -> Option<u64> {
    key.try_into().ok().map(u64::from_be_bytes)
}

/// Writes a row.
///
/// # Errors
/// What does not fit: a text of 64 KiB or more, or too many events.
pub fn encode<'a>(last: u64, arrival_ms: i64, events: impl Iterator<Item = &'a Event>) -> Result<Vec<u8>, String> {
    let mut row = vec![0; SUM];
    row.push(VERSION);
    row.extend(last.to_le_bytes());
    row.extend(arrival_ms.to_le_bytes());
    let count_at = row.len();
    row.extend([0; 4]);
    let mut count = 0_u32;
    for event in events {
        put_event(&mut row, event)?;
        count = count.checked_add(1).ok_or("too many events in one batch")?;
    }
    if let Some(place) = row.get_mut(count_at..count_at + 4) {
        place.copy_from_slice(&count.to_le_bytes());
    }
    let (sum, rest) = row.split_at_mut(SUM);
    sum.copy_from_slice(&xxh3_64(rest).to_le_bytes());
    Ok(row)
}

fn put_event(row: &mut Vec<u8>, event: &Event) -> Result<(), String> {
    let flags = if event.timestamp_ms.is_some() { HAS_TIME } else { 0 }
        | if event.id.is_some() { HAS_ID } else { 0 }
        | if event.recommendation_id.is_some() { HAS_RECOMMENDATION } else { 0 };
    row.push(flags);
    row.extend(event.value.to_le_bytes());
    put_text(row, event.user.as_str())?;
    put_text(row, event.item.as_str())?;
    put_text(row, &event.kind)?;
    if let Some(time) = event.timestamp_ms {
        row.extend(time.to_le_bytes());
    }
    for text in [&event.id, &event.recommendation_id].into_iter().flatten() {
        put_text(row, text)?;
    }
    Ok(())
}

fn put_text(row: &mut Vec<u8>, text: &str) -> Result<(), String> {
    let length = u16::try_from(text.len()).map_err(|_| format!("a text of {} bytes is too long", text.len()))?;
    row.extend(length.to_le_bytes());
    row.extend(text.as_bytes());
    Ok(())
}

/// Checks a row and reads its head.
///
/// # Errors
/// What is wrong with it.
pub fn head(row: &[u8]) -> Result<RowHead, String> {
    let mut bytes = checked(row)?;
    Ok(bytes.head()?.0)
}

/// Checks and reads a row.
///
/// # Errors
/// What is wrong with it.
pub fn decode(row: &[u8]) -> Result<TailRow, String> {
    let mut bytes = checked(row)?;
    let (head, arrival_ms) = bytes.head()?;
    let mut kind: Arc<str> = Arc::from("");
    let mut events = Vec::with_capacity(usize::try_from(head.events).unwrap_or(0).min(row.len()));
    for _ in 0..head.events {
        events.push(bytes.event(&mut kind)?);
    }
    if bytes.0.is_empty() { Ok(TailRow { last: head.last, arrival_ms, events }) } else { Err("it is too long".into()) }
}

fn checked(row: &[u8]) -> Result<Bytes<'_>, String> {
    let (sum, rest) = row.split_first_chunk::<SUM>().ok_or("it is too short")?;
    if u64::from_le_bytes(*sum) != xxh3_64(rest) {
        return Err("its checksum is wrong".into());
    }
    Ok(Bytes(rest))
}

/// What is left of a row.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let (array, rest) = self.0.split_first_chunk::<N>().ok_or("it ends too early")?;
        self.0 = rest;
        Ok(*array)
    }

    fn text(&mut self) -> Result<&'a str, String> {
        let length = usize::from(u16::from_le_bytes(self.array()?));
        let (text, rest) = self.0.split_at_checked(length).ok_or("it ends too early")?;
        self.0 = rest;
        std::str::from_utf8(text).map_err(|_| "a text in it is not UTF-8".into())
    }

    fn head(&mut self) -> Result<(RowHead, i64), String> {
        let [version] = self.array()?;
        if version != VERSION {
            return Err(format!("its version is {version}, this build knows {VERSION}"));
        }
        let last = u64::from_le_bytes(self.array()?);
        let arrival_ms = i64::from_le_bytes(self.array()?);
        let events = u64::from(u32::from_le_bytes(self.array()?));
        Ok((RowHead { last, events }, arrival_ms))
    }

    fn event(&mut self, kind: &mut Arc<str>) -> Result<Event, String> {
        let [flags] = self.array()?;
        let value = f32::from_le_bytes(self.array()?);
        let user = UserId::new(self.text()?).map_err(|e| e.to_string())?;
        let item = ItemId::new(self.text()?).map_err(|e| e.to_string())?;
        let text = self.text()?;
        if &**kind != text {
            *kind = Arc::from(text);
        }
        let timestamp_ms = if flags & HAS_TIME == 0 { None } else { Some(i64::from_le_bytes(self.array()?)) };
        let id = if flags & HAS_ID == 0 { None } else { Some(Arc::from(self.text()?)) };
        let recommendation_id = if flags & HAS_RECOMMENDATION == 0 { None } else { Some(Arc::from(self.text()?)) };
        Ok(Event { user, item, kind: kind.clone(), value, timestamp_ms, id, recommendation_id })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Any event that passes the checks, of few users and items.
    pub fn any_event() -> impl Strategy<Value = Event> {
        let label = || proptest::option::of("[a-zé]{1,6}").prop_map(|text| text.map(Arc::from));
        (
            "u[0-9]",
            "i[0-9]{1,2}",
            "purchase|view|ü",
            -9.0_f32..9.0,
            proptest::option::of(631_152_000_000_i64..2_000_000_000_000),
            label(),
            label(),
        )
            .prop_map(|(user, item, kind, value, timestamp_ms, id, recommendation_id)| Event {
                user: user.parse().unwrap(),
                item: item.parse().unwrap(),
                kind: Arc::from(kind),
                value,
                timestamp_ms,
                id,
                recommendation_id,
            })
    }

    proptest! {
        #[test]
        fn a_row_gives_back_its_events(events in proptest::collection::vec(any_event(), 0..20), last in any::<u64>(), arrival in any::<i64>()) {
            let bytes = encode(last, arrival, events.iter()).unwrap();
            prop_assert_eq!(head(&bytes).unwrap(), RowHead { last, events: events.len() as u64 });
            prop_assert_eq!(decode(&bytes).unwrap(), TailRow { last, arrival_ms: arrival, events });
        }

        #[test]
        fn any_changed_byte_is_noticed(events in proptest::collection::vec(any_event(), 1..5), at in any::<proptest::sample::Index>(), bit in 0..8) {
            let mut bytes = encode(9, 9, events.iter()).unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= 1_u8 << bit;
            prop_assert!(decode(&bytes).is_err());
            prop_assert!(head(&bytes).is_err());
            prop_assert!(decode(&bytes[..at]).is_err());
        }
    }
}
