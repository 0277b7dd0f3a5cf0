//! Ranks the whole catalogue for every test user and takes the figures.
//!
//! A test user's own train items are left out, ties are broken by item id in string order. A user of whom the model can
//! say nothing personal is given the popular list, as the cold-start ladder would, so that every model gives everyone a
//! list and all are judged over the same users.
#![expect(clippy::indexing_slicing, reason = "items of a test set lie within its dataset's catalogue")]

use std::collections::BTreeMap;
use std::sync::Arc;

use rayon::prelude::*;

use super::coverage::Coverage;
use super::lists::ListWriter;
use super::metrics::{self, COVERAGE, HeldOut, Means, NAMES, SHOWN};
use super::split::Split;
use super::top::top_n;
use crate::model::dataset::{Dataset, Pair};
use crate::model::ids::{ItemId, UserId};
use crate::model::manifest::Figure;
use crate::model::recommender::{Acted, Recommender, Taste};
use crate::model::training::job::{FitError, Job};

/// Users ranked between two looks at the progress.
const BATCH: usize = 512;

/// The train part made ready for training, with the test users that a model fitted on it is judged by.
pub struct TestSet {
    /// What the models are fitted on.
    pub data: Dataset,
    users: Vec<Asked>,
    /// Number of users by item: what the ladder ranks by.
    popularity: Vec<f32>,
    /// Self-information by item, in bits.
    information: Vec<f64>,
    listing: Option<Listing>,
}

/// Where the lists are written.
struct Listing {
    writer: Arc<ListWriter>,
    /// Each test user with the held-out items.
    named: Vec<(UserId, Vec<ItemId>)>,
}

/// One test user, in the dataset's indices.
struct Asked {
    /// None for a user that train never saw.
    user: Option<u32>,
    held_out: HeldOut,
    /// The only items to be ranked, if the protocol names them.
    given: Option<Vec<u32>>,
}

/// One test user, as a model is asked about it.
pub struct Case<'a> {
    /// The history in train, oldest first.
    pub history: Vec<Acted>,
    /// The time of the question, in milliseconds of the epoch.
    pub now_ms: i64,
    /// The pairs in train, whose items are not ranked.
    pub own: &'a [Pair],
    /// What is held out.
    pub held_out: &'a HeldOut,
}

/// What a model is worth on a test set.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Figures {
    /// Figures by name; empty when nobody was tested.
    pub metrics: BTreeMap<String, Figure>,
    /// Users tested.
    pub users: u64,
}

/// What one thread works in.
struct Scratch {
    scores: Vec<f32>,
    seen: Vec<bool>,
    list: Vec<u32>,
}

impl TestSet {
    /// Joins the train rows to a dataset and looks up the test users' histories in it.
    #[must_use]
    pub fn new(split: &Split) -> Self {
        let data = Dataset::new(&split.train);
        let mut user_at = vec![u32::MAX; split.train.users()];
        for (index, &source) in (0_u32..).zip(&data.source_users) {
            user_at[source as usize] = index;
        }
        let mut users = Vec::with_capacity(split.test.len());
        for test in &split.test {
            let known = |items: &[u32]| -> Vec<u32> {
                items.iter().map(|&item| data.item_of_source[item as usize]).filter(|&item| item != u32::MAX).collect()
            };
            let items = known(&test.items);
            let unseen = test.items.len() - items.len();
            let user = Some(user_at[test.user as usize]).filter(|&user| user != u32::MAX);
            let given = (!test.given.is_empty()).then(|| known(&test.given));
            users.push(Asked { user, held_out: HeldOut::new(items, unseen), given });
        }
        let mut holders = vec![0_u32; data.items()];
        for pair in &data.pairs {
            holders[pair.item as usize] += 1;
        }
        let all = data.users().max(1) as f64;
        Self {
            users,
            popularity: holders.iter().map(|&count| count as f32).collect(),
            information: holders.iter().map(|&count| (all / f64::from(count.max(1))).log2()).collect(),
            listing: None,
            data,
        }
    }

    /// Has every list that is judged written to `writer` as well, `split` being what this was made of.
    #[must_use]
    pub fn writing_lists(self, split: &Split, writer: Arc<ListWriter>) -> Self {
        let holders: Vec<u32> = self.popularity.iter().map(|&count| count as u32).collect();
        writer.catalogue(split.protocol.name(), &self.data, &holders);
        let items =
            |items: &[u32]| items.iter().map(|&item| split.train.table().item_ids[item as usize].clone()).collect();
        let user = |user: u32| split.train.table().user_ids[user as usize].clone();
        let named = split.test.iter().map(|test| (user(test.user), items(&test.items))).collect();
        Self { listing: Some(Listing { writer, named }), ..self }
    }

    /// The same with at most `most` test users, spread evenly over all; 0: all. A pass over a large catalogue for each of
    /// a million users would cost more than all fits, and tell candidates apart no better.
    #[must_use]
    pub fn of_at_most(mut self, most: usize) -> Self {
        let all = self.users.len();
        if most > 0 && most < all {
            let mut at = 0..all;
            self.users.retain(|_| at.next().is_some_and(|at| (at + 1) * most / all > at * most / all));
            self.users.shrink_to_fit();
        }
        self
    }

    /// Number of test users.
    #[must_use]
    pub fn users(&self) -> usize {
        self.users.len()
    }

    /// The time of the question: the latest of train.
    const fn now_ms(&self) -> i64 {
        self.data.last_ms
    }

    /// The test users whom train knows, each with history, train pairs and held-out items: what weights are fitted on.
    pub fn cases(&self) -> impl ExactSizeIterator<Item = Case<'_>> {
        let known: Vec<(&Asked, u32)> = self.users.iter().filter_map(|asked| Some((asked, asked.user?))).collect();
        known.into_iter().map(|(asked, user)| Case {
            history: self.history(user),
            now_ms: self.now_ms(),
            own: self.data.of(user as usize),
            held_out: &asked.held_out,
        })
    }

    /// The figures of a model fitted on this set's dataset. Works in rayon's current pool; sums are made in the order of
    /// users, so that threads change no bit. `progress` hears shares from 0 to 1.
    ///
    /// # Errors
    /// [`FitError::Cancelled`]; [`FitError::NotFinite`] for a score that is not finite; [`FitError::Library`] when the
    /// model knows another catalogue.
    pub fn judge(&self, model: &dyn Recommender, job: &Job, progress: &dyn Fn(f32)) -> Result<Figures, FitError> {
        if model.items() != self.data.items() {
            let (knows, train) = (model.items(), self.data.items());
            return Err(FitError::Library(format!("{} knows {knows} items, train has {train}", model.kind())));
        }
        let mut means = Means::default();
        let mut coverage = Coverage::new(self.data.items());
        let mut done = 0;
        for batch in self.users.chunks(BATCH) {
            let lists: Vec<([f64; NAMES.len()], Vec<u32>)> = batch
                .par_iter()
                .map_init(|| self.scratch(), |scratch, asked| self.one(model, asked, job, scratch))
                .collect::<Result<_, FitError>>()?;
            for (figures, list) in &lists {
                means.add(figures);
                coverage.add(&list[..list.len().min(SHOWN)]);
            }
            if let Some(Listing { writer, named }) = &self.listing {
                let of_batch = named[done..].iter().zip(&lists);
                of_batch.for_each(|(named, (_, list))| writer.list(model.kind(), named, list, &self.data));
            }
            done += batch.len();
            progress(done as f32 / self.users.len() as f32);
        }
        let mut metrics = means.figures();
        if !metrics.is_empty() {
            metrics.insert(COVERAGE.to_owned(), coverage.figure());
        }
        Ok(Figures { metrics, users: means.users() })
    }

    /// One user's figures and the list.
    fn one(
        &self,
        model: &dyn Recommender,
        asked: &Asked,
        job: &Job,
        scratch: &mut Scratch,
    ) -> Result<([f64; NAMES.len()], Vec<u32>), FitError> {
        job.check()?;
        let user = asked.user.filter(|&user| (user as usize) < model.user_rows());
        let history = asked.user.map_or_else(Vec::new, |user| self.history(user));
        let taste = Taste { user, history: &history, now_ms: self.now_ms() };
        if !model.score_all(&taste, &mut scratch.scores) {
            scratch.scores.copy_from_slice(&self.popularity);
        }
        if !scratch.scores.iter().all(|score| score.is_finite()) {
            return Err(FitError::NotFinite(format!("a score of {}", model.kind())));
        }
        let own = asked.user.map_or(&[][..], |user| self.data.of(user as usize));
        if let Some(given) = &asked.given {
            scratch.seen.fill(true);
            given.iter().for_each(|&item| scratch.seen[item as usize] = false);
        } else {
            own.iter().for_each(|pair| scratch.seen[pair.item as usize] = true);
        }
        top_n(&scratch.scores, &self.data.id_order, &scratch.seen, metrics::LIST, &mut scratch.list);
        if asked.given.is_some() {
            scratch.seen.fill(false);
        } else {
            own.iter().for_each(|pair| scratch.seen[pair.item as usize] = false);
        }
        let figures = metrics::of_list(&scratch.list, &asked.held_out, &self.information);
        Ok((figures, scratch.list.clone()))
    }

    /// The rows of user `user` in train, oldest first. Made anew for each question: kept for all, they would be as large
    /// as the rows.
    fn history(&self, user: u32) -> Vec<Acted> {
        let (train, item_of) = (&self.data.source, &self.data.item_of_source);
        let rows = train.table();
        let mut own = train.of(self.data.source_users[user as usize] as usize).to_vec();
        own.sort_unstable_by_key(|&row| (rows.times[row as usize], row));
        let acted = |row: usize| Acted {
            item: item_of[rows.items[row] as usize],
            weight: rows.weights[row],
            time_ms: rows.times[row],
        };
        own.into_iter().map(|row| acted(row as usize)).collect()
    }

    fn scratch(&self) -> Scratch {
        let items = self.data.items();
        Scratch { scores: vec![0.0; items], seen: vec![false; items], list: Vec::with_capacity(metrics::LIST) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::artifact::{ArtifactError, Tensors};
    use crate::model::evaluation::given::{self, Negatives};
    use crate::model::evaluation::split;

    /// Scores items by the place of their id among `best`, the first highest; knows those users whose history has `knows`.
    struct Fixed {
        scores: Vec<f32>,
        knows: Option<u32>,
    }

    impl Fixed {
        fn new(set: &TestSet, best: &[&str]) -> Self {
            let score = |id: &str| best.iter().position(|name| *name == id).map_or(0.0, |at| 100.0 - at as f32);
            Self { scores: set.data.item_ids.iter().map(|id| score(id.as_str())).collect(), knows: None }
        }
    }

    impl Recommender for Fixed {
        fn kind(&self) -> &'static str {
            "fixed"
        }
        fn items(&self) -> usize {
            self.scores.len()
        }
        fn score_all(&self, taste: &Taste<'_>, out: &mut [f32]) -> bool {
            out.copy_from_slice(&self.scores);
            self.knows.is_none_or(|item| taste.history.iter().any(|act| act.item == item))
        }
        fn save(&self) -> Result<Tensors, ArtifactError> {
            Ok(Tensors::default())
        }
    }

    fn mean(set: &TestSet, model: &dyn Recommender, name: &str) -> f64 {
        set.judge(model, &Job::quiet(1), &|_| ()).unwrap().metrics[name].mean
    }

    #[test]
    fn own_items_are_left_out_and_unseen_ones_are_misses() {
        let train = split::tests::rows(&["u a 1", "u b 2", "v c 3", "v d 3", "v e 3"]);
        let set = TestSet::new(&given::holdout(&train, &split::tests::rows(&["u d 9", "u new 9"])));
        // a and b are u's own: c, d, e are left, d second; of two held-out items one can be hit.
        let model = Fixed::new(&set, &["a", "b", "c", "d", "e"]);
        assert_eq!(mean(&set, &model, "mrr"), 0.5);
        assert_eq!(mean(&set, &model, "recall@20"), 0.5);
        assert_eq!(mean(&set, &model, "coverage@10"), 0.6);
    }

    #[test]
    fn who_is_not_known_gets_the_popular_list() {
        let train = split::tests::rows(&["u a 1", "v b 1", "v c 1", "w c 1"]);
        let test = split::tests::rows(&["u c 2", "cold b 2"]);
        let set = TestSet::new(&given::holdout(&train, &test));
        let mut model = Fixed::new(&set, &["b"]);
        model.knows = set.data.item_ids.iter().position(|id| id.as_str() == "a").map(|at| at as u32);
        // u is known: b, then c. The cold user gets c (two users), a, b.
        let figures = set.judge(&model, &Job::quiet(1), &|_| ()).unwrap();
        assert_eq!(figures.users, 2);
        assert!((figures.metrics["mrr"].mean - (1.0 / 2.0 + 1.0 / 3.0) / 2.0).abs() < 1e-12);
    }

    #[test]
    fn histories_are_oldest_first_and_now_is_the_end_of_train() {
        let train = split::tests::rows(&["u b 5 2", "v a 9", "u a 3", "u b 4 -1"]);
        let set = TestSet::new(&given::holdout(&train, &split::tests::rows(&["u x 9"])));
        let acts: Vec<(i64, f32)> =
            set.history(set.users[0].user.unwrap()).iter().map(|act| (act.time_ms, act.weight)).collect();
        assert_eq!(acts, [(3, 1.0), (4, -1.0), (5, 2.0)]);
        assert_eq!(set.now_ms(), 9);
    }

    #[test]
    fn of_many_users_some_are_judged_spread_evenly() {
        let lines: Vec<String> = (0..100).map(|n| format!("u{n} {} {n}", n % 7)).collect();
        let train = split::tests::rows(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        let test: Vec<String> = (0..100).map(|n| format!("u{n} x{n} 200")).collect();
        let test = split::tests::rows(&test.iter().map(String::as_str).collect::<Vec<_>>());
        let of_at_most = |most| TestSet::new(&given::holdout(&train, &test)).of_at_most(most);
        assert_eq!([0, 1, 7, 99, 100, 1000].map(|most| of_at_most(most).users()), [100, 1, 7, 99, 100, 100]);
        let some = of_at_most(4).users.iter().map(|asked| asked.user.unwrap()).collect::<Vec<_>>();
        let all = of_at_most(0).users.iter().map(|asked| asked.user.unwrap()).collect::<Vec<_>>();
        assert_eq!(some, [24, 49, 74, 99].map(|at: usize| all[at]));
    }

    #[test]
    fn negatives_alone_are_ranked() {
        let train = split::tests::rows(&["u a 1", "v b 1", "v c 1", "v d 1", "w e 1"]);
        let list = |positive: &str, negatives: &[&str]| Negatives {
            user: "u".parse().unwrap(),
            positive: positive.parse().unwrap(),
            negatives: negatives.iter().map(|id| id.parse().unwrap()).collect(),
        };
        let set = TestSet::new(&given::with_negatives(&train, &[list("d", &["c", "e"]), list("b", &["c", "e"])]));
        let model = Fixed::new(&set, &["a", "c", "b", "d", "e"]);
        assert_eq!(mean(&set, &model, "mrr"), 0.5, "c is before both, b not among d's");
    }

    #[test]
    fn threads_change_no_bit_and_a_bad_score_is_an_error() {
        let lines: Vec<String> = (0..3000).map(|n| format!("{} {} {n}", n * 7 % 700, n * 31 % 97)).collect();
        let split = split::leave_last_out(split::tests::rows(&lines.iter().map(String::as_str).collect::<Vec<_>>()));
        let set = TestSet::new(&split);
        let mut model = Fixed::new(&set, &["5", "50", "9", "90"]);
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| set.judge(&model, &Job::quiet(1), &|_| ())).unwrap()
        };
        assert_eq!(run(1), run(3));
        model.scores[4] = f32::NAN;
        assert!(matches!(set.judge(&model, &Job::quiet(1), &|_| ()), Err(FitError::NotFinite(_))));
        model.scores.pop();
        assert!(matches!(set.judge(&model, &Job::quiet(1), &|_| ()), Err(FitError::Library(_))));
    }
}
