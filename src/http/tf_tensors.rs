//! The bodies of `:predict`: columns (`inputs`) or rows (`instances`) of `products` and `users`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::errors::{ApiError, Kind};
use crate::model::ids::{ItemId, UserId};
use crate::model::wire::question::MAX_LIST;

/// The only signature, also meant by an absent or empty name.
const SIGNATURE: &str = "serving_default";

/// Which form the answer takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `outputs`, a column each.
    Columns,
    /// `predictions`, a row each.
    Rows,
}

/// A question, checked.
#[derive(Debug, PartialEq)]
pub struct Asked {
    /// The form of the answer.
    pub shape: Shape,
    /// Pairs asked for.
    pub rows: usize,
    /// The products of each user, with their row.
    pub by_user: BTreeMap<UserId, Vec<(usize, ItemId)>>,
}

/// Reads a body.
///
/// # Errors
/// 400 naming the field.
pub fn read(body: &[u8]) -> Result<Asked, ApiError> {
    let body: Map<String, Value> = serde_json::from_slice(body)
        .map_err(|error| ApiError::new(Kind::Invalid, format!("the body is no JSON object: {error}")))?;
    for name in body.keys() {
        if !["signature_name", "inputs", "instances"].contains(&name.as_str()) {
            return Err(ApiError::field(name, "is not known; known are: signature_name, inputs, instances"));
        }
    }
    match body.get("signature_name") {
        None | Some(Value::Null) => {}
        Some(Value::String(name)) if name.is_empty() || name == SIGNATURE => {}
        Some(_) => return Err(ApiError::field("signature_name", format!("the only signature is {SIGNATURE}"))),
    }
    match (body.get("inputs"), body.get("instances")) {
        (Some(inputs), None) => columns(inputs),
        (None, Some(instances)) => rows(instances),
        _ => Err(ApiError::new(Kind::Invalid, "send either inputs (columns) or instances (rows)")),
    }
}

fn columns(inputs: &Value) -> Result<Asked, ApiError> {
    let column = |name: &str| {
        let field = format!("inputs.{name}");
        let wrong = || ApiError::field(&field, "must be an array such as [[1],[2]]");
        let values = inputs.get(name).and_then(Value::as_array).ok_or_else(wrong)?;
        check_length(&field, values.len())?;
        Ok::<_, ApiError>(values)
    };
    known(inputs, "inputs")?;
    let (products, users) = (column("products")?, column("users")?);
    if products.len() != users.len() {
        let message = format!("has {} rows and products has {}: they must be as many", users.len(), products.len());
        return Err(ApiError::field("inputs.users", message));
    }
    let field = |name: &str, row: usize| format!("inputs.{name}[{row}]");
    collect(Shape::Columns, products.iter().zip(users).map(|(product, user)| (Some(product), Some(user))), field)
}

fn rows(instances: &Value) -> Result<Asked, ApiError> {
    let wrong = || ApiError::field("instances", "must be an array such as [{\"products\":[1],\"users\":[25]}]");
    let instances = instances.as_array().ok_or_else(wrong)?;
    check_length("instances", instances.len())?;
    for (row, instance) in instances.iter().enumerate() {
        known(instance, &format!("instances[{row}]"))?;
    }
    let field = |name: &str, row: usize| format!("instances[{row}].{name}");
    collect(Shape::Rows, instances.iter().map(|instance| (instance.get("products"), instance.get("users"))), field)
}

fn check_length(field: &str, rows: usize) -> Result<(), ApiError> {
    if (1..=MAX_LIST).contains(&rows) {
        Ok(())
    } else {
        Err(ApiError::field(field, format!("must have 1 to {MAX_LIST} rows, this one has {rows}")))
    }
}

fn known(value: &Value, field: &str) -> Result<(), ApiError> {
    let object =
        value.as_object().ok_or_else(|| ApiError::field(field, "must be an object with products and users"))?;
    match object.keys().find(|name| !["products", "users"].contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => Err(ApiError::field(&format!("{field}.{name}"), "is not known; known are: products, users")),
    }
}

fn collect<'a>(
    shape: Shape,
    pairs: impl Iterator<Item = (Option<&'a Value>, Option<&'a Value>)>,
    field: impl Fn(&str, usize) -> String,
) -> Result<Asked, ApiError> {
    let mut asked = Asked { shape, rows: 0, by_user: BTreeMap::new() };
    for (row, (product, user)) in pairs.enumerate() {
        let product: ItemId = scalar(product, || field("products", row))?;
        let user: UserId = scalar(user, || field("users", row))?;
        asked.by_user.entry(user).or_default().push((row, product));
        asked.rows += 1;
    }
    Ok(asked)
}

/// A number or text, alone or as the only element of an array.
fn scalar<Id: serde::de::DeserializeOwned>(value: Option<&Value>, field: impl Fn() -> String) -> Result<Id, ApiError> {
    let alone = match value {
        Some(Value::Array(values)) => match values.as_slice() {
            [value] => Some(value),
            _ => None,
        },
        other => other,
    };
    let wrong = || ApiError::field(&field(), "must be one integer or text, alone or as [1]");
    let value = alone.filter(|value| value.is_number() || value.is_string()).ok_or_else(wrong)?;
    serde_json::from_value(value.clone()).map_err(|error| ApiError::field(&field(), error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn asked(body: &Value) -> Result<Asked, ApiError> {
        read(body.to_string().as_bytes())
    }

    #[test]
    fn both_forms_ask_the_same() {
        let columns =
            asked(&json!({"signature_name": "", "inputs": {"products": [[1], [2]], "users": [[25], [7]]}})).unwrap();
        let rows =
            asked(&json!({"instances": [{"products": [1], "users": [25]}, {"products": 2, "users": "7"}]})).unwrap();
        assert_eq!((columns.shape, rows.shape, columns.rows, rows.rows), (Shape::Columns, Shape::Rows, 2, 2));
        assert_eq!(columns.by_user, rows.by_user);
        let user: UserId = "7".parse().unwrap();
        assert_eq!(columns.by_user[&user], [(1, "2".parse().unwrap())]);
    }

    #[test]
    fn every_bad_field_is_named() {
        let long = vec![json!([1]); MAX_LIST + 1];
        let cases = [
            (json!({"inputs": {"products": [[1]], "users": [[1], [2]]}}), "inputs.users"),
            (json!({"inputs": {"products": [[1, 2]], "users": [[1]]}}), "inputs.products[0]"),
            (json!({"inputs": {"products": [[1.5]], "users": [[1]]}}), "inputs.products[0]"),
            (json!({"inputs": {"products": [], "users": []}}), "inputs.products"),
            (json!({"inputs": {"products": long, "users": long}}), "inputs.products"),
            (json!({"inputs": {"users": [[1]]}}), "inputs.products"),
            (json!({"inputs": {"products": [[1]], "users": [[1]], "x": 1}}), "inputs.x"),
            (json!({"inputs": [1]}), "inputs"),
            (json!({"instances": [{"products": 1}]}), "instances[0].users"),
            (json!({"instances": {}}), "instances"),
            (json!({"signature_name": "other", "instances": []}), "signature_name"),
            (json!({"rows": []}), "rows"),
        ];
        for (body, field) in cases {
            assert_eq!(asked(&body).unwrap_err().problem().field.as_deref(), Some(field), "{body}");
        }
        assert!(asked(&json!({"inputs": {}, "instances": []})).is_err() && asked(&json!({})).is_err());
    }
}
