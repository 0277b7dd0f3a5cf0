//! Pruning: of a model of dense rows, how many entries of each row are enough.
//!
//! What is served is then sparse: smaller to keep and to load, and a list costs what is near a history instead of the whole
//! catalogue. How many is chosen on the validation part, before the holdout is looked at, so that the pruned model is what
//! the gate judges.

use serde_json::{Value, json};

use super::choose::{Recipes, Scored};
use super::job::{FitError, Job};
use crate::model::candidates::{self, KEEP};
use crate::model::evaluation::metrics::Metric;
use crate::model::evaluation::ranking::{Figures, TestSet};
use crate::model::recommender::RecipeSpec;

/// Rows of smaller catalogues are left whole.
const LEAST_ITEMS: usize = 1000;

/// The fewest entries of a row that are tried, doubled until they are enough.
const LEAST_KEPT: usize = 64;

/// The share of the figure that pruning may cost.
const COST: f64 = 0.001;

/// Gives the best kind's spec, and what is blended in it, the number of entries to keep.
///
/// # Errors
/// [`FitError::Cancelled`]; where the fit fails otherwise, rows are left whole.
pub fn prune(
    kinds: &mut [Scored],
    set: &TestSet,
    metric: Metric,
    recipes: Recipes<'_>,
    job: &Job,
) -> Result<(), FitError> {
    let Some(best) = kinds.first_mut().filter(|_| set.data.items() >= LEAST_ITEMS) else { return Ok(()) };
    let mut settled = best.spec.clone();
    for spec in parts(&mut settled) {
        if let Some(kept) = enough(&spec, set, metric, recipes, job)? {
            put(&mut settled, &spec, kept);
        }
    }
    best.figures.settings = settled.settings.clone();
    best.spec = settled;
    Ok(())
}

/// The spec and the specs of its parts, rows whole.
fn parts(spec: &mut RecipeSpec) -> Vec<RecipeSpec> {
    let mut all = vec![spec.clone()];
    if let Some(parts) = spec.settings.get("parts").cloned() {
        all.extend(serde_json::from_value::<Vec<RecipeSpec>>(parts).unwrap_or_default());
    }
    for spec in &mut all {
        if let Some(settings) = spec.settings.as_object_mut() {
            settings.remove(KEEP);
        }
    }
    all
}

/// How many entries of each row are enough; none where the kind's rows are not dense, or where all are needed.
fn enough(
    spec: &RecipeSpec,
    set: &TestSet,
    metric: Metric,
    recipes: Recipes<'_>,
    job: &Job,
) -> Result<Option<usize>, FitError> {
    let Ok(recipe) = recipes(spec) else { return Ok(None) };
    if !recipe.dense_rows() {
        return Ok(None);
    }
    let fitted = match candidates::fit(recipe.as_ref(), &set.data, None, job) {
        Err(FitError::Cancelled) => return Err(FitError::Cancelled),
        Err(error) => {
            job.log(format!("{}: rows are left whole: {error}", spec.kind));
            return Ok(None);
        }
        Ok(fitted) => fitted,
    };
    let figure = |figures: Figures| metric.of(&figures.metrics).unwrap_or(0.0);
    let whole = figure(set.judge(&*fitted.recommender, job, &|_| {})?);
    let mut keep = LEAST_KEPT;
    while keep < set.data.items() / 2 {
        let Some(pruned) = fitted.recommender.pruned(keep) else { return Ok(None) };
        let left = figure(set.judge(&*pruned, job, &|_| {})?);
        if left >= whole * (1.0 - COST) {
            job.log(format!("{}: {keep} entries of a row are enough, {left:.4} of {whole:.4}", spec.kind));
            return Ok(Some(keep));
        }
        keep *= 2;
    }
    job.log(format!("{}: rows are left whole, {whole:.4}", spec.kind));
    Ok(None)
}

/// Writes `kept` to the settings of `spec` wherever it stands in `whole`, as itself or as a part.
fn put(whole: &mut RecipeSpec, spec: &RecipeSpec, kept: usize) {
    let put_in = |kind: &str, settings: &mut Value| {
        if kind == spec.kind
            && let Some(settings) = settings.as_object_mut()
        {
            settings.insert(KEEP.to_owned(), json!(kept));
        }
    };
    put_in(&whole.kind, &mut whole.settings);
    let parts = whole.settings.get_mut("parts").and_then(Value::as_array_mut);
    for part in parts.into_iter().flatten() {
        let kind = part.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
        if let Some(settings) = part.get_mut("settings") {
            put_in(&kind, settings);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::evaluation::split::Protocol;
    use crate::model::training::choose::{Part, assess};
    use crate::model::training::shop;

    #[test]
    fn rows_are_cut_to_what_is_enough_also_within_a_blend() {
        let rows = shop::rows(1500, 1200);
        let set = TestSet::new(&Protocol::LeaveLastOut.split(rows));
        let (job, recipes) = (Job::quiet(1), &candidates::recipe);
        let ease = RecipeSpec { kind: "ease".into(), settings: json!({ "lambda": 5.0, "max_items": 2000 }) };
        let whole = assess(&ease, &set, Part::Validation, recipes, &job).unwrap();
        let mut kinds = vec![whole.clone()];
        prune(&mut kinds, &set, Metric::Ndcg10, recipes, &job).unwrap();
        let keep = kinds[0].spec.settings[KEEP].as_u64().unwrap();
        assert!((64..600).contains(&keep), "{keep}");
        let pruned = assess(&kinds[0].spec, &set, Part::Validation, recipes, &job).unwrap();
        let figure = |scored: &Scored| scored.score(Metric::Ndcg10).unwrap();
        assert!(figure(&pruned) >= figure(&whole) * (1.0 - COST) && figure(&whole) > 0.0);

        let parts = json!({ "parts": [kinds[0].spec], "protocol": "leave-last-out" });
        let mut blend = RecipeSpec { kind: "blend".into(), settings: parts };
        put(&mut blend, &ease, 7);
        assert_eq!(blend.settings["parts"][0]["settings"][KEEP], 7);
        assert!(blend.settings.get(KEEP).is_none());
    }

    #[test]
    fn small_catalogues_and_other_kinds_stay_as_they_are() {
        let set = TestSet::new(&Protocol::LeaveLastOut.split(shop::rows(1500, 300)));
        let ease = RecipeSpec { kind: "ease".into(), settings: json!({ "lambda": 5.0, "max_items": 2000 }) };
        let mut kinds = vec![assess(&ease, &set, Part::Validation, &candidates::recipe, &Job::quiet(1)).unwrap()];
        let before = kinds[0].spec.clone();
        prune(&mut kinds, &set, Metric::Ndcg10, &candidates::recipe, &Job::quiet(1)).unwrap();
        assert_eq!(kinds[0].spec, before);
    }
}
