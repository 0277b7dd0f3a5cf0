use super::*;

fn reasons(shop: &Shop, query: Query) -> Vec<(String, String)> {
    let answer = shop.0.recommend(&Query { explain: true, ..query }, NOW);
    answer.items.into_iter().map(|item| (item.id.to_string(), item.reason.unwrap())).collect()
}

fn pair(id: &str, reason: &str) -> (String, String) {
    (id.to_owned(), reason.to_owned())
}

#[test]
fn scores_come_in_the_order_asked() {
    let shop = Shop::new();
    assert_eq!(shop.0.score(None, &ids(&["a"]), NOW).scores, [None], "there is no model yet");
    shop.goes_live(Toy::Alike(alike()), &["a", "b", "c", "d"], &[]);
    shop.event("u", "purchase", "a", NOW);
    shop.event("u", "view", "b", NOW);
    shop.index("late");
    let scores = shop.0.score(Some(&user("u")), &ids(&["c", "late", "a", "unknown", "c"]), NOW);
    let c = Some(0.3 + 0.5 * 0.8);
    assert_eq!(scores.scores, [c, None, Some(0.45), None, c]);
    assert_eq!(scores.model.unwrap().version, Version(7));
    assert_eq!(shop.0.score(Some(&user("stranger")), &ids(&["a"]), NOW).scores, [None]);
}

#[test]
fn similar_items_are_alike_or_come_from_the_ladder() {
    let shop = Shop::new();
    shop.event("x", "purchase", "sold", NOW);
    let line = |item: &str, n| {
        let list = shop.0.similar(shop.index(item), n, &[], NOW);
        list.into_iter().map(|item| format!("{} {:?}", item.id, item.source)).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(line("a", 1), "sold Trending", "there is no model yet");
    shop.goes_live(Toy::Alike(alike()), &["a", "b", "c", "d"], &[]);
    assert_eq!(line("a", 3), "b Similar, c Similar, sold Trending");
    assert_eq!(line("sold", 1), "d Newest", "the model does not know it, and nothing else is taken");
    shop.put("b", ItemData { hidden: true, ..ItemData::default() });
    assert_eq!(line("a", 2), "c Similar, sold Trending");
    shop.goes_live(Toy::Mean(alike()), &["a", "b", "c", "d"], &[]);
    assert_eq!(line("a", 1), "sold Trending", "this kind has no notion of it");
}

#[test]
fn a_rung_keeps_to_its_categories() {
    let shop = Shop::new();
    for (item, category) in [("a", "shoes"), ("b", "hats"), ("c", "shoes")] {
        shop.put(item, ItemData { categories: vec![category.to_owned()], ..ItemData::default() });
        shop.event("x", "purchase", item, NOW);
    }
    shop.event("y", "purchase", "c", NOW);
    let rung = |source, n, categories: &[&str]| {
        let categories: Vec<String> = categories.iter().map(|&name| name.to_owned()).collect();
        let list = shop.0.rung(source, n, &categories, NOW);
        list.into_iter().map(|item| item.id.to_string()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(rung(Source::Popular, 10, &[]), "c a b");
    assert_eq!(rung(Source::Trending, 10, &["shoes"]), "c a");
    assert_eq!(rung(Source::Popular, 1, &["hats", "gloves"]), "b");
    assert_eq!(rung(Source::Personal, 10, &[]), "");
}

#[test]
fn reasons_name_what_made_the_score() {
    let shop = Shop::new();
    shop.goes_live(Toy::Alike(alike()), &["a", "b", "c", "d"], &[]);
    shop.event("u", "purchase", "a", NOW);
    shop.event("u", "purchase", "b", NOW);
    shop.index("new");
    let history = "ranked by the model from the user's history";
    let expected = [pair("c", "because of b and a"), pair("d", history), pair("new", "came last")];
    assert_eq!(reasons(&shop, asks("u")), expected);
    let session = Query { items: ids(&["c"]), ..asks("u") };
    assert_eq!(reasons(&shop, session)[0], pair("d", "ranked by the model from the session"));
    // Where the parts do not add up, none is named.
    shop.goes_live(Toy::Mean(alike()), &["a", "b", "c", "d"], &[]);
    assert_eq!(reasons(&shop, asks("u"))[0], pair("c", history));
    shop.goes_live(Toy::Everybody("popular", vec![1.0; 4]), &["a", "b", "c", "d"], &[]);
    assert_eq!(reasons(&shop, asks("u"))[0], pair("c", "taken most often"));
}

#[test]
fn diversity_keeps_likes_apart() {
    let shop = Shop::new();
    // h is liked; x1, x2 and x3 are much the same, y is something else.
    let names = ["h", "x1", "x2", "x3", "y"];
    let mut rows = vec![vec![0.0, 0.9, 0.8, 0.7, 0.5], vec![0.0; 5], vec![0.0; 5], vec![0.0; 5], vec![0.0; 5]];
    for (one, row) in rows.iter_mut().enumerate().take(4).skip(1) {
        row[0] = 0.1;
        (1..4).filter(|&other| other != one).for_each(|other| row[other] = 1.0);
    }
    shop.goes_live(Toy::Alike(rows.clone()), &names, &[]);
    shop.event("u", "purchase", "h", NOW);
    let line = |diversity, n, skip| shop.line(&Query { diversity, n, skip, ..asks("u") });
    assert_eq!(line(0.0, 4, 0), "x1 x2 x3 y");
    assert_eq!(line(0.8, 4, 0), "x1 y x2 x3");
    assert_eq!((line(0.8, 2, 0), line(0.8, 2, 2)), ("x1 y".to_owned(), "x2 x3".to_owned()));
    shop.goes_live(Toy::Mean(rows), &names, &[]);
    assert_eq!(line(0.8, 4, 0), "x1 x2 x3 y", "this kind has no notion of likeness");
}
