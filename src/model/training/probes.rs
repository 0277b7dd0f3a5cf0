//! Probes: lists of the refitted model, which the artifact read back must give too.
#![expect(clippy::indexing_slicing, reason = "items of a list lie within the model's catalogue")]

use std::collections::HashMap;

use crate::model::dataset::{Dataset, string_order};
use crate::model::evaluation::top::top_n;
use crate::model::ids::{ItemId, UserId};
use crate::model::recommender::{Acted, Fitted, Taste};

/// How long a probe's list is.
const LIST: usize = 20;

/// The latest of a user's items that a probe asks with.
const HISTORY: usize = 500;

/// How far scores may differ, as a share of the larger (of 1 for small ones): rounding, and no more.
const TOLERANCE: f32 = 1e-4;

/// One question with its answer, in ids, so that the artifact's own indices are tried as well.
#[derive(Debug, Clone, PartialEq)]
pub struct Probe {
    /// Who asks.
    pub user: UserId,
    /// What the user had: item, weight and time, oldest first.
    pub history: Vec<(ItemId, f32, i64)>,
    /// The best items with their scores, best first; none where the model had nothing personal to say.
    pub answer: Option<Vec<(ItemId, f32)>>,
}

/// Questions with the answers of the model in memory.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Probes {
    /// The probes.
    pub probes: Vec<Probe>,
    /// The time of the questions, milliseconds of the epoch.
    pub now_ms: i64,
}

/// Asks `fitted` for at most `count` users of `data`, spread evenly over them.
#[must_use]
pub fn take(fitted: &Fitted, data: &Dataset, count: usize) -> Probes {
    let now_ms = data.last_ms;
    let asking = Asking::new(fitted, now_ms);
    let count = count.min(data.users());
    let probes = (0..count).map(|n| {
        let user = n * data.users() / count;
        let mut pairs = data.dated(user);
        pairs.sort_by_key(|&(_, last_ms)| last_ms);
        let latest = pairs.len().saturating_sub(HISTORY);
        let id = |item: u32| data.item_ids[item as usize].clone();
        let history: Vec<_> =
            pairs[latest..].iter().map(|&(pair, last_ms)| (id(pair.item), pair.weight, last_ms)).collect();
        let user = data.user_ids[user].clone();
        let answer = asking.ask(&user, &history).map(|(list, scores)| {
            list.into_iter().map(|item| (fitted.item_ids[item as usize].clone(), scores[item as usize])).collect()
        });
        Probe { user, history, answer }
    });
    Probes { probes: probes.collect(), now_ms }
}

/// Whether `fitted`, an artifact read back, answers all probes as the model in memory did: the same scores for the items
/// of each list, and no better ones beside them. Items whose scores are equal but for rounding may change places.
///
/// # Errors
/// A sentence about the first difference.
pub fn check_probes(fitted: &Fitted, probes: &Probes) -> Result<(), String> {
    let (knows, ids) = (fitted.recommender.items(), fitted.item_ids.len());
    if knows != ids {
        return Err(format!("the artifact scores {knows} items and names {ids}"));
    }
    let asking = Asking::new(fitted, probes.now_ms);
    for probe in &probes.probes {
        let (user, answer) = (&probe.user, asking.ask(&probe.user, &probe.history));
        let (expected, (list, scores)) = match (&probe.answer, answer) {
            (Some(expected), Some(answer)) => (expected, answer),
            (None, None) => continue,
            (Some(_), None) => {
                return Err(format!("the artifact has no list for user {user}, the model in memory had"));
            }
            (None, Some(_)) => {
                return Err(format!("the artifact has a list for user {user}, the model in memory had none"));
            }
        };
        if list.len() != expected.len() {
            let (now, then) = (list.len(), expected.len());
            return Err(format!("the artifact lists {now} items for user {user}, the model in memory {then}"));
        }
        for ((id, score), &found) in expected.iter().zip(&list) {
            let Some(&item) = asking.items.get(id) else {
                return Err(format!("the artifact does not know item {id} of user {user}'s list"));
            };
            let (own, in_place) = (scores[item as usize], scores[found as usize]);
            if !near(own, *score) {
                return Err(format!(
                    "the artifact scores item {id} {own} for user {user}, the model in memory {score}"
                ));
            }
            if !near(in_place, *score) {
                let better = &fitted.item_ids[found as usize];
                return Err(format!(
                    "the artifact lists item {better} with {in_place} for user {user} where the model in memory has {id} with {score}"
                ));
            }
        }
    }
    Ok(())
}

fn near(a: f32, b: f32) -> bool {
    (a - b).abs() <= TOLERANCE * a.abs().max(b.abs()).max(1.0)
}

/// A model with its ids looked up the other way.
struct Asking<'a> {
    fitted: &'a Fitted,
    items: HashMap<&'a ItemId, u32>,
    users: HashMap<&'a UserId, u32>,
    id_order: Vec<u32>,
    now_ms: i64,
}

impl<'a> Asking<'a> {
    fn new(fitted: &'a Fitted, now_ms: i64) -> Self {
        Self {
            fitted,
            items: fitted.item_ids.iter().zip(0..).collect(),
            users: fitted.user_ids.iter().zip(0..).collect(),
            id_order: string_order(&fitted.item_ids),
            now_ms,
        }
    }

    /// The list, seen items left out, with the scores of the whole catalogue; none where the model knows too little.
    fn ask(&self, user: &UserId, history: &[(ItemId, f32, i64)]) -> Option<(Vec<u32>, Vec<f32>)> {
        let mut seen = vec![false; self.fitted.item_ids.len()];
        let mut acts = Vec::with_capacity(history.len());
        for (id, weight, time_ms) in history {
            if let Some(&item) = self.items.get(id) {
                seen[item as usize] = true;
                acts.push(Acted { item, weight: *weight, time_ms: *time_ms });
            }
        }
        let taste = Taste { user: self.users.get(user).copied(), history: &acts, now_ms: self.now_ms };
        let mut scores = vec![0.0; self.fitted.item_ids.len()];
        if !self.fitted.recommender.score_all(&taste, &mut scores) {
            return None;
        }
        let mut list = Vec::new();
        top_n(&scores, &self.id_order, &seen, LIST, &mut list);
        Some((list, scores))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::candidates;
    use crate::model::recommender::RecipeSpec;
    use crate::model::training::job::Job;
    use crate::model::training::shop;

    fn fitted(data: &Dataset, settings: serde_json::Value) -> Fitted {
        let recipe = shop::recipe(&RecipeSpec { kind: "neighbours".into(), settings }).unwrap();
        candidates::fit(&*recipe, data, None, &Job::quiet(1)).unwrap()
    }

    #[test]
    fn a_model_answers_its_own_probes_and_another_does_not() {
        let data = Dataset::new(shop::rows(40, 30));
        let model = fitted(&data, serde_json::json!({}));
        let probes = take(&model, &data, 7);
        assert_eq!(probes.probes.len(), 7);
        assert!(probes.probes.iter().all(|probe| probe.answer.as_ref().is_some_and(|list| list.len() == LIST)));
        assert_eq!(check_probes(&model, &probes), Ok(()));
        let other = fitted(&data, serde_json::json!({"sign": -1.0}));
        let told = check_probes(&other, &probes).unwrap_err();
        assert!(told.starts_with("the artifact scores item "), "{told}");
        assert_eq!(take(&model, &data, 1000).probes.len(), data.users());
        assert_eq!(take(&model, &data, 0), Probes { now_ms: probes.now_ms, ..Probes::default() });
    }

    #[test]
    fn ids_in_another_order_or_an_item_on_top_are_found() {
        let data = Dataset::new(shop::rows(40, 30));
        let mut model = fitted(&data, serde_json::json!({}));
        let probes = take(&model, &data, 5);
        let mut ids = model.item_ids.to_vec();
        ids.rotate_left(1);
        model.item_ids = ids.into();
        assert!(check_probes(&model, &probes).is_err());
        let mut shorter = probes;
        let list = shorter.probes[0].answer.as_mut().unwrap();
        list.remove(0);
        list.push(list[0].clone());
        let model = fitted(&data, serde_json::json!({}));
        assert!(check_probes(&model, &shorter).unwrap_err().contains("where the model in memory has"));
    }
}
