//! A user's past, as a question needs it: the latest acts with their weights, and what counts as seen.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::marks::Marks;
use super::recommend::ListRules;
use crate::model::histories::{EventTypes, Histories, TypeIndex};
use crate::model::ids::{ItemIndex, UserId};

/// One act of a past.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct PastAct {
    /// On which item of the catalogue.
    pub(super) item: ItemIndex,
    /// Type weight times value; finite, not 0.
    pub(super) weight: f32,
    /// Milliseconds of the epoch, or [`crate::model::interactions::NO_TIME`].
    pub(super) time_ms: i64,
}

/// What the rules say of one event type.
#[derive(Debug, Clone, Copy, PartialEq)]
struct TypeRule {
    weight: f32,
    seen: bool,
}

/// What the rules say of each event type, by its number: types are only ever added, so that what is known stays right.
#[derive(Debug, Default)]
pub(super) struct TypeRules(ArcSwap<Vec<TypeRule>>);

impl TypeRules {
    fn rule(&self, kind: TypeIndex, known: &mut Arc<Vec<TypeRule>>, types: &EventTypes, rules: &ListRules) -> TypeRule {
        let place = usize::from(kind.0);
        if let Some(rule) = known.get(place) {
            return *rule;
        }
        let rule_of = |name: &Arc<str>| {
            let weight = rules.weights.get(&**name).copied().unwrap_or(rules.default_weight);
            TypeRule { weight, seen: weight < 0.0 || rules.seen_types.iter().any(|seen| **seen == **name) }
        };
        *known = Arc::new(types.names().iter().map(rule_of).collect());
        self.0.store(known.clone());
        known.get(place).copied().unwrap_or(TypeRule { weight: rules.default_weight, seen: false })
    }

    /// Puts the latest acts of `user` into `past`, oldest first, and all seen items into `seen` where it is given.
    /// Answers whether the user has a history.
    pub(super) fn read(
        &self,
        histories: &Histories,
        rules: &ListRules,
        user: &UserId,
        past: &mut Vec<PastAct>,
        mut seen: Option<&mut Marks>,
    ) -> bool {
        past.clear();
        let mut known = self.0.load_full();
        let read = histories.with(user, |history| {
            let ordered = history.acts.is_sorted_by_key(|act| act.time_ms());
            // Late arrivals make it necessary to look at all before the latest are known.
            let first = if ordered { history.acts.len().saturating_sub(rules.history) } else { 0 };
            for (place, act) in history.acts.iter().enumerate() {
                if place < first && seen.is_none() {
                    continue;
                }
                let rule = self.rule(act.kind(), &mut known, histories.types(), rules);
                let weight = rule.weight * act.value;
                if let Some(seen) = seen.as_deref_mut()
                    && (rule.seen || weight < 0.0)
                {
                    seen.insert(act.item());
                }
                if place >= first && weight.is_finite() && weight != 0.0 {
                    past.push(PastAct { item: act.item(), weight, time_ms: act.time_ms() });
                }
            }
            ordered
        });
        if read == Some(false) {
            past.sort_by_key(|act| act.time_ms);
            past.drain(..past.len().saturating_sub(rules.history));
        }
        read.is_some()
    }
}
