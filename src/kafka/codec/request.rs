//! Records of the request topic.

use prost::Message;

use super::{DecodeError, Format, messages, value};
use crate::kafka::record::Record;
use crate::model::ids::{ItemId, UserId};
use crate::model::serving::query::Query;
use crate::model::wire::question::{MAX_LIST, Question, ScoreQuery, question_from_json};
use crate::settings::WireFormat;

/// How long a list is when the request does not say.
pub const DEFAULT_N: usize = 10;

/// A request with what its reply needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// What is asked.
    pub question: Question,
    /// How the reply is written: as the request was.
    pub format: Format,
    /// The request's header `correlation-id`, else its place `topic/partition/offset`.
    pub correlation_id: Vec<u8>,
}

impl Request {
    /// For whom it asks.
    #[must_use]
    pub const fn user(&self) -> Option<&UserId> {
        match &self.question {
            Question::Recommend(query) => query.user.as_ref(),
            Question::Score(query) => query.user.as_ref(),
        }
    }
}

/// Reads the request of a record.
///
/// # Errors
/// [`DecodeError`] for the dead letters.
pub fn decode_request(record: &Record, setting: WireFormat) -> Result<Request, DecodeError> {
    let bytes = value(record)?;
    let format = Format::of(record, setting);
    let question = match format {
        Format::Protobuf => from_protobuf(bytes)?,
        Format::Json => question_from_json(bytes)?,
    };
    let correlation_id = record.header("correlation-id").map_or_else(|| record.place().into_bytes(), <[u8]>::to_vec);
    Ok(Request { question, format, correlation_id })
}

/// An absent user is 0, the first that the original draws. Negative numbers are ids like any other.
fn from_protobuf(bytes: &[u8]) -> Result<Question, DecodeError> {
    let message =
        messages::RecommendationRequest::decode(bytes).map_err(|error| DecodeError::Protobuf(error.to_string()))?;
    let user = Some(UserId::from(message.user));
    match message.products.len() {
        0 => Ok(Question::Recommend(Query { user, n: DEFAULT_N, ..Query::default() })),
        many if many > MAX_LIST => Err(DecodeError::TooMany(many)),
        _ => {
            let products = message.products.into_iter().map(ItemId::from).collect();
            Ok(Question::Score(ScoreQuery { user, products }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::record;
    use super::*;

    fn decode(bytes: &[u8]) -> Result<Request, DecodeError> {
        decode_request(&record(bytes), WireFormat::Auto)
    }

    fn scored(question: Question) -> (String, Vec<String>) {
        let Question::Score(query) = question else { panic!("{question:?}") };
        (query.user.unwrap().to_string(), query.products.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn the_originals_bytes_ask_for_scores() {
        // Products 1, 2 and -3 packed, user 25, as any protobuf library writes them.
        let mut bytes = vec![0x0a, 12, 1, 2];
        bytes.extend([0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]);
        bytes.extend([0x10, 25]);
        let request = decode(&bytes).unwrap();
        assert_eq!(request.correlation_id, b"topic/3/41");
        assert_eq!(request.user().unwrap().as_str(), "25");
        assert_eq!(request.format, Format::Protobuf);
        assert_eq!(scored(request.question), ("25".to_owned(), ["1", "2", "-3"].map(str::to_owned).to_vec()));
        // The same unpacked, as an old library may write it, and without a user.
        let request = decode(&[0x08, 1, 0x08, 2]).unwrap();
        assert_eq!(scored(request.question), ("0".to_owned(), ["1", "2"].map(str::to_owned).to_vec()));
    }

    #[test]
    fn no_products_ask_for_a_list() {
        let Question::Recommend(query) = decode(&[0x10, 7]).unwrap().question else { panic!("a list is asked for") };
        assert_eq!((query.user.unwrap().as_str(), query.n), ("7", 10));
        // A message of nothing but defaults has no bytes at all.
        let Question::Recommend(query) = decode(&[]).unwrap().question else { panic!("a list is asked for") };
        assert_eq!(query.user.unwrap().as_str(), "0");
    }

    #[test]
    fn the_senders_correlation_id_is_kept() {
        let mut read = record([0x10, 7]);
        read.headers.push(("correlation-id".to_owned(), vec![0xff, 1]));
        assert_eq!(decode_request(&read, WireFormat::Auto).unwrap().correlation_id, [0xff, 1]);
    }

    #[test]
    fn too_many_products_and_broken_bytes_are_refused() {
        let message = messages::RecommendationRequest { products: vec![1; MAX_LIST + 1], user: 1 };
        assert_eq!(decode(&message.encode_to_vec()).unwrap_err().code(), "too_many_products");
        assert_eq!(decode(&[0x0a, 200]).unwrap_err().code(), "bad_protobuf");
    }
}
