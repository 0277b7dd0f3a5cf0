//! What the demo says on the terminal.

use crate::model::manifest::{CandidateFigures, Manifest};
use crate::model::run::{RunRecord, RunStatus};
use crate::settings::Kafka;

/// The figure by which runs are told.
const FIGURE: &str = "ndcg@10";

/// Where everything is, and what to try.
pub(super) fn beginning(url: &str, kafka: &Kafka) -> String {
    let (broker, events, requests) = (&kafka.brokers, &kafka.events_topic, &kafka.requests_topic);
    let (replies, models) = (&kafka.replies_topic, &kafka.models_topic);
    let event = r#"{"user":"shopper-0001","item":"mug-017"}"#;
    format!(
        "Ouzel runs at {url}, its Kafka (embedded) at {broker}. Ctrl-C ends both.\n\
         \n\
         Try, in another terminal:\n\
         \x20 curl '{url}/recommend?user=shopper-0001&n=5'\n\
         \x20 curl -d '{event}' -H 'content-type: application/json' {url}/v1/events\n\
         \x20 curl {url}/v1/runs\n\
         \x20 curl {url}/state\n\
         \n\
         With kcat:\n\
         \x20 kcat -b {broker} -t {replies} -C -o end\n\
         \x20 kcat -b {broker} -t {models} -C\n\
         \x20 echo '{event}' | kcat -b {broker} -t {events} -P\n\
         \x20 echo '{{\"user\":\"shopper-0001\",\"n\":5}}' | kcat -b {broker} -t {requests} -P -H correlation-id=mine\n\
         \n"
    )
}

/// A run that is over, in one line.
pub(super) fn run(run: &RunRecord) -> String {
    let seconds = match (run.started_ms, run.finished_ms) {
        (Some(from), Some(to)) => format!("{:.1} s", (to - from) as f64 / 1000.0),
        _ => "not begun".to_owned(),
    };
    let trigger = format!("{:?}", run.trigger).to_lowercase();
    let why = || run.error.clone().or_else(|| run.gate.as_ref()?.reasons.first().cloned()).unwrap_or_default();
    let end = match run.status {
        RunStatus::Succeeded => figures(run),
        RunStatus::Refused => format!("refused, {}: {}", figures(run), why()),
        RunStatus::Failed => format!("failed: {}", why()),
        RunStatus::Cancelled => format!("cancelled: {}", why()),
        RunStatus::Queued | RunStatus::Running => "not over".to_owned(),
    };
    format!("run {} ({trigger}, {seconds}): {end}", run.id)
}

/// The chosen kind with its figure on the holdout, and those of the two that it has to beat.
fn figures(run: &RunRecord) -> String {
    let holdout = || run.candidates.iter().filter(|row| row.on_holdout());
    let figure = |row: Option<&CandidateFigures>| {
        let mean = row.and_then(|row| row.metrics.get(FIGURE)).map(|figure| figure.mean);
        mean.map_or_else(|| "-".to_owned(), |mean| format!("{mean:.4}"))
    };
    let of = |kind: &str| figure(holdout().find(|row| row.model == kind));
    let Some(chosen) = holdout().find(|row| row.chosen) else {
        let rule = run.gate.as_ref().and_then(|gate| gate.reasons.first());
        return rule.cloned().unwrap_or_else(|| "nothing was compared".to_owned());
    };
    format!(
        "{} chosen, NDCG@10 on the holdout {} (recent-popular {}, popular {})",
        chosen.model,
        figure(Some(chosen)),
        of("recent-popular"),
        of("popular")
    )
}

/// A version that answers from now on, and how many requests were answered, or failed, since the one before.
pub(super) fn swap(manifest: &Manifest, answered: u64, failed: u64) -> String {
    format!(
        "version {} answers ({}, fitted on {} events); requests answered meanwhile {answered}, failed {failed}",
        manifest.version, manifest.recipe.kind, manifest.data.events
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::manifest::{Figure, GateVerdict};
    use crate::model::run::Trigger;

    fn row(model: &str, part: &str, mean: f64) -> CandidateFigures {
        CandidateFigures {
            model: model.into(),
            chosen: model == "ease",
            part: part.into(),
            metrics: BTreeMap::from([(FIGURE.to_owned(), Figure { mean, ci95: 0.01 })]),
            ..CandidateFigures::default()
        }
    }

    fn record(status: RunStatus, reason: &str) -> RunRecord {
        RunRecord {
            id: "0007".into(),
            status,
            trigger: Trigger::Schedule,
            reason: None,
            queued_ms: 0,
            started_ms: Some(1_000),
            finished_ms: Some(4_250),
            version: None,
            steps: Vec::new(),
            candidates: vec![
                row("ease", "validation", 0.9),
                row("ease", "holdout", 0.21),
                row("recent-popular", "holdout", 0.08),
                row("popular", "holdout", 0.05),
            ],
            gate: Some(GateVerdict { passed: status == RunStatus::Succeeded, reasons: vec![reason.to_owned()] }),
            error: None,
        }
    }

    #[test]
    fn a_run_is_one_line_with_its_figures_or_its_reason() {
        insta::assert_snapshot!(run(&record(RunStatus::Succeeded, "fine")),
            @"run 0007 (schedule, 3.2 s): ease chosen, NDCG@10 on the holdout 0.2100 (recent-popular 0.0800, popular 0.0500)");
        insta::assert_snapshot!(run(&record(RunStatus::Refused, "worse than live")),
            @"run 0007 (schedule, 3.2 s): refused, ease chosen, NDCG@10 on the holdout 0.2100 (recent-popular 0.0800, popular 0.0500): worse than live");
        let failed = RunRecord { error: Some("no rows".into()), ..record(RunStatus::Failed, "") };
        insta::assert_snapshot!(run(&failed), @"run 0007 (schedule, 3.2 s): failed: no rows");
        let by_rule = RunRecord { candidates: Vec::new(), ..record(RunStatus::Succeeded, "too few users") };
        insta::assert_snapshot!(run(&by_rule), @"run 0007 (schedule, 3.2 s): too few users");
    }
}
