use super::*;
use crate::model::serving::answer::ScorePart;

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
fn parts_add_up_to_the_score_also_with_a_dislike_and_a_long_history() {
    let shop = Shop::new();
    let parts = |query: &Query| {
        let answer = shop.0.recommend(&Query { explain: true, ..query.clone() }, NOW);
        let parts = answer.items[0].parts.iter();
        let name =
            |part: &ScorePart| part.item.as_ref().map_or_else(|| part.part.unwrap().to_owned(), ItemId::to_string);
        let sum: f32 = answer.items[0].parts.iter().map(|part| part.score).sum();
        assert!((sum - answer.items[0].score).abs() < 1e-5);
        (answer.items[0].id.to_string(), parts.map(|part| (name(part), part.score)).collect::<Vec<_>>())
    };
    let named = |parts: &[(&str, f32)]| parts.iter().map(|&(name, score)| (name.to_owned(), score)).collect::<Vec<_>>();
    shop.goes_live(Toy::Alike(alike()), &["a", "b", "c", "d"], &[]);
    shop.event("u", "purchase", "b", NOW);
    shop.event("u", "dislike", "a", NOW);
    assert_eq!(parts(&asks("u")), ("c".to_owned(), named(&[("b", 0.8), ("a", -0.3)])));

    // Of sixteen items of a session the ten that gave most are named.
    let names: Vec<String> = (0..17).map(|item| format!("i{item:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let row = |item: usize| (0..17).map(|other| if other == 16 { (item + 1) as f32 } else { 0.0 }).collect();
    let wide = Shop(Recommending::new(
        Arc::default(),
        Arc::new(Catalogue::new(DAY)),
        Arc::new(ArcSwapOption::empty()),
        ListRules { history: 50, ..ListRules::default() },
    ));
    wide.goes_live(Toy::Alike((0..17).map(row).collect()), &names, &[]);
    let query = Query { items: ids(&names[..16]), n: 1, explain: true, ..Query::default() };
    let item = wide.0.recommend(&query, NOW).items.remove(0);
    let told: Vec<f32> = item.parts.iter().map(|part| part.score).collect();
    assert_eq!(told, [16.0, 15.0, 14.0, 13.0, 12.0, 11.0, 10.0, 9.0, 8.0, 7.0, 21.0]);
    assert_eq!((item.id.as_str(), item.score, item.parts[10].part), ("i16", 136.0, Some("the rest")));
    assert_eq!(item.reason.as_deref(), Some("because of i15, i14 and i13"));
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
