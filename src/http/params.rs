//! Query parameters, read with the names a route knows; any other is refused, so that a mistyped filter is not ignored.

use std::str::FromStr;

use actix_web::web;

use super::errors::{ApiError, Kind};
use crate::model::ids::Version;
use crate::model::serving::query::MAX_N;
use crate::model::wire::question::MAX_LIST;

/// The length of a list where none was asked for.
pub const DEFAULT_N: usize = 10;

/// A query, taken apart.
#[derive(Debug)]
pub struct Params(Vec<(String, String)>);

impl Params {
    /// Takes a query apart. `known` are the names that the route reads.
    ///
    /// # Errors
    /// 400 naming a parameter that is not known.
    pub fn read(query: &str, known: &[&str]) -> Result<Self, ApiError> {
        let pairs = web::Query::<Vec<(String, String)>>::from_query(query)
            .map_err(|_| ApiError::new(Kind::Invalid, "the query cannot be read: write it as name=value&name=value"))?
            .into_inner();
        if let Some((name, _)) = pairs.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(ApiError::field(name, format!("there is no such parameter here; known are: {known}")));
        }
        Ok(Self(pairs))
    }

    /// Every value of a repeatable parameter, in order.
    ///
    /// # Errors
    /// 400 when there are more than [`MAX_LIST`].
    pub fn many(&self, name: &str) -> Result<Vec<&str>, ApiError> {
        let values: Vec<&str> = self.0.iter().filter(|(known, _)| known == name).map(|(_, v)| v.as_str()).collect();
        if values.len() > MAX_LIST {
            return Err(ApiError::field(name, format!("at most {MAX_LIST} values")));
        }
        Ok(values)
    }

    /// The value of a parameter that stands at most once.
    ///
    /// # Errors
    /// 400 when it is repeated.
    pub fn one(&self, name: &str) -> Result<Option<&str>, ApiError> {
        match *self.many(name)?.as_slice() {
            [] => Ok(None),
            [value] => Ok(Some(value)),
            _ => Err(ApiError::field(name, "must stand at most once")),
        }
    }

    /// `true` or `false`; false where it is absent.
    ///
    /// # Errors
    /// 400 for another word.
    pub fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.one(name)? {
            None | Some("false" | "0") => Ok(false),
            Some("true" | "1") => Ok(true),
            Some(_) => Err(ApiError::field(name, "must be true or false")),
        }
    }

    /// A whole number from 1 to `most`.
    ///
    /// # Errors
    /// 400 for anything else.
    pub fn number(&self, name: &str, most: usize) -> Result<Option<usize>, ApiError> {
        let Some(text) = self.one(name)? else { return Ok(None) };
        let number = text.parse().ok().filter(|number| (1..=most).contains(number));
        number.map(Some).ok_or_else(|| ApiError::field(name, format!("must be a whole number from 1 to {most}")))
    }

    /// The parameter `n`.
    ///
    /// # Errors
    /// 400 when it is not from 1 to [`MAX_N`].
    pub fn n(&self) -> Result<usize, ApiError> {
        Ok(self.number("n", MAX_N)?.unwrap_or(DEFAULT_N))
    }

    /// The parameter `version`.
    ///
    /// # Errors
    /// 400 when it is no number.
    pub fn version(&self) -> Result<Option<Version>, ApiError> {
        self.one("version")?.map(version).transpose()
    }

    /// The values of the parameter `category`.
    ///
    /// # Errors
    /// 400 when one is empty.
    pub fn categories(&self) -> Result<Vec<String>, ApiError> {
        let values = self.many("category")?;
        if values.iter().any(|value| value.is_empty()) {
            return Err(ApiError::field("category", "must not be empty"));
        }
        Ok(values.into_iter().map(str::to_owned).collect())
    }
}

/// An id from a path or a query.
///
/// # Errors
/// 400 naming `field` when it is empty or longer than 256 bytes.
pub fn id<Id: FromStr<Err: std::fmt::Display>>(field: &str, text: &str) -> Result<Id, ApiError> {
    text.parse().map_err(|error| ApiError::field(field, error))
}

/// A version's number.
///
/// # Errors
/// 400 when it is none.
pub fn version(text: &str) -> Result<Version, ApiError> {
    let number = text.parse().map_err(|_| ApiError::field("version", "must be the number of a version, such as 7"))?;
    Ok(Version(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 5] = ["n", "category", "explain", "version", "user"];

    fn read(query: &str) -> Params {
        Params::read(query, &KNOWN).unwrap()
    }

    fn said<T: std::fmt::Debug>(result: Result<T, ApiError>) -> (Option<String>, String) {
        let problem = result.unwrap_err().problem();
        assert_eq!(problem.status, 400);
        (problem.field, problem.detail)
    }

    #[test]
    fn values_are_decoded_and_repeatable_ones_keep_their_order() {
        let params = read("category=b&category=a%20b&n=1000&explain=true&version=7");
        assert_eq!(params.categories().unwrap(), ["b", "a b"]);
        assert_eq!((params.n().unwrap(), params.flag("explain").unwrap()), (1000, true));
        assert_eq!(params.version().unwrap(), Some(Version(7)));
        assert_eq!(read("").n().unwrap(), 10);
    }

    #[test]
    fn every_refusal_names_its_field() {
        let field = |result: Result<(), ApiError>| said(result).0.unwrap();
        for n in ["0", "1001", "-1", "ten", "1.5", ""] {
            assert_eq!(field(read(&format!("n={n}")).n().map(|_| ())), "n", "{n}");
        }
        assert_eq!(field(read("n=1&n=2").n().map(|_| ())), "n");
        assert_eq!(field(read("explain=yes").flag("explain").map(|_| ())), "explain");
        assert_eq!(field(read("version=v7").version().map(|_| ())), "version");
        assert_eq!(field(read("category=").categories().map(|_| ())), "category");
        assert_eq!(field(Params::read("exlude=1", &KNOWN).map(|_| ())), "exlude");
        assert_eq!(field(id::<crate::model::ids::UserId>("user", "").map(|_| ())), "user");
        insta::assert_snapshot!(said(read("n=0").n()).1, @"n: must be a whole number from 1 to 1000");
        insta::assert_snapshot!(said(Params::read("m=1", &["n"])).1, @"m: there is no such parameter here; known are: n");
        insta::assert_snapshot!(
            said(id::<crate::model::ids::UserId>("user", &"x".repeat(257))).1,
            @"user: an id has at most 256 bytes, this one has 257"
        );
    }
}
