//! The fitted blend: its parts, the trends, and what each weighs.

#![expect(
    clippy::indexing_slicing,
    reason = "a link and a weight per part, a weight per trend, items of the catalogue"
)]

use std::collections::BTreeMap;

use super::trends::Trends;
use super::weights::Case;
use super::{Blend, KIND};
use crate::model::artifact::{ArtifactError, TensorData, Tensors};
use crate::model::candidates::{length, load as load_kind, read, shape, sizes};
use crate::model::kernels::top_n::Offers;
use crate::model::near::Near;
use crate::model::recommender::{Origin, RecipeSpec, Recommender, Scratch, Summand, Taste, rank_all};

/// A score this share of the users' mean best one is as little as nothing.
const LITTLE: f64 = 0.02;

/// How a part's scores get on the blend's logarithmic scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Link {
    /// `ln(1 + s / little)` above 0, so that nothing said is 0. Below 0 the score itself: the small negative scores of
    /// items that have nothing to do with the history say little, those of what is like a dislike push away.
    Log {
        /// The score from which on a greater one counts; above 0.
        little: f32,
    },
    /// Scores that are logarithms already.
    Plain,
}

impl Link {
    /// The link of the part `at`, whose raw scores are in `cases`.
    pub fn of(part: &dyn Recommender, at: usize, cases: &[Case<'_>]) -> Self {
        if part.logarithmic() {
            return Self::Plain;
        }
        let best = |case: &Case<'_>| f64::from(case.tastes[at].iter().copied().fold(0.0, f32::max));
        let mean = cases.iter().map(best).sum::<f64>() / cases.len().max(1) as f64;
        let little = (LITTLE * mean) as f32;
        Self::Log { little: if little.is_finite() { little.max(f32::MIN_POSITIVE) } else { f32::MAX } }
    }

    /// The score on the blend's scale; finite for a finite one.
    pub fn apply(self, score: f32) -> f32 {
        match self {
            Self::Log { little } if score > 0.0 => (1.0 + score / little).min(f32::MAX).ln(),
            Self::Log { .. } | Self::Plain => score,
        }
    }
}

/// The blend.
pub struct BlendModel {
    parts: Vec<Box<dyn Recommender>>,
    links: Vec<Link>,
    trends: Trends,
    /// Of the parts, then of the trends.
    weights: Vec<f32>,
    /// What the trends add to each item's score.
    lift: Vec<f32>,
    /// The items by what the trends add, the most first.
    by_lift: Vec<u32>,
}

impl BlendModel {
    /// Joins the parts; a weight for each part, then for each trend.
    pub fn new(parts: Vec<Box<dyn Recommender>>, links: Vec<Link>, trends: Trends, weights: Vec<f32>) -> Self {
        let mut lift = vec![0.0; trends.logs().first().map_or(0, Vec::len)];
        for (logs, &weight) in trends.logs().iter().zip(&weights[parts.len()..]) {
            lift.iter_mut().zip(logs).for_each(|(lift, log)| *lift += weight * log);
        }
        let mut by_lift: Vec<u32> = (0..u32::try_from(lift.len()).unwrap_or(u32::MAX)).collect();
        by_lift.sort_by(|&a, &b| lift[b as usize].total_cmp(&lift[a as usize]));
        Self { parts, links, trends, weights, lift, by_lift }
    }

    /// Puts into `sum` the scores of the items that a part says something of; every other item's is what the trends add.
    /// None when a part has a score for every item, else whether any part knows the user.
    fn join_near(&self, taste: &Taste<'_>, near: &mut Near, sum: &mut Near) -> Option<bool> {
        sum.clear(self.lift.len());
        let mut known = false;
        for (at, part) in self.parts.iter().enumerate() {
            if part.score_near(taste, near)? {
                known = true;
                let (link, weight) = (self.links[at], self.weights[at]);
                for (item, said) in near.scores() {
                    sum.add(item, weight * link.apply(said), || self.lift[item as usize]);
                }
            }
        }
        Some(known)
    }

    /// Turns each part's scores, which `ask` writes, into what it adds to the blend's, summed in `out`; `lift` goes on
    /// top. Answers whether any part knows the user.
    fn join(
        &self,
        out: &mut [f32],
        lift: impl Fn(usize) -> f32,
        ask: impl Fn(&dyn Recommender, &mut [f32]) -> bool,
    ) -> bool {
        let mut said = vec![0.0; out.len()];
        let mut known = false;
        out.iter_mut().enumerate().for_each(|(at, score)| *score = lift(at));
        for (at, part) in self.parts.iter().enumerate() {
            if ask(&**part, &mut said) {
                known = true;
                let (link, weight) = (self.links[at], self.weights[at]);
                out.iter_mut().zip(&said).for_each(|(score, &said)| *score += weight * link.apply(said));
            }
        }
        known
    }

    /// What the trends add to the score of `item`.
    fn trend_summands(&self, item: u32) -> Vec<Summand> {
        let mut made = Vec::new();
        for (at, (logs, weight)) in self.trends.logs().iter().zip(&self.weights[self.parts.len()..]).enumerate() {
            put(&mut made, Origin::Part(self.trends.name(at)), weight * logs[item as usize]);
        }
        made
    }
}

/// Adds to the summand of an origin.
fn put(made: &mut Vec<Summand>, origin: Origin, score: f32) {
    match made.iter_mut().find(|summand| summand.origin == origin) {
        Some(known) => known.score += score,
        None => made.push(Summand { origin, score }),
    }
}

impl Recommender for BlendModel {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn items(&self) -> usize {
        self.lift.len()
    }

    /// Of somebody without a history nothing personal is known, and false leaves them to the cold-start ladder: its
    /// trending list follows every event, the trends here stand where the fit left them. `out` then holds the trends
    /// alone.
    fn score_all(&self, taste: &Taste<'_>, out: &mut [f32]) -> bool {
        self.join(out, |item| self.lift[item], |part, said| part.score_all(taste, said))
    }

    fn rank(&self, taste: &Taste<'_>, scratch: &mut Scratch, best: &mut dyn Offers) -> bool {
        let Some(known) = self.join_near(taste, &mut scratch.near, &mut scratch.sum) else {
            return rank_all(self.items(), |scores| self.score_all(taste, scores), scratch, best);
        };
        if !known {
            return false;
        }
        let sum = &scratch.sum;
        for (item, score) in sum.scores() {
            best.offer(item, score);
        }
        for &item in self.by_lift.iter().filter(|&&item| !sum.touched(item)) {
            let score = self.lift[item as usize];
            if score < best.to_reach() {
                break;
            }
            best.offer(item, score);
        }
        true
    }

    fn score_some(&self, taste: &Taste<'_>, items: &[u32], out: &mut [f32]) -> bool {
        self.join(out, |at| self.lift[items[at] as usize], |part, said| part.score_some(taste, items, said))
    }

    fn similar(&self, item: u32, out: &mut [f32]) -> bool {
        self.parts.iter().any(|part| part.similar(item, out))
    }

    fn explain(&self, taste: &Taste<'_>, items: &[u32]) -> Option<Vec<Vec<Summand>>> {
        let mut made: Vec<Vec<Summand>> = items.iter().map(|&item| self.trend_summands(item)).collect();
        let mut known = false;
        for (at, part) in self.parts.iter().enumerate() {
            let mut said = vec![0.0; items.len()];
            if !part.score_some(taste, items, &mut said) {
                continue;
            }
            known = true;
            let mut shares = part.explain(taste, items).unwrap_or_default();
            shares.resize_with(items.len(), Vec::new);
            for ((made, said), shares) in made.iter_mut().zip(said).zip(shares) {
                let value = self.weights[at] * self.links[at].apply(said);
                // The link is not linear: what the part adds is shared out as its own score is.
                if said != 0.0 && !shares.is_empty() {
                    shares.into_iter().for_each(|share| put(made, share.origin, value * (share.score / said)));
                } else if value != 0.0 {
                    put(made, Origin::Part(part.kind()), value);
                }
            }
        }
        known.then_some(made)
    }

    fn save(&self) -> Result<Tensors, ArtifactError> {
        let logs = self.trends.logs();
        let little = |link: &Link| match *link {
            Link::Log { little } => little,
            Link::Plain => 0.0,
        };
        let days: Vec<f32> = self.trends.half_lives_days().iter().map(|&days| days as f32).collect();
        let mut tensors = Tensors::default()
            .with_f32("links", &[self.links.len()], self.links.iter().map(little).collect())
            .with_f32("weights", &[self.weights.len()], self.weights.clone())
            .with_f32("half_lives_days", &[days.len()], days)
            .with_f32("trends", &[logs.len(), self.items()], logs.concat());
        for (at, part) in self.parts.iter().enumerate() {
            let named = part.save()?.0.into_iter().map(|(name, tensor)| (prefix(at) + &name, tensor));
            tensors.0.extend(named);
        }
        Ok(tensors)
    }
}

/// What the names of a part's tensors begin with.
fn prefix(at: usize) -> String {
    format!("part{at}.")
}

/// Reads back a blend of the parts that `spec` names.
pub fn load(spec: &RecipeSpec, mut tensors: Tensors) -> Result<Box<dyn Recommender>, ArtifactError> {
    let recipe: Blend = read(spec)?;
    let [kept, items] = sizes(&tensors, "trends")?;
    let (links, all, days) =
        (length(&tensors, "links")?, length(&tensors, "weights")?, length(&tensors, "half_lives_days")?);
    if links != recipe.parts.len() || all != links + kept || kept != days + 1 {
        let reason = format!("{all} weights and {links} links for {} parts and {kept} trends", recipe.parts.len());
        return Err(shape("weights", reason));
    }
    let link = |little: f32| if little > 0.0 { Link::Log { little } } else { Link::Plain };
    let links: Vec<Link> = tensors.take_f32("links", &[links])?.into_iter().map(link).collect();
    let weights = tensors.take_f32("weights", &[all])?;
    let days = tensors.take_f32("half_lives_days", &[days])?.into_iter().map(f64::from).collect();
    let logs = tensors.take_f32("trends", &[kept, items])?;
    let logs = logs.chunks(items.max(1)).map(<[f32]>::to_vec).collect();
    let mut parts = Vec::with_capacity(links.len());
    for (at, spec) in recipe.parts.iter().enumerate() {
        let prefix = prefix(at);
        let (own, others) = tensors.0.into_iter().partition(|(name, _)| name.starts_with(&prefix));
        tensors = Tensors(others);
        let own: BTreeMap<String, TensorData> = own;
        let bare = own.into_iter().map(|(name, tensor)| (name[prefix.len()..].to_owned(), tensor)).collect();
        let part = load_kind(spec, Tensors(bare))?;
        if part.items() != items || part.user_rows() > 0 {
            return Err(shape(&prefix, format!("{} knows {} items, the blend {items}", spec.kind, part.items())));
        }
        parts.push(part);
    }
    Ok(Box::new(BlendModel::new(parts, links, Trends::of(days, logs), weights)))
}
