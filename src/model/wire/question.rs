//! The bodies of `POST /recommend` and `POST /v1/score`.

use serde::Deserialize;
use serde_json::Value;

use super::BodyError;
use super::fields::{Fields, json, missing};
use super::reply::given_of;
use crate::model::ids::{ItemId, UserId};
use crate::model::serving::query::{DEFAULT_N, MAX_N, Query};

/// The most items, candidates, exclusions, categories or products that one question may hold.
pub const MAX_LIST: usize = 10_000;

const RECOMMEND: [&str; 10] =
    ["user", "items", "n", "candidates", "exclude", "categories", "diversity", "include_seen", "explain", "next"];
const SCORE: [&str; 2] = ["user", "products"];

/// The original's question: what is each of these products worth to this user.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreQuery {
    /// For whom.
    #[serde(default)]
    pub user: Option<UserId>,
    /// The products, 1 to [`MAX_LIST`].
    pub products: Vec<ItemId>,
}

/// Either question, as the request topic takes both.
#[derive(Debug, Clone, PartialEq)]
pub enum Question {
    /// A list is asked for.
    Recommend(Query),
    /// Scores are asked for.
    Score(ScoreQuery),
}

/// Reads a body of `POST /recommend`.
///
/// # Errors
/// [`BodyError`] naming the field.
pub fn recommend_from_json(body: &[u8]) -> Result<Query, BodyError> {
    recommend(&json(body)?)
}

/// Reads a body of `POST /v1/score`.
///
/// # Errors
/// [`BodyError`] naming the field.
pub fn score_from_json(body: &[u8]) -> Result<ScoreQuery, BodyError> {
    // A tree of values is made only to say what is wrong, and for what is right in a rare form.
    match serde_json::from_slice::<ScoreQuery>(body) {
        Ok(query) if (1..=MAX_LIST).contains(&query.products.len()) => Ok(query),
        _ => score(&json(body)?),
    }
}

/// Reads either body: one with `products` asks for scores.
///
/// # Errors
/// [`BodyError`] naming the field.
pub fn question_from_json(body: &[u8]) -> Result<Question, BodyError> {
    let value = json(body)?;
    if value.get("products").is_some() {
        score(&value).map(Question::Score)
    } else {
        recommend(&value).map(Question::Recommend)
    }
}

/// Checks a list's length as a question gives it.
///
/// # Errors
/// [`BodyError`] at `n`.
pub fn check_n(n: u64) -> Result<usize, BodyError> {
    usize::try_from(n).ok().filter(|n| (1..=MAX_N).contains(n)).ok_or_else(wrong_n)
}

/// Checks a diversity as a question gives it.
///
/// # Errors
/// [`BodyError`] at `diversity`.
pub fn check_diversity(diversity: f64) -> Result<f32, BodyError> {
    if (0.0..=1.0).contains(&diversity) { Ok(diversity as f32) } else { Err(wrong_diversity()) }
}

fn recommend(value: &Value) -> Result<Query, BodyError> {
    let fields = Fields::of(value, &RECOMMEND)?;
    Ok(Query {
        user: fields.id("user")?,
        items: fields.ids("items", MAX_LIST)?.unwrap_or_default(),
        n: match fields.get("n") {
            None => DEFAULT_N,
            Some(n) => n.as_u64().map_or_else(|| Err(wrong_n()), check_n)?,
        },
        candidates: fields.ids("candidates", MAX_LIST)?,
        exclude: fields.ids("exclude", MAX_LIST)?.unwrap_or_default(),
        categories: fields.texts("categories", MAX_LIST)?.unwrap_or_default(),
        include_seen: fields.flag("include_seen")?,
        explain: fields.flag("explain")?,
        diversity: match fields.get("diversity") {
            None => 0.0,
            Some(diversity) => diversity.as_f64().map_or_else(|| Err(wrong_diversity()), check_diversity)?,
        },
        skip: fields.text("next")?.map_or(Ok(0), given_of)?,
    })
}

fn score(value: &Value) -> Result<ScoreQuery, BodyError> {
    let fields = Fields::of(value, &SCORE)?;
    let products: Vec<ItemId> =
        fields.ids("products", MAX_LIST)?.ok_or_else(|| missing("products", "a list of products"))?;
    if products.is_empty() {
        return Err(BodyError::at("products", "too_few", "must have at least one element"));
    }
    Ok(ScoreQuery { user: fields.id("user")?, products })
}

fn wrong_n() -> BodyError {
    BodyError::at("n", "out_of_range", format!("must be from 1 to {MAX_N}"))
}

fn wrong_diversity() -> BodyError {
    BodyError::at("diversity", "out_of_range", "must be a number from 0 to 1")
}

#[cfg(test)]
mod tests {
    use super::super::reply::next_token;
    use super::*;
    use proptest::prelude::*;
    use serde_json::json as body;

    fn ids(names: &[&str]) -> Vec<ItemId> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn a_full_question_is_read_whole() {
        let body = body!({
            "user": 25, "items": ["a", 2], "n": 3, "candidates": [7], "exclude": ["x"], "categories": ["shoes"],
            "diversity": 0.5, "include_seen": true, "explain": true, "next": next_token(10),
        });
        let expected = Query {
            user: Some("25".parse().unwrap()),
            items: ids(&["a", "2"]),
            n: 3,
            candidates: Some(ids(&["7"])),
            exclude: ids(&["x"]),
            categories: vec!["shoes".to_owned()],
            include_seen: true,
            explain: true,
            diversity: 0.5,
            skip: 10,
        };
        assert_eq!(recommend_from_json(body.to_string().as_bytes()), Ok(expected));
        let empty = recommend_from_json(b"{}").unwrap();
        assert_eq!(empty, Query { n: 10, ..Query::default() });
    }

    #[test]
    fn products_make_it_a_question_for_scores() {
        let question = question_from_json(br#"{"user":25,"products":[1,"2"]}"#).unwrap();
        let expected = ScoreQuery { user: Some("25".parse().unwrap()), products: ids(&["1", "2"]) };
        assert_eq!(question, Question::Score(expected));
        assert!(matches!(question_from_json(br#"{"user":25}"#), Ok(Question::Recommend(_))));
        assert_eq!(question_from_json(br#"{"products":[],"n":1}"#).unwrap_err().field.as_deref(), Some("n"));
    }

    proptest! {
        #[test]
        fn the_short_way_to_scores_reads_what_the_long_one_does(
            user in proptest::option::of(a_value()),
            products in proptest::collection::vec(a_value(), 0..4),
            twice in any::<bool>(),
        ) {
            let products = Value::Array(products);
            let mut text = match &user {
                Some(user) => format!(r#"{{"user":{user},"products":{products}"#),
                None => format!(r#"{{"products":{products}"#),
            };
            text.push_str(if twice { r#","products":["last"]}"# } else { "}" });
            let value: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(score_from_json(text.as_bytes()), score(&value));
        }
    }

    /// What may stand where an id should.
    fn a_value() -> impl Strategy<Value = Value> {
        prop_oneof![
            any::<u64>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<bool>().prop_map(Value::from),
            "\\PC{0,6}".prop_map(Value::from),
            (250_usize..260).prop_map(|length| Value::from("x".repeat(length))),
            Just(Value::Null),
            Just(body!([])),
        ]
    }

    #[test]
    fn every_bad_question_names_its_field() {
        let (long, many) = ("x".repeat(257), vec![1; MAX_LIST + 1]);
        let cases = [
            (body!("x"), None, "not_an_object"),
            (body!({"count": 3}), Some("count"), "unknown_field"),
            (body!({"y".repeat(100): 3}), Some(&*format!("{}…", "y".repeat(64))), "unknown_field"),
            (body!({"user": {}}), Some("user"), "wrong_type"),
            (body!({"user": long}), Some("user"), "id_length"),
            (body!({"n": 0}), Some("n"), "out_of_range"),
            (body!({"n": 1001}), Some("n"), "out_of_range"),
            (body!({"n": -1}), Some("n"), "out_of_range"),
            (body!({"n": 2.5}), Some("n"), "out_of_range"),
            (body!({"n": "10"}), Some("n"), "out_of_range"),
            (body!({"items": "a"}), Some("items"), "wrong_type"),
            (body!({"items": ["a", "b", "c", ""]}), Some("items[3]"), "id_length"),
            (body!({"items": many}), Some("items"), "too_many"),
            (body!({"candidates": [1, null]}), Some("candidates[1]"), "wrong_type"),
            (body!({"exclude": [1.5]}), Some("exclude[0]"), "wrong_type"),
            (body!({"categories": ["a", 1]}), Some("categories[1]"), "wrong_type"),
            (body!({"categories": [""]}), Some("categories[0]"), "length"),
            (body!({"diversity": 1.1}), Some("diversity"), "out_of_range"),
            (body!({"diversity": true}), Some("diversity"), "out_of_range"),
            (body!({"include_seen": 1}), Some("include_seen"), "wrong_type"),
            (body!({"explain": "yes"}), Some("explain"), "wrong_type"),
            (body!({"next": 3}), Some("next"), "wrong_type"),
            (body!({"next": "zz"}), Some("next"), "bad_next"),
        ];
        for (value, field, code) in cases {
            let error = recommend_from_json(value.to_string().as_bytes()).unwrap_err();
            assert_eq!((error.field.as_deref(), error.code), (field, code), "{error}");
        }
        assert_eq!(recommend_from_json(br#"{"n":0}"#).unwrap_err().to_string(), "n: must be from 1 to 1000");
        let scores = [
            (body!({"user": 1}), "products", "missing_field"),
            (body!({"user": 1, "products": []}), "products", "too_few"),
            (body!({"user": 1, "products": [1, false]}), "products[1]", "wrong_type"),
            (body!({"user": [], "products": [1]}), "user", "wrong_type"),
            (body!({"products": [1], "n": 3}), "n", "unknown_field"),
        ];
        for (value, field, code) in scores {
            let error = score_from_json(value.to_string().as_bytes()).unwrap_err();
            assert_eq!((error.field.as_deref(), error.code), (Some(field), code), "{error}");
        }
        assert_eq!(score_from_json(b"").unwrap_err().code, "not_json");
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(Question::Recommend(query)) = question_from_json(&bytes) {
                prop_assert!((1..=MAX_N).contains(&query.n));
            }
        }
    }
}
