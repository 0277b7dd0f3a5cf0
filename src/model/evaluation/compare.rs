//! What `ouzel evaluate` does: candidates compared on a file's rows, as a run would compare them.

use std::sync::Arc;

use super::filters::Filters;
use super::given::{self, Negatives};
use super::lists::ListWriter;
use super::metrics::Metric;
use super::ranking::TestSet;
use super::report::EvaluationReport;
use super::split::Protocol;
use crate::model::candidates;
use crate::model::interactions::Interactions;
use crate::model::manifest::CandidateFigures;
use crate::model::recommender::RecipeSpec;
use crate::model::training::choose::{self, LEAST_USERS, POPULAR, Part, Recipes, Scored};
use crate::model::training::job::{FitError, Job};
use crate::model::training::pool;
use crate::model::training::search::Search;

/// What is compared, and how.
#[derive(Debug, Clone)]
pub struct EvaluationOptions<'a> {
    /// How the rows are divided; without effect where `test` or `negatives` are given.
    pub protocol: Protocol,
    /// What is left out before the split; of a given split, from train only.
    pub filters: Filters,
    /// The test rows of a published split.
    pub test: Option<&'a Interactions>,
    /// Held-out items with the items they are ranked among; they win over `test`.
    pub negatives: Option<&'a [Negatives]>,
    /// The kinds and how their settings are searched for; one row comes of each kind.
    pub search: Search,
    /// What is compared in the choice.
    pub metric: Metric,
    /// Where the lists on the test users are written.
    pub lists: Option<Arc<ListWriter>>,
}

/// The line to beat over time: a row of every report of `temporal`, chosen only where it was asked for.
const TO_BEAT: &str = "recent-popular";

/// Chooses each kind's settings, and the one that would go live, on a validation part of train, then takes every kind's
/// figures on the test users, once. With fewer than ten users to choose by, each kind's first settings are taken and
/// `popular` is marked.
///
/// # Errors
/// [`FitError::Unsuited`] when nothing is held out; [`FitError::Cancelled`].
pub fn evaluate(
    rows: impl Into<Arc<Interactions>>,
    options: &EvaluationOptions<'_>,
    job: &Job,
) -> Result<EvaluationReport, FitError> {
    evaluate_with(&candidates::recipe, rows, options, job)
}

/// [`evaluate`] with recipes looked up in `recipes`.
///
/// # Errors
/// As [`evaluate`].
pub fn evaluate_with(
    recipes: Recipes<'_>,
    rows: impl Into<Arc<Interactions>>,
    options: &EvaluationOptions<'_>,
    job: &Job,
) -> Result<EvaluationReport, FitError> {
    let rows = rows.into();
    pool::within(job.threads, || run(recipes, rows, options, job))?
}

fn run(
    recipes: Recipes<'_>,
    rows: Arc<Interactions>,
    options: &EvaluationOptions<'_>,
    job: &Job,
) -> Result<EvaluationReport, FitError> {
    job.check()?;
    let rows = options.filters.apply(rows);
    let split = match (options.negatives, options.test) {
        (Some(lists), _) => given::with_negatives(&rows, lists),
        (None, Some(test)) => given::holdout(&rows, test),
        (None, None) => options.protocol.split(rows.clone()),
    };
    let (protocol, dropped) = (split.protocol, split.dropped);
    if split.test.is_empty() || split.train.is_empty() {
        return Err(FitError::Unsuited(format!(
            "{protocol} holds nothing out of {} rows that could be tested: give more rows, or another protocol",
            rows.len()
        )));
    }
    let validation = split.validation();
    let mut kinds = if validation.test.len() < LEAST_USERS {
        job.log(format!("only {} users to choose by: {POPULAR} is taken by rule", validation.test.len()));
        first_of_each_kind(&options.search.specs)
    } else {
        let set = TestSet::new(&validation);
        options.search.run(&set, validation.protocol, options.metric, recipes, &job.within(0.0, 0.5))?
    };
    drop(validation);
    let asked_for = kinds.len();
    if protocol == Protocol::Temporal && !kinds.iter().any(|kind| kind.spec.kind == TO_BEAT) {
        kinds.extend(first_of_each_kind(&[choose::of_kind(&[], TO_BEAT)]));
    }

    let mut set = TestSet::new(&split);
    if let Some(writer) = &options.lists {
        set = set.writing_lists(&split, writer.clone());
    }
    let mut rows: Vec<CandidateFigures> = Vec::with_capacity(kinds.len());
    for (at, kind) in kinds.iter().enumerate() {
        let part = choose::part_of(&job.within(0.5, 1.0), at, kinds.len());
        let mut figures = choose::assess(&kind.spec, &set, Part::Holdout, recipes, &part)?.figures;
        let wanted = at < asked_for && kind.score(options.metric).is_some() && figures.error.is_none();
        figures.chosen = wanted && !rows.iter().any(|row| row.chosen);
        rows.push(figures);
    }
    if !rows.iter().any(|row| row.chosen)
        && let Some(popular) = rows.iter_mut().find(|row| row.model == POPULAR && row.error.is_none())
    {
        popular.chosen = true;
    }
    Ok(EvaluationReport { protocol: protocol.name().to_owned(), users: set.users() as u64, dropped, rows })
}

/// Each kind's first spec, without figures.
fn first_of_each_kind(specs: &[RecipeSpec]) -> Vec<Scored> {
    let mut kinds: Vec<Scored> = Vec::new();
    for spec in specs {
        if !kinds.iter().any(|kind| kind.spec.kind == spec.kind) {
            kinds.push(Scored { spec: spec.clone(), figures: CandidateFigures::default() });
        }
    }
    kinds
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::evaluation::split::tests::rows;
    use crate::model::training::shop;

    fn options<'a>(kinds: &[&str]) -> EvaluationOptions<'a> {
        let spec = |kind: &&str| RecipeSpec { kind: (*kind).to_owned(), settings: serde_json::json!({}) };
        EvaluationOptions {
            protocol: Protocol::LeaveLastOut,
            filters: Filters::default(),
            test: None,
            negatives: None,
            search: Search { specs: kinds.iter().map(spec).collect(), ..Search::default() },
            metric: Metric::Ndcg10,
            lists: None,
        }
    }

    #[test]
    fn every_kind_has_a_row_and_one_is_chosen() {
        let (rows, options) = (shop::rows(60, 30), options(&["broken", "popular", "neighbours"]));
        let report = evaluate_with(&shop::recipe, rows, &options, &Job::quiet(1)).unwrap();
        let told: Vec<(&str, bool, bool)> =
            report.rows.iter().map(|row| (row.model.as_str(), row.chosen, row.error.is_some())).collect();
        assert_eq!(told, [("neighbours", true, false), ("popular", false, false), ("broken", false, true)]);
        assert_eq!((report.protocol.as_str(), report.users), ("leave-last-out", 60));
    }

    #[test]
    fn the_line_to_beat_is_in_every_report_over_time_and_not_chosen() {
        let options = EvaluationOptions { protocol: Protocol::Temporal, ..options(&["popular"]) };
        let report = evaluate_with(&shop::recipe, shop::rows(60, 30), &options, &Job::quiet(1)).unwrap();
        let told: Vec<(&str, bool)> = report.rows.iter().map(|row| (row.model.as_str(), row.chosen)).collect();
        assert_eq!(told, [("popular", true), ("recent-popular", false)]);
        assert!(report.rows[1].metrics.contains_key("ndcg@10"));
    }

    /// Keeps what is written.
    #[derive(Clone, Default)]
    struct Kept(Arc<parking_lot::Mutex<Vec<u8>>>);

    impl std::io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lists_are_written_with_all_that_the_figures_come_from() {
        let kept = Kept::default();
        let writer = Arc::new(ListWriter::new(Box::new(kept.clone())));
        let test = rows(&["1 new 9999999", "1 0 9999999", "2 1 9999999"]);
        let options = EvaluationOptions { test: Some(&test), lists: Some(writer.clone()), ..options(&["popular"]) };
        let train = rows(&["1 1 1", "2 0 2", "3 0 3", "3 2 4"]);
        evaluate_with(&shop::recipe, train, &options, &Job::quiet(1)).unwrap();
        writer.finish().unwrap();
        insta::assert_snapshot!(String::from_utf8(kept.0.lock().clone()).unwrap(), @r#"
        {"protocol":"holdout","train_users":3,"items":{"0":2,"1":1,"2":1}}
        {"model":"popular","user":"1","test":["new","0"],"items":["0","2"]}
        {"model":"popular","user":"2","test":["1"],"items":["1","2"]}
        "#);
    }

    /// A disk without room.
    struct Full;

    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lists_that_cannot_be_written_are_an_error_at_the_end() {
        let writer = Arc::new(ListWriter::new(Box::new(Full)));
        let options = EvaluationOptions { lists: Some(writer.clone()), ..options(&["popular"]) };
        evaluate_with(&shop::recipe, shop::rows(60, 30), &options, &Job::quiet(1)).unwrap();
        assert_eq!(writer.finish().unwrap_err().kind(), std::io::ErrorKind::StorageFull);
    }

    #[test]
    fn a_given_test_file_is_used_and_its_unseen_items_count() {
        let (train, test) = (shop::rows(60, 30), rows(&["1 new 9999999", "2 newer 9999999"]));
        let options = EvaluationOptions { test: Some(&test), ..options(&["popular"]) };
        let report = evaluate_with(&shop::recipe, train, &options, &Job::quiet(1)).unwrap();
        assert_eq!((report.protocol.as_str(), report.users), ("holdout", 2));
        assert_eq!(report.rows[0].metrics["hr@10"].mean, 0.0);
    }

    #[test]
    fn too_few_to_choose_by_means_popular_and_nothing_held_out_is_an_error() {
        let few = rows(&["u a 1", "u b 2", "u c 3", "v a 1", "v c 2"]);
        let report = evaluate_with(&shop::recipe, few, &options(&["neighbours", "popular"]), &Job::quiet(1)).unwrap();
        assert_eq!(report.rows.iter().map(|row| row.chosen).collect::<Vec<_>>(), [false, true]);
        let one = rows(&["u a 1"]);
        let refused = evaluate_with(&shop::recipe, one, &options(&["popular"]), &Job::quiet(1));
        assert!(matches!(refused, Err(FitError::Unsuited(_))));
    }
}
