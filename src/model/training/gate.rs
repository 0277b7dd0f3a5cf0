//! The gate: whether the chosen candidate may go live.
//!
//! Its figure on the holdout is held against those of the rivals, `popular`, `recent-popular` and the live version's recipe
//! refitted on the same train part. (The live weights themselves were refitted on the holdout's rows and are never scored
//! on it.)

use crate::model::evaluation::metrics::Metric;
use crate::model::manifest::GateVerdict;
use crate::model::training::choose::Scored;

/// The kinds that every chosen candidate is compared with.
pub const RIVALS: [&str; 2] = ["popular", "recent-popular"];

/// How the live version's recipe is called among the figures.
pub const LIVE: &str = "live";

/// Refuses the chosen candidate when a rival is better by more than `margin`, a share of the rival's figure. A rival that
/// is the chosen one itself (same kind and settings), or that could not be fitted, is named and not compared. A chosen
/// candidate without a figure is refused.
#[must_use]
pub fn judge(chosen: &Scored, rivals: &[Scored], metric: Metric, margin: f64) -> GateVerdict {
    compare(chosen, rivals, |rival| rival.spec == chosen.spec, metric, margin)
}

/// As [`judge`], of a model that was fitted elsewhere: a rival of the same kind and settings is none the less another one.
#[must_use]
pub fn judge_given(given: &Scored, rivals: &[Scored], metric: Metric, margin: f64) -> GateVerdict {
    compare(given, rivals, |_| false, metric, margin)
}

fn compare(
    chosen: &Scored,
    rivals: &[Scored],
    is_chosen: impl Fn(&Scored) -> bool,
    metric: Metric,
    margin: f64,
) -> GateVerdict {
    let (name, kind) = (metric.name(), &chosen.spec.kind);
    let Some(own) = chosen.score(metric) else {
        let why = chosen.figures.error.as_deref().unwrap_or("nobody to test on");
        return GateVerdict { passed: false, reasons: vec![format!("{kind} has no {name} on the holdout: {why}")] };
    };
    let (mut failed, mut passed) = (Vec::new(), Vec::new());
    for rival in rivals {
        let who = called(rival);
        if is_chosen(rival) {
            passed.push(format!("{who} is the chosen one itself, with {name} {own:.4}: nothing to compare"));
            continue;
        }
        let Some(theirs) = rival.score(metric) else {
            let why = rival.figures.error.as_deref().unwrap_or("nobody to test on");
            passed.push(format!("{who} is not compared: {why}"));
            continue;
        };
        let allowed = 100.0 * margin;
        if own < theirs * (1.0 - margin) {
            let worse = 100.0 * (theirs - own) / theirs;
            failed.push(format!(
                "{name} of {kind} is {own:.4}, that of {who} {theirs:.4}: worse by {worse:.1} %, {allowed:.1} % are allowed"
            ));
        } else if own < theirs {
            passed.push(format!(
                "{name} of {kind} is {own:.4}, that of {who} {theirs:.4}: worse, but by no more than {allowed:.1} %"
            ));
        } else {
            passed.push(format!("{name} of {kind} is {own:.4}, that of {who} {theirs:.4}: not worse"));
        }
    }
    let verdict = failed.is_empty();
    failed.append(&mut passed);
    GateVerdict { passed: verdict, reasons: failed }
}

fn called(rival: &Scored) -> String {
    if rival.figures.model == LIVE {
        format!("the live version's {}", rival.spec.kind)
    } else {
        rival.spec.kind.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::manifest::{CandidateFigures, Figure};
    use crate::model::recommender::RecipeSpec;

    fn scored(model: &str, kind: &str, lambda: u32, ndcg: Option<f64>) -> Scored {
        let settings = serde_json::json!({ "lambda": lambda });
        let metrics = ndcg.map(|mean| ("ndcg@10".to_owned(), Figure { mean, ci95: 0.01 })).into_iter().collect();
        let error = ndcg.is_none().then(|| "no row has a time".to_owned());
        let figures = CandidateFigures { model: model.to_owned(), metrics, error, ..CandidateFigures::default() };
        Scored { spec: RecipeSpec { kind: kind.to_owned(), settings }, figures }
    }

    #[test]
    fn the_margin_is_a_share_of_the_rivals_figure() {
        let rivals = [scored("popular", "popular", 0, Some(0.1))];
        let verdict = |own: f64| judge(&scored("ease", "ease", 1, Some(own)), &rivals, Metric::Ndcg10, 0.02);
        assert!(verdict(0.2).passed && verdict(0.1).passed && verdict(0.0981).passed);
        assert!(!verdict(0.0979).passed && !verdict(0.0).passed);
        assert_eq!(
            verdict(0.0981).reasons,
            ["ndcg@10 of ease is 0.0981, that of popular 0.1000: worse, but by no more than 2.0 %"]
        );
    }

    #[test]
    fn failed_comparisons_come_first_with_both_figures() {
        let rivals = [
            scored("popular", "popular", 0, Some(0.1)),
            scored("recent-popular", "recent-popular", 0, None),
            scored(LIVE, "ease", 5, Some(0.25)),
        ];
        let verdict = judge(&scored("ease", "ease", 1, Some(0.2)), &rivals, Metric::Ndcg10, 0.02);
        assert!(!verdict.passed);
        assert_eq!(
            verdict.reasons,
            [
                "ndcg@10 of ease is 0.2000, that of the live version's ease 0.2500: worse by 20.0 %, 2.0 % are allowed",
                "ndcg@10 of ease is 0.2000, that of popular 0.1000: not worse",
                "recent-popular is not compared: no row has a time",
            ]
        );
    }

    #[test]
    fn nobody_is_compared_with_itself() {
        let rivals = [scored("popular", "popular", 0, Some(0.1)), scored(LIVE, "popular", 0, Some(0.1))];
        let verdict = judge(&scored("popular", "popular", 0, Some(0.1)), &rivals, Metric::Ndcg10, 0.0);
        assert!(verdict.passed);
        assert!(verdict.reasons.iter().all(|reason| reason.contains("is the chosen one itself")), "{verdict:?}");
        // The same kind with other settings is a rival.
        let live = [scored(LIVE, "ease", 5, Some(0.3))];
        assert!(!judge(&scored("ease", "ease", 1, Some(0.2)), &live, Metric::Ndcg10, 0.0).passed);
    }

    #[test]
    fn a_rival_without_a_hit_refuses_nobody_and_no_figure_is_no_pass() {
        let rivals = [scored("popular", "popular", 0, Some(0.0))];
        assert!(judge(&scored("ease", "ease", 1, Some(0.0)), &rivals, Metric::Ndcg10, 0.02).passed);
        assert!(!judge(&scored("ease", "ease", 1, None), &rivals, Metric::Ndcg10, 0.02).passed);
    }
}
