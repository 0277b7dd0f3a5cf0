//! Splits of rows made by hand, and their laws.

use std::collections::HashSet;
use std::sync::Arc;

use proptest::prelude::*;

use super::super::given::{Ids, Negatives, holdout, with_negatives};
use super::*;
use crate::model::ids::{ItemId, UserId};

/// Rows written as `user item time [weight]`, the time `-` where there is none.
pub(crate) fn rows(lines: &[&str]) -> Interactions {
    let mut ids = Ids::of(&Interactions::default());
    let mut rows = Interactions::default();
    for line in lines {
        let words: Vec<&str> = line.split(' ').collect();
        let time = if words[2] == "-" { NO_TIME } else { words[2].parse().unwrap() };
        let weight = words.get(3).map_or(1.0, |word| word.parse().unwrap());
        rows.push(ids.user(&words[0].parse().unwrap()), ids.item(&words[1].parse().unwrap()), weight, time);
    }
    ids.with_rows(&rows)
}

/// What is held out, as `user item`.
fn held_out(split: &Split) -> Vec<String> {
    let name = |user: u32, item: u32| {
        let table = split.train.table();
        format!("{} {}", table.user_ids[user as usize], table.item_ids[item as usize])
    };
    split.test.iter().flat_map(|test| test.items.iter().map(move |&item| name(test.user, item))).collect()
}

/// The times of train's rows, by user.
fn times(split: &Split) -> Vec<i64> {
    split.train.times().collect()
}

#[test]
fn the_last_first_row_is_held_out_with_its_repeats() {
    // u: a was bought first at 1, so b is last although a was bought again at 9; b's repeat goes too.
    let split = leave_last_out(rows(&["u a 1", "u b 5", "u a 9", "u b 10", "v a 3", "v a 4"]));
    assert_eq!(held_out(&split), ["u b"]);
    assert_eq!(times(&split), [1, 9, 3, 4]);
    assert_eq!(split.dropped, Dropped::default());
}

#[test]
fn ties_in_time_go_to_the_later_row() {
    assert_eq!(held_out(&leave_last_out(rows(&["u b 5", "u a 5", "u c 5", "u d 1"]))), ["u c"]);
    assert_eq!(held_out(&leave_last_out(rows(&["u c 5", "u a 5", "u b 4", "u a 7"]))), ["u a"]);
}

#[test]
fn without_times_the_draw_hangs_on_nothing_but_the_user() {
    let own: Vec<String> = (0..40).flat_map(|user| (0..5).map(move |item| format!("{user} {item} -"))).collect();
    let lines: Vec<&str> = own.iter().map(String::as_str).collect();
    let forwards = held_out(&leave_last_out(rows(&lines)));
    assert_eq!(forwards.len(), 40);
    let items: HashSet<&str> = forwards.iter().filter_map(|line| line.split(' ').nth(1)).collect();
    assert_eq!(items.len(), 5, "every place is drawn now and then");
    // Users in another order, each one's rows in the same.
    let mut others: Vec<&[&str]> = lines.chunks(5).collect();
    others.reverse();
    let mut backwards = held_out(&leave_last_out(rows(&others.concat())));
    backwards.sort();
    let mut forwards = forwards;
    forwards.sort();
    assert_eq!(forwards, backwards);
}

#[test]
fn a_disliked_item_is_never_held_out() {
    let lines = ["u a 1", "u b 2", "u c 3 -1", "v a 1 -1", "v b 2 -1"];
    assert_eq!(held_out(&leave_last_out(rows(&lines))), ["u b"]);
    let after = ["u a 1", "u b 1", "v a 1", "v b 1", "w a 1", "w b 1", "x a 1", "x b 1", "y a 1", "u c 1", "y b 2 -1"];
    assert!(temporal(rows(&after)).test.is_empty());
}

#[test]
fn time_cuts_at_the_quantile_of_first_times() {
    // Eleven pairs: the quantile is the tenth time, 10; the pair first seen at 11 is after it, the repeats are not.
    let mut lines: Vec<String> = (1..=10).map(|n| format!("u{} i{n} {n}", n % 2)).collect();
    lines.extend(["u1 i2 11".into(), "u1 i1 12".into(), "u1 i2 13".into()]);
    let split = temporal(rows(&lines.iter().map(String::as_str).collect::<Vec<_>>()));
    assert_eq!(held_out(&split), ["u1 i2"]);
    assert_eq!(times(&split), [1, 3, 5, 7, 9, 2, 4, 6, 8, 10]);
    assert_eq!(split.protocol, Protocol::Temporal);
}

#[test]
fn what_train_never_saw_is_dropped_and_its_share_told() {
    let mut lines: Vec<String> = (1..=36).map(|n| format!("u{} i{} 1", n % 6, n / 6)).collect();
    lines.extend(["u1 i0 9", "u2 i0 9", "new i1 9", "u1 new 9"].map(String::from));
    let all = rows(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    let split = temporal(all);
    assert_eq!(held_out(&split), Vec::<String>::new(), "they had i0 before");
    // First taken after the cut: i1 by new and new by u1.
    assert_eq!(split.dropped, Dropped { pairs: 1.0, users: 0.5, items: 0.5 });
    let all = rows(
        &lines
            .iter()
            .map(|line| line.replace("u2 i0 9", "u0 i0 9"))
            .collect::<Vec<_>>()
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>(),
    );
    let split = temporal(all);
    assert_eq!(held_out(&split), ["u0 i0"]);
    assert!((split.dropped.pairs - 2.0 / 3.0).abs() < 1e-12);
}

#[test]
fn one_time_for_all_leaves_nothing_to_test() {
    let all = rows(&["u a 5", "u b 5", "v a 5"]);
    assert!(temporal(all.clone()).test.is_empty());
    assert_eq!(temporal(all.clone()).train.len(), 3);
    assert_eq!(auto(all).protocol, Protocol::LeaveLastOut);
    assert!(temporal(rows(&["u a -", "u b -"])).test.is_empty());
    assert!(leave_last_out(rows(&[])).test.is_empty() && temporal(rows(&[])).test.is_empty());
}

#[test]
fn auto_takes_time_from_two_hundred_test_users_on() {
    let file = |users: usize| {
        let mut lines: Vec<String> =
            (0..users).flat_map(|u| (0..9).map(move |i| format!("{u} {} {i}", (u + i) % 10))).collect();
        lines.extend((0..users).map(|u| format!("{u} {} 100", (u + 9) % 10)));
        auto(rows(&lines.iter().map(String::as_str).collect::<Vec<_>>()))
    };
    assert_eq!(file(200).protocol, Protocol::Temporal);
    assert_eq!(file(200).test.len(), 200);
    assert_eq!(file(199).protocol, Protocol::LeaveLastOut);
}

#[test]
fn a_given_split_is_joined_by_id() {
    let train = rows(&["u a 1", "u b 2", "v b 3"]);
    let test = rows(&["v a 4", "v b 5", "w new 6", "u c 7", "u c 8"]);
    let split = holdout(&train, &test);
    assert_eq!(held_out(&split), ["u c", "v a", "w new"]);
    assert_eq!(split.dropped.pairs, 0.25);
    assert_eq!((split.train.len(), split.validation), (3, Protocol::Temporal));
    assert_eq!(holdout(&train, &rows(&["v a 1"])).validation, Protocol::LeaveLastOut);
}

#[test]
fn negatives_are_ranked_alone_and_the_positive_leaves_train() {
    let ids = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect::<Vec<ItemId>>();
    let list =
        Negatives { user: "u".parse().unwrap(), positive: "b".parse().unwrap(), negatives: ids(&["c", "new", "c"]) };
    let split = with_negatives(&rows(&["u a 1", "u b 2", "v b 3", "v c 3"]), &[list]);
    assert_eq!(held_out(&split), ["u b"]);
    assert_eq!(times(&split), [1, 3, 3]);
    assert_eq!(split.test[0].given, [1, 2, 3]);
}

proptest! {
    #[test]
    fn no_held_out_pair_stays_in_train(
        lines in proptest::collection::vec((0_u32..12, 0_u32..15, proptest::option::of(0_i64..30), -1_i8..3), 0..300),
    ) {
        let mut all = Interactions {
            user_ids: Arc::new((0..12_u64).map(UserId::from).collect()),
            item_ids: Arc::new((0..15_u64).map(ItemId::from).collect()),
            ..Interactions::default()
        };
        for &(user, item, time, weight) in &lines {
            all.push(user, item, f32::from(weight), time.unwrap_or(NO_TIME));
        }
        let (first, second) = (all.filtered(|row| row % 3 > 0), all.filtered(|row| row % 3 == 0));
        for split in [leave_last_out(all.clone()), temporal(all.clone()), auto(all.clone()), holdout(&first, &second)] {
            for split in [split.validation(), split] {
                let table = split.train.table();
                let train: HashSet<(u32, u32)> =
                    split.train.rows().map(|row| (table.users[row], table.items[row])).collect();
                for test in &split.test {
                    prop_assert!(!test.items.is_empty());
                    prop_assert!(test.items.iter().all(|&item| !train.contains(&(test.user, item))));
                    if split.protocol != Protocol::Holdout {
                        prop_assert!(!split.train.of(test.user as usize).is_empty());
                    }
                }
                prop_assert!(split.test.is_sorted_by(|a, b| a.user < b.user));
                let Dropped { pairs, users, items } = split.dropped;
                prop_assert!([pairs, users, items].iter().all(|share| (0.0..=1.0).contains(share)));
            }
        }
    }
}
