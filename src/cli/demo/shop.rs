//! The made-up shop: shoppers in groups of like taste, products in categories, a few products that all buy.
//!
//! The same seed makes the same shop and the same stream of events, whatever the clock shows.

#![expect(clippy::indexing_slicing, reason = "tables of shoppers and products, indexed by what they were made with")]

use std::sync::Arc;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use super::tastes::{GROUPS, Tastes};
use crate::model::event::{Event, PURCHASE};
use crate::model::ids::{IdError, ItemId, UserId};

/// Shoppers of the shop.
pub const SHOPPERS: usize = 2000;
/// Products of the shop.
pub const PRODUCTS: usize = 500;
/// The time over which [`Shop::past_purchases`] are spread, milliseconds.
pub const PAST_MS: i64 = 60 * 86_400_000;

const CATEGORIES: [&str; 20] = [
    "mug",
    "lamp",
    "scarf",
    "book",
    "candle",
    "teapot",
    "clock",
    "poster",
    "plant",
    "toy",
    "rug",
    "knife",
    "puzzle",
    "bag",
    "frame",
    "cushion",
    "game",
    "garden",
    "baking",
    "stationery",
];
const PER_CATEGORY: usize = PRODUCTS / CATEGORIES.len();
/// Products that everybody buys, and how often it is one of them.
const POPULAR: usize = 10;
const POPULAR_SHARE: f64 = 0.1;
/// How often a shopper buys as another group does.
const STRAY: f64 = 0.1;
/// How often a draw is repeated that the shopper has bought already.
const REDRAWS: usize = 20;

/// A product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// Such as `mug-017`.
    pub id: ItemId,
    /// Such as `mug`.
    pub category: &'static str,
}

/// What is asked on the request topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShopRequest {
    /// Who asks; none for a session of somebody unknown.
    pub user: Option<UserId>,
    /// What lies in the cart of that session.
    pub items: Vec<ItemId>,
}

impl ShopRequest {
    /// The body of `POST /recommend`.
    #[must_use]
    pub fn body(&self) -> Value {
        match &self.user {
            Some(user) => json!({"user": user, "n": 10}),
            None => json!({"items": self.items, "n": 10}),
        }
    }
}

#[derive(Debug)]
struct Shopper {
    id: UserId,
    group: usize,
    bought: [bool; PRODUCTS],
}

/// The shop, with what was bought in it so far.
#[derive(Debug)]
pub struct Shop {
    random: StdRng,
    tastes: Tastes,
    products: Vec<Product>,
    shoppers: Vec<Shopper>,
    /// Running sums of how often each shopper comes.
    visits: Vec<f64>,
    popular: Vec<usize>,
    /// Events so far, by which tastes drift and by which events are told apart.
    events: u64,
    seed: u64,
}

impl Shop {
    /// A shop before its first sale.
    ///
    /// # Errors
    /// Never in practice: [`IdError`] if a name made here were no id.
    pub fn new(seed: u64) -> Result<Self, IdError> {
        let mut random = StdRng::seed_from_u64(seed);
        let product = |at: usize| {
            let (category, number) = (CATEGORIES[at / PER_CATEGORY], at % PER_CATEGORY + 1);
            Ok(Product { id: ItemId::new(&format!("{category}-{number:03}"))?, category })
        };
        let products = (0..PRODUCTS).map(product).collect::<Result<Vec<_>, _>>()?;
        let shopper = |at: usize| {
            let id = UserId::new(&format!("shopper-{:04}", at + 1))?;
            Ok(Shopper { id, group: at % GROUPS, bought: [false; PRODUCTS] })
        };
        let shoppers = (0..SHOPPERS).map(shopper).collect::<Result<Vec<_>, _>>()?;
        let mut sum = 0.0;
        let visits = (0..SHOPPERS)
            .map(|_| {
                // The keenest tenth come some ten times as often as the rarest.
                sum += 0.3 - random.random_range(f64::MIN_POSITIVE..1.0).ln();
                sum
            })
            .collect();
        let popular = (0..POPULAR).map(|_| random.random_range(0..PRODUCTS)).collect();
        let tastes = Tastes::new(seed, CATEGORIES.len(), PER_CATEGORY);
        Ok(Self { random, tastes, products, shoppers, visits, popular, events: 0, seed })
    }

    /// The products, for the catalogue's item data.
    #[must_use]
    pub fn products(&self) -> &[Product] {
        &self.products
    }

    /// `n` purchases of the 60 days before `now_ms`, oldest first, with ids of their own.
    pub fn past_purchases(&mut self, n: usize, now_ms: i64) -> Vec<Event> {
        let start = now_ms - PAST_MS;
        (0..n)
            .map(|at| {
                let shopper = self.visitor();
                let item = self.purchase(shopper);
                let time = start + (PAST_MS as f64 * at as f64 / n as f64) as i64;
                self.event(shopper, item, PURCHASE, time)
            })
            .collect()
    }

    /// The next thing that happens in the shop, at `now_ms`: somebody looks, fills the cart or buys.
    pub fn next_event(&mut self, now_ms: i64) -> Event {
        let shopper = self.visitor();
        let (kind, item) = match self.random.random::<f64>() {
            luck if luck < 0.35 => (PURCHASE, self.purchase(shopper)),
            luck if luck < 0.5 => ("cart", self.wish(shopper)),
            _ => ("view", self.wish(shopper)),
        };
        self.event(shopper, item, kind, now_ms)
    }

    /// The next question that the shop's pages ask: mostly for a shopper, now and then for a cart of somebody unknown.
    pub fn next_request(&mut self) -> ShopRequest {
        let shopper = self.visitor();
        if self.random.random_bool(0.9) {
            return ShopRequest { user: Some(self.shoppers[shopper].id.clone()), items: Vec::new() };
        }
        let many = self.random.random_range(1..=3);
        let items = (0..many)
            .map(|_| {
                let item = self.wish(shopper);
                self.products[item].id.clone()
            })
            .collect();
        ShopRequest { user: None, items }
    }

    fn visitor(&mut self) -> usize {
        let total = self.visits.last().copied().unwrap_or(1.0);
        let point = self.random.random::<f64>() * total;
        self.visits.partition_point(|&sum| sum <= point).min(SHOPPERS - 1)
    }

    /// What a shopper likes at the moment.
    fn wish(&mut self, shopper: usize) -> usize {
        if self.random.random_bool(POPULAR_SHARE) {
            return self.popular[self.random.random_range(0..POPULAR)];
        }
        let stray = self.random.random_bool(STRAY);
        let group = if stray { self.random.random_range(0..GROUPS) } else { self.shoppers[shopper].group };
        self.tastes.draw(group, self.events, &mut self.random)
    }

    /// What a shopper buys: something liked, and rarely the same thing twice.
    fn purchase(&mut self, shopper: usize) -> usize {
        let mut item = self.wish(shopper);
        for _ in 0..REDRAWS {
            if !self.shoppers[shopper].bought[item] {
                break;
            }
            item = self.wish(shopper);
        }
        self.shoppers[shopper].bought[item] = true;
        item
    }

    fn event(&mut self, shopper: usize, item: usize, kind: &str, time_ms: i64) -> Event {
        self.events += 1;
        Event {
            user: self.shoppers[shopper].id.clone(),
            item: self.products[item].id.clone(),
            kind: Arc::from(kind),
            value: 1.0,
            timestamp_ms: Some(time_ms),
            // The time is in it, so that a shop made anew over kept data does not repeat ids.
            id: Some(Arc::from(format!("shop-{}-{time_ms}-{}", self.seed, self.events))),
            recommendation_id: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;

    const NOW: i64 = 1_790_000_000_000;

    /// Purchases as (shopper, product) by number, in order of time.
    fn purchases(shop: &mut Shop, n: usize) -> Vec<(usize, usize)> {
        let users: HashMap<_, _> =
            shop.shoppers.iter().zip(0..).map(|(shopper, at)| (shopper.id.clone(), at)).collect();
        let items: HashMap<_, _> =
            shop.products.iter().zip(0..).map(|(product, at)| (product.id.clone(), at)).collect();
        shop.past_purchases(n, NOW).iter().map(|event| (users[&event.user], items[&event.item])).collect()
    }

    #[test]
    fn the_same_seed_makes_the_same_shop() {
        let stream = |seed| {
            let mut shop = Shop::new(seed).unwrap();
            let past = shop.past_purchases(500, NOW);
            let live: Vec<Event> = (0..500).map(|_| shop.next_event(NOW)).collect();
            let asked: Vec<ShopRequest> = (0..100).map(|_| shop.next_request()).collect();
            (past, live, asked)
        };
        assert_eq!(stream(1), stream(1));
        assert_ne!(stream(1).0, stream(2).0);
    }

    #[test]
    fn events_are_such_as_the_service_takes() {
        let mut shop = Shop::new(42).unwrap();
        let past = shop.past_purchases(5000, NOW);
        assert!(past.is_sorted_by_key(|event| event.timestamp_ms));
        assert!(past.iter().all(|event| (NOW - PAST_MS..NOW).contains(&event.timestamp_ms.unwrap())));
        let live: Vec<Event> = (0..2000).map(|_| shop.next_event(NOW)).collect();
        let kinds: HashSet<&str> = live.iter().map(|event| &*event.kind).collect();
        assert_eq!(kinds, HashSet::from(["purchase", "cart", "view"]));
        assert!(past.iter().chain(&live).all(|event| event.check(NOW).is_ok()));
        let ids: HashSet<_> = past.iter().chain(&live).map(|event| event.id.clone()).collect();
        assert_eq!(ids.len(), 7000);
        assert_eq!(shop.products().len(), PRODUCTS);
        assert_eq!(shop.products()[16].id.as_str(), "mug-017");
        assert!(
            (0..100).map(|_| shop.next_request()).any(|request| request.user.is_none() && !request.items.is_empty())
        );
    }

    #[test]
    fn shoppers_of_a_group_buy_the_same_things() {
        let mut shop = Shop::new(42).unwrap();
        let mut baskets = vec![HashSet::new(); SHOPPERS];
        for (user, item) in purchases(&mut shop, 60_000) {
            baskets[user].insert(item);
        }
        // The mean overlap of 100 shoppers with the next of their own group, and with one of another group.
        let overlap = |a: usize, b: usize| {
            let both = baskets[a].intersection(&baskets[b]).count() as f64;
            both / baskets[a].union(&baskets[b]).count().max(1) as f64
        };
        let mean = |step: usize| (0..100).map(|at| overlap(at, at + step)).sum::<f64>() / 100.0;
        let (own, other) = (mean(GROUPS), mean(GROUPS + 1));
        assert!(own > 2.0 * other, "own group {own:.3}, another {other:.3}");
    }

    /// Share of shoppers one of whose test products is among the first ten, by cosine co-occurrence in `train` and by the
    /// popularity in `counted`; each fourth shopper is asked.
    fn hit_rates(train: &[(usize, usize)], counted: &[(usize, usize)], test: &[Vec<usize>]) -> (f64, f64) {
        let mut baskets: Vec<Vec<usize>> = vec![Vec::new(); SHOPPERS];
        train.iter().for_each(|&(user, item)| {
            if !baskets[user].contains(&item) {
                baskets[user].push(item);
            }
        });
        let (mut popular, mut counts, mut pairs) =
            ([0.0_f64; PRODUCTS], [0.0_f64; PRODUCTS], vec![[0.0; PRODUCTS]; PRODUCTS]);
        counted.iter().for_each(|&(_, item)| popular[item] += 1.0);
        for basket in &baskets {
            for &a in basket {
                counts[a] += 1.0;
                basket.iter().filter(|&&b| a != b).for_each(|&b| pairs[a][b] += 1.0);
            }
        }
        let rate = |score: &dyn Fn(&[usize], usize) -> f64| {
            let hit = |user: &usize| {
                let scores: Vec<f64> = (0..PRODUCTS).map(|item| score(&baskets[*user], item)).collect();
                let better = |own: usize, item: &usize| !baskets[*user].contains(item) && scores[*item] > scores[own];
                let rank = |&own: &usize| (0..PRODUCTS).filter(|item| better(own, item)).count();
                test[*user].iter().any(|own| rank(own) < 10)
            };
            let asked: Vec<usize> = (0..SHOPPERS).step_by(4).filter(|&user| !test[user].is_empty()).collect();
            asked.iter().filter(|user| hit(user)).count() as f64 / asked.len() as f64
        };
        let alike = rate(&|basket, item| {
            basket.iter().map(|&bought| pairs[bought][item] / (counts[bought] * counts[item]).sqrt().max(1.0)).sum()
        });
        (alike, rate(&|_, item| popular[item]))
    }

    #[test]
    fn co_occurrence_beats_popularity_on_last_purchases() {
        for seed in [1, 42] {
            let mut train = purchases(&mut Shop::new(seed).unwrap(), 60_000);
            let mut test = vec![Vec::new(); SHOPPERS];
            let mut firsts = HashSet::new();
            train.retain(|&pair| firsts.insert(pair));
            for place in (0..train.len()).rev() {
                let (user, item) = train[place];
                if test[user].is_empty() {
                    test[user].push(item);
                    train.remove(place);
                }
            }
            let (alike, popular) = hit_rates(&train, &train, &test);
            assert!(popular > 0.0 && alike > 1.5 * popular, "seed {seed}: co-occurrence {alike}, popularity {popular}");
        }
    }

    #[test]
    fn co_occurrence_beats_what_sells_lately_on_the_last_tenth() {
        for seed in [1, 42] {
            let bought = purchases(&mut Shop::new(seed).unwrap(), 60_000);
            let (train, after) = bought.split_at(54_000);
            let known: HashSet<_> = train.iter().collect();
            let mut test = vec![Vec::new(); SHOPPERS];
            after.iter().filter(|pair| !known.contains(pair)).for_each(|&(user, item)| test[user].push(item));
            let (alike, lately) = hit_rates(train, &train[48_600..], &test);
            assert!(lately > 0.0 && alike > 1.3 * lately, "seed {seed}: co-occurrence {alike}, lately {lately}");
        }
    }

    #[test]
    fn tastes_drift() {
        let mut shop = Shop::new(42).unwrap();
        let bought = purchases(&mut shop, 60_000);
        // What the first group bought first, in the middle and last: near times are more alike than far ones.
        let shares = |part: &[(usize, usize)]| {
            let mut shares = vec![0.0; PRODUCTS];
            part.iter().filter(|(user, _)| user % GROUPS == 0).for_each(|&(_, item)| shares[item] += 1.0);
            let norm = shares.iter().map(|share: &f64| share * share).sum::<f64>().sqrt();
            shares.iter().map(|share| share / norm).collect::<Vec<f64>>()
        };
        let alike = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let (first, second, last) = (shares(&bought[..6000]), shares(&bought[6000..12_000]), shares(&bought[54_000..]));
        let (near, far) = (alike(&first, &second), alike(&first, &last));
        assert!(near > far + 0.1, "near {near:.3}, far {far:.3}");
    }
}
