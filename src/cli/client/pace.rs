//! Times as the original's configuration wrote them.

/// The units of the original's configuration library, in milliseconds.
const UNITS: [(&[&str], f64); 7] = [
    (&["", "ms", "milli", "millis", "millisecond", "milliseconds"], 1.0),
    (&["s", "second", "seconds"], 1e3),
    (&["m", "minute", "minutes"], 60e3),
    (&["h", "hour", "hours"], 3600e3),
    (&["d", "day", "days"], 86_400e3),
    (&["us", "micro", "micros", "microsecond", "microseconds"], 1e-3),
    (&["ns", "nano", "nanos", "nanosecond", "nanoseconds"], 1e-6),
];

/// Reads a time such as `1 second`, `500ms` or `1000` (milliseconds); none where it is no time above 0.
#[must_use]
pub fn interval_ms(text: &str) -> Option<f64> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number: f64 = number.parse().ok()?;
    let (_, ms) = UNITS.into_iter().find(|(names, _)| names.contains(&unit.trim()))?;
    let span = number * ms;
    (span.is_finite() && span > 0.0).then_some(span)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_originals_ways_to_write_a_time_are_read() {
        for (text, ms) in
            [("1 second", 1000.0), ("500ms", 500.0), ("1000", 1000.0), ("0.5s", 500.0), (" 2 minutes ", 120e3)]
        {
            assert_eq!(interval_ms(text), Some(ms), "{text}");
        }
        for text in ["", "second", "0s", "-1s", "1 fortnight", "1..5s"] {
            assert_eq!(interval_ms(text), None, "{text}");
        }
    }
}
