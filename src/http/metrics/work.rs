//! What the actors counted of their work: events, dead letters, requests over Kafka, runs, swaps.

use std::sync::atomic::Ordering;

use super::text::Text;
use crate::actors::histogram::Histogram;
use crate::actors::meters::{Counters, Counts, Meters};

/// Writes the figures; those of Kafka only where `kafka` is used.
pub(super) fn write(meters: &Meters, kafka: bool, out: &mut Text) {
    events(meters, out);
    runs(meters, out);
    swaps(meters, out);
    if kafka {
        out.head("ouzel_dead_letters_total", "counter", "Records put among the dead letters.");
        by_two(&meters.dead_letters, "ouzel_dead_letters_total", ["topic", "reason"], out);
        out.head("ouzel_version_records_total", "counter", "Records that tell of versions, by what became of them.");
        by_one(&meters.told, "ouzel_version_records_total", "outcome", out);
        let replies = meters.replies.load(Ordering::Relaxed) as f64;
        out.one("ouzel_kafka_requests_answered_total", "counter", "Requests of the topic that were answered.", replies);
        let help = "Time from a request's record to its delivered reply.";
        times("ouzel_kafka_request_duration_seconds", help, &meters.reply_times, out);
    }
}

fn events(meters: &Meters, out: &mut Text) {
    out.head("ouzel_events_total", "counter", "New events taken in.");
    by_one(&meters.accepted, "ouzel_events_total", "source", out);
    out.head("ouzel_event_duplicates_total", "counter", "Events that were known already.");
    by_one(&meters.duplicates, "ouzel_event_duplicates_total", "source", out);
    out.head("ouzel_events_rejected_total", "counter", "Events that were refused.");
    by_two(&meters.rejected, "ouzel_events_rejected_total", ["source", "reason"], out);
    let help = "Time from an event's record, or its arrival by HTTP, until the next request sees it.";
    times("ouzel_event_visible_seconds", help, &meters.visible, out);
}

fn runs(meters: &Meters, out: &mut Text) {
    out.head("ouzel_runs_total", "counter", "Runs that are over.");
    by_one(&meters.runs, "ouzel_runs_total", "status", out);
    times("ouzel_run_duration_seconds", "Time from a run's begin to its end.", &meters.run_times, out);
    out.head("ouzel_gate_verdicts_total", "counter", "What the gate said of candidates.");
    by_one(&meters.verdicts, "ouzel_gate_verdicts_total", "verdict", out);
}

fn swaps(meters: &Meters, out: &mut Text) {
    out.head("ouzel_swap_duration_seconds", "histogram", "Time of a swap's steps; requests wait for none of them.");
    for (step, of) in [("load", &meters.load), ("bind", &meters.bind), ("swap", &meters.swap)] {
        out.distribution("ouzel_swap_duration_seconds", &[("step", step)], &of.distribution());
    }
    if let Some(age) = *meters.data_age_at_swap.lock() {
        let help = "Age of the newest event in the live version's data when it began to answer here.";
        out.one("ouzel_model_data_age_at_swap_seconds", "gauge", help, age);
    }
}

fn times(name: &str, help: &str, of: &Histogram, out: &mut Text) {
    out.head(name, "histogram", help);
    out.distribution(name, &[], &of.distribution());
}

fn by_one<const N: usize>(of: &Counters<N>, name: &str, label: &str, out: &mut Text) {
    for (value, count) in of.each() {
        out.value(name, &[(label, value)], count as f64);
    }
}

fn by_two(of: &Counts, name: &str, labels: [&str; 2], out: &mut Text) {
    let [first, second] = labels;
    for ([one, other], count) in of.each() {
        out.value(name, &[(first, &one), (second, &other)], count as f64);
    }
}
