//! Which recipes may be tried on some data, and which of them lie beside one another.

use serde_json::{Value, json};

use super::decayed::{DAY_MS, half_life_of, taking_times};
use super::fading::HALF_LIFE;
use super::options::{CandidateOptions, TASTES, plain, searched, set};
use super::{blend, decayed};
use crate::model::dataset::Dataset;
use crate::model::evaluation::split::Protocol;
use crate::model::interactions::NO_TIME;
use crate::model::recommender::RecipeSpec;

/// Numbers of neighbours and shrinkages of `item-knn`.
const NEIGHBOURS: [f64; 4] = [20.0, 50.0, 200.0, 500.0];
const SHRINKAGES: [f64; 4] = [0.0, 5.0, 20.0, 100.0];

/// Regularisations, weights of the unobserved and numbers of factors of `ials`.
const REGULARIZATIONS: [f64; 4] = [0.001, 0.002, 0.006, 0.02];
const UNOBSERVED: [f64; 3] = [0.1, 0.3, 1.0];
const FACTORS: [f64; 3] = [32.0, 64.0, 128.0];

/// How many next items `sequence` foretells; 0: any of a user's items from the others.
const NEXT: [f64; 4] = [0.0, 1.0, 2.0, 8.0];

/// Lengths of the embeddings of `sequence`.
const DIMENSIONS: [f64; 3] = [32.0, 64.0, 128.0];

/// How often the mean item is taken within the half-lives that `decayed-popular` is tried with.
const PER_ITEM: [f64; 6] = [0.5, 1.0, 2.0, 4.0, 8.0, 16.0];

/// Half-lives of histories, as shares of the median age of what the users did.
const AGES: [f64; 6] = [1.0 / 243.0, 1.0 / 81.0, 1.0 / 27.0, 1.0 / 9.0, 1.0 / 3.0, 1.0];

/// The settings that may be tried on some data.
pub struct Space<'a> {
    options: &'a CandidateOptions,
    protocol: Protocol,
    /// Half-lives of histories in days; infinity stands for none.
    ages: Vec<f64>,
    /// Half-lives of popularities in days.
    paces: Vec<f64>,
    timed: bool,
}

impl<'a> Space<'a> {
    /// The settings that may be tried on `data`: half-lives are taken from its own pace, so that a shop of any size and
    /// speed has its own. `protocol` is how what is judged by was held out.
    #[must_use]
    pub fn new(options: &'a CandidateOptions, data: &Dataset, protocol: Protocol) -> Self {
        let pace = |&often: &f64| half_life_of(|| taking_times(data), data.items(), often);
        let mut paces: Vec<f64> = PER_ITEM.iter().filter_map(pace).map(rounded).collect();
        paces.dedup();
        let mut ages: Vec<f64> = match (options.half_life_days, median_age_days(data)) {
            (Some(fixed), _) => vec![fixed],
            (None, Some(median)) => AGES.iter().map(|share| rounded(share * median)).chain([f64::INFINITY]).collect(),
            (None, None) => vec![f64::INFINITY],
        };
        ages.dedup();
        Self { options, protocol, ages, paces, timed: taking_times(data).next().is_some() }
    }

    /// `spec` as it is to be tried first: a blend's taste is that of the best kinds so far, best first.
    #[must_use]
    pub fn first(&self, spec: &RecipeSpec, best: &[RecipeSpec]) -> RecipeSpec {
        let mut spec = spec.clone();
        if spec.kind == blend::KIND {
            set(&mut spec.settings, "protocol", json!(self.protocol));
            if let Some(taste) = tastes(best).next() {
                set(&mut spec.settings, "parts", json!([taste]));
            }
        }
        spec
    }

    /// The recipes beside `spec`, each differing in one setting by one step, those that promise most first. `best` are
    /// the best recipes of all kinds so far, best first: what a blend may be made of.
    #[must_use]
    pub fn neighbours(&self, spec: &RecipeSpec, best: &[RecipeSpec]) -> Vec<RecipeSpec> {
        if spec.kind != blend::KIND {
            return self.beside(spec);
        }
        let parts: Vec<RecipeSpec> = spec
            .settings
            .get("parts")
            .cloned()
            .and_then(|parts| serde_json::from_value(parts).ok())
            .unwrap_or_default();
        let tastes: Vec<&RecipeSpec> = tastes(best).collect();
        let mut made: Vec<Vec<RecipeSpec>> = Vec::new();
        made.extend(tastes.first().map(|&taste| vec![taste.clone()]));
        made.extend((tastes.len() > 1).then(|| tastes.iter().take(2).map(|&taste| taste.clone()).collect()));
        for (at, part) in parts.iter().enumerate() {
            for other in self.beside(part) {
                let with = |(place, part): (usize, &RecipeSpec)| if place == at { other.clone() } else { part.clone() };
                made.push(parts.iter().enumerate().map(with).collect());
            }
        }
        let blended = |parts: Vec<RecipeSpec>| {
            let mut spec = spec.clone();
            set(&mut spec.settings, "parts", json!(parts));
            spec
        };
        made.into_iter().map(blended).collect()
    }

    /// The recipes one step beside `spec`, first by the setting that matters most.
    fn beside(&self, spec: &RecipeSpec) -> Vec<RecipeSpec> {
        let mut made = Vec::new();
        for &key in searched(&spec.kind) {
            let now = spec.settings.get(key).and_then(Value::as_f64).unwrap_or(0.0);
            let fades = key == HALF_LIFE && spec.kind != decayed::KIND;
            let now = if fades && now == 0.0 { f64::INFINITY } else { now };
            for value in around(&self.values(&spec.kind, key), now) {
                let mut other = spec.clone();
                let value = match key {
                    "neighbours" | "factors" | "next" | "dimensions" => json!(value as u64),
                    _ if value.is_finite() => json!(value),
                    _ => json!(0.0),
                };
                set(&mut other.settings, key, value);
                made.push(other);
            }
        }
        made
    }

    /// The values that a setting may take, ascending.
    fn values(&self, kind: &str, key: &str) -> Vec<f64> {
        match key {
            "neighbours" => NEIGHBOURS.to_vec(),
            "shrinkage" => SHRINKAGES.to_vec(),
            "regularization" => REGULARIZATIONS.to_vec(),
            "unobserved" => UNOBSERVED.to_vec(),
            "factors" => FACTORS.to_vec(),
            // Without times there is no order to learn from.
            "next" if self.timed => NEXT.to_vec(),
            "next" => Vec::new(),
            "dimensions" => DIMENSIONS.to_vec(),
            "lambda" => {
                let mut lambdas: Vec<f64> = self.options.ease_lambdas.iter().map(|&lambda| plain(lambda)).collect();
                lambdas.sort_by(f64::total_cmp);
                lambdas
            }
            _ if kind == decayed::KIND => self.paces.clone(),
            _ => self.ages.clone(),
        }
    }
}

/// The recipes among `best` that a blend can take its taste from.
fn tastes(best: &[RecipeSpec]) -> impl Iterator<Item = &RecipeSpec> {
    best.iter().filter(|spec| TASTES.contains(&spec.kind.as_str()))
}

/// The next lower and the next higher of `values`, which ascend.
fn around(values: &[f64], now: f64) -> impl Iterator<Item = f64> {
    let lower = values.iter().rev().find(|&&value| value < now);
    let higher = values.iter().find(|&&value| value > now);
    lower.into_iter().chain(higher).copied()
}

/// The median time in days between a pair of a user and the same user's latest; none where no time passes.
fn median_age_days(data: &Dataset) -> Option<f64> {
    let mut ages = Vec::new();
    for user in 0..data.users() {
        let dated = data.dated(user);
        let timed = || dated.iter().map(|&(_, last_ms)| last_ms).filter(|&time| time != NO_TIME);
        let Some(latest) = timed().max() else { continue };
        ages.extend(timed().map(|time| latest as f64 - time as f64).filter(|&age| age > 0.0));
    }
    let middle = ages.len() / 2;
    ages.sort_by(f64::total_cmp);
    ages.get(middle).map(|age| age / DAY_MS)
}

/// A number of days to two digits, as people write them.
fn rounded(days: f64) -> f64 {
    format!("{days:.1e}").parse().unwrap_or(days)
}

#[cfg(test)]
mod tests {
    use super::super::options::tests::options;
    use super::super::recipe;
    use super::super::tests::dataset;
    use super::*;

    #[test]
    fn neighbours_differ_by_one_step_and_follow_the_datas_own_pace() {
        let day = 86_400_000;
        let rows: Vec<(u32, u32, f32, i64)> = (0..80).map(|n| (n % 4, (n / 4) % 10, 1.0, i64::from(n) * day)).collect();
        let data = dataset(&rows);
        let options = options(&["ease", "item-knn", "blend"]);
        let space = Space::new(&options, &data, Protocol::Temporal);
        let start = |kind: &str| options.start(kind).unwrap();
        let ease = space.neighbours(&start("ease"), &[]);
        let told: Vec<(f64, f64)> = ease
            .iter()
            .map(|s| (s.settings["half_life_days"].as_f64().unwrap(), s.settings["lambda"].as_f64().unwrap()))
            .collect();
        let median = rounded(median_age_days(&data).unwrap());
        assert_eq!(told, [(median, 200.5), (0.0, 50.0), (0.0, 1000.0)]);
        assert!(space.neighbours(&start("item-knn"), &[]).len() == 5);
        // A blend is first made of the best kind, then of the two best, then of its own part's neighbours.
        let best = [start("item-knn"), start("popular"), start("ease")];
        let blend = space.first(&start("blend"), &best);
        assert_eq!(blend.settings, json!({ "parts": [best[0]], "protocol": "temporal" }));
        let beside = space.neighbours(&blend, &best);
        assert_eq!(beside[0].settings["parts"], json!([best[0]]));
        assert_eq!(beside[1].settings["parts"], json!([best[0], best[2]]));
        assert_eq!(beside.len(), 2 + 5);
        for spec in ease.iter().chain(&beside) {
            assert!(recipe(spec).is_ok(), "{spec:?}");
        }
    }

    #[test]
    fn without_times_there_is_no_half_life_to_search() {
        let data = dataset(&[(0, 0, 1.0, NO_TIME), (0, 1, 1.0, NO_TIME)]);
        let options = options(&["ease", "decayed-popular"]);
        let space = Space::new(&options, &data, Protocol::LeaveLastOut);
        assert!(space.neighbours(&options.start("decayed-popular").unwrap(), &[]).is_empty());
        let told = space.neighbours(&options.start("ease").unwrap(), &[]);
        assert!(told.len() == 2 && told.iter().all(|spec| spec.settings["half_life_days"] == json!(0.0)));
    }
}
