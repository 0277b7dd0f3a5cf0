//! When runs start by themselves: cron, interval, every so many events, drift, and once when there is data but no version.

use std::str::FromStr;

use chrono::DateTime;
use croner::Cron;

use super::messages::ScheduleState;
use crate::model::run::Trigger;

/// The schedule with what it has seen.
#[derive(Debug)]
pub struct Timetable {
    state: ScheduleState,
    on_start: bool,
    stopped: bool,
    /// When the next run by cron or interval starts, milliseconds of the epoch.
    next_ms: Option<i64>,
    last_begun_ms: Option<i64>,
    seq_at_last: u64,
}

impl Timetable {
    /// The note under which a schedule that was set is kept.
    pub const NOTE: &str = "schedule";

    /// A schedule by settings, which were checked at the start.
    #[must_use]
    pub const fn new(state: ScheduleState, on_start: bool) -> Self {
        Self { state, on_start, stopped: false, next_ms: None, last_begun_ms: None, seq_at_last: 0 }
    }

    /// Takes up a schedule that was set before; one that cannot be read is left for the settings' own.
    pub fn restore(&mut self, note: serde_json::Value, now_ms: i64) {
        let restored = serde_json::from_value::<ScheduleState>(note).map_err(|error| error.to_string());
        if let Err(error) = restored.and_then(|state| self.set(state, now_ms).map(|_| ())) {
            tracing::warn!(error, "the schedule that was set before is not usable, the settings' is taken");
        }
    }

    /// Sets the schedule; answers the note to keep.
    ///
    /// # Errors
    /// What is wrong, with the field.
    pub fn set(&mut self, state: ScheduleState, now_ms: i64) -> Result<serde_json::Value, String> {
        if !state.cron.is_empty() {
            Cron::from_str(&state.cron)
                .map_err(|error| format!("cron: {error}; write five fields, such as \"0 3 * * *\""))?;
        }
        if !(0.0..=1.0).contains(&state.drift) {
            return Err("drift: must be a number from 0 (for none) to 1".to_owned());
        }
        let note = serde_json::to_value(&state).map_err(|error| error.to_string())?;
        self.state = state;
        self.next_ms = self.next_after(now_ms);
        Ok(note)
    }

    /// The schedule with the time of the next run.
    #[must_use]
    pub fn state(&self, now_ms: i64) -> ScheduleState {
        let next_ms = if self.state.paused { None } else { self.next_ms.or_else(|| self.next_after(now_ms)) };
        ScheduleState { next_ms, ..self.state.clone() }
    }

    /// A run began, with the log at `seq`.
    pub fn began(&mut self, now_ms: i64, seq: u64) {
        self.last_begun_ms = Some(now_ms);
        self.seq_at_last = seq;
        self.on_start = false;
    }

    /// Starts nothing any more.
    pub fn stop(&mut self) {
        self.stopped = true;
    }

    /// Why a run is due now, if one is. A time that has come without a new event since the last run passes by.
    pub fn due(&mut self, now_ms: i64, seq: u64, events: u64, has_version: Option<bool>) -> Option<Trigger> {
        if self.stopped || self.state.paused || events == 0 {
            return None;
        }
        if self.on_start {
            // Whether there is a version is known once the registry has read the alias.
            let has_version = has_version?;
            self.on_start = false;
            if !has_version {
                return Some(Trigger::Start);
            }
        }
        let new_events = seq.saturating_sub(self.seq_at_last);
        if self.time_has_come(now_ms) && new_events > 0 {
            return Some(Trigger::Schedule);
        }
        (self.state.every_events > 0 && new_events >= self.state.every_events).then_some(Trigger::Events)
    }

    /// How far the live version's figure may fall before a run is due; none where that starts none.
    pub fn drift(&self) -> Option<f64> {
        (!self.stopped && !self.state.paused && self.state.drift > 0.0).then_some(self.state.drift)
    }

    fn time_has_come(&mut self, now_ms: i64) -> bool {
        match self.next_ms {
            Some(next) if now_ms >= next => {
                self.next_ms = self.next_after(now_ms);
                true
            }
            Some(_) => false,
            None => {
                self.next_ms = self.next_after(now_ms);
                false
            }
        }
    }

    /// The earlier of the cron line's and the interval's next time after `now_ms`.
    fn next_after(&self, now_ms: i64) -> Option<i64> {
        let now = DateTime::from_timestamp_millis(now_ms)?;
        let by_cron = (!self.state.cron.is_empty())
            .then(|| Cron::from_str(&self.state.cron).ok()?.find_next_occurrence(&now, false).ok())
            .flatten()
            .map(|time| time.timestamp_millis());
        let interval_ms = i64::try_from(self.state.interval_seconds).unwrap_or(i64::MAX).saturating_mul(1000);
        let by_interval = (interval_ms > 0).then(|| now_ms.saturating_add(interval_ms));
        by_cron.into_iter().chain(by_interval).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timetable(state: ScheduleState) -> Timetable {
        Timetable::new(state, false)
    }

    #[test]
    fn an_interval_starts_runs_only_over_new_events() {
        let mut times = timetable(ScheduleState { interval_seconds: 60, ..ScheduleState::default() });
        assert_eq!(times.due(0, 5, 5, Some(true)), None);
        assert_eq!(times.due(59_999, 5, 5, Some(true)), None);
        assert_eq!(times.due(60_000, 5, 5, Some(true)), Some(Trigger::Schedule));
        times.began(60_000, 5);
        assert_eq!(times.due(120_000, 5, 5, Some(true)), None);
        assert_eq!(times.due(180_000, 6, 6, Some(true)), Some(Trigger::Schedule));
    }

    #[test]
    fn cron_is_read_in_utc() {
        let mut times = timetable(ScheduleState::default());
        // 2026-01-01T02:30:00Z
        let now_ms = 1_767_234_600_000;
        times.set(ScheduleState { cron: "0 3 * * *".into(), ..ScheduleState::default() }, now_ms).unwrap();
        assert_eq!(times.state(now_ms).next_ms, Some(now_ms + 1_800_000));
        let wrong = times.set(ScheduleState { cron: "every day".into(), ..ScheduleState::default() }, now_ms);
        assert!(wrong.unwrap_err().starts_with("cron: "));
        let wrong = times.set(ScheduleState { drift: 1.5, ..ScheduleState::default() }, now_ms);
        assert!(wrong.unwrap_err().starts_with("drift: "));
    }

    #[test]
    fn what_was_set_is_taken_up_again_from_its_note() {
        let wanted = ScheduleState { interval_seconds: 60, every_events: 9, paused: true, ..ScheduleState::default() };
        let note = timetable(ScheduleState::default()).set(wanted.clone(), 0).unwrap();
        let mut anew = timetable(ScheduleState::default());
        anew.restore(note, 0);
        assert_eq!(anew.state(0), wanted);
    }

    #[test]
    fn enough_new_events_start_a_run() {
        let mut times = timetable(ScheduleState { every_events: 100, ..ScheduleState::default() });
        times.began(0, 50);
        assert_eq!(times.due(1, 149, 149, Some(true)), None);
        assert_eq!(times.due(1, 150, 150, Some(true)), Some(Trigger::Events));
    }

    #[test]
    fn the_first_run_waits_for_data_and_for_the_alias_and_comes_once() {
        let mut times = Timetable::new(ScheduleState::default(), true);
        assert_eq!(times.due(0, 0, 0, Some(false)), None);
        assert_eq!(times.due(0, 9, 9, None), None);
        assert_eq!(times.due(0, 9, 9, Some(false)), Some(Trigger::Start));
        assert_eq!(times.due(0, 9, 9, Some(false)), None);
    }

    #[test]
    fn nothing_starts_while_paused() {
        let state = ScheduleState { every_events: 1, paused: true, ..ScheduleState::default() };
        assert_eq!(timetable(state).due(0, 9, 9, Some(true)), None);
    }
}
