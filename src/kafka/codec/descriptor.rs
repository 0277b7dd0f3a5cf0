//! Records of the announcement topic.

use std::sync::Arc;

use prost::Message;

use super::messages::ModelDescriptor;
use super::{DecodeError, PROTOBUF, value};
use crate::kafka::models::Announced;
use crate::kafka::producer::OutRecord;
use crate::kafka::record::Record;

/// The name in every descriptor and URL.
pub const NAME: &str = "recommender";

/// What stands between the base URL and the version's number.
const PATH: &str = "/v1/models/recommender/versions/";

/// What stands behind the number.
const VERB: &str = ":predict";

/// The URL of a version at a service's base URL.
#[must_use]
pub fn url(base: &str, version: u64) -> String {
    format!("{}{PATH}{version}{VERB}", base.trim_end_matches('/'))
}

/// The version that a URL of [`url`]'s form names, whatever its base.
#[must_use]
pub fn version(url: &str) -> Option<u64> {
    let (_, rest) = url.rsplit_once(PATH)?;
    let digits = rest.strip_suffix(VERB)?;
    let plain = digits.bytes().all(|digit| digit.is_ascii_digit());
    digits.parse().ok().filter(|&number| plain && number > 0)
}

/// The announcement that a version is live, for the topic of announcements.
#[must_use]
pub fn announcement(topic: &str, base: &str, version: u64, description: &str) -> OutRecord {
    let (name, description) = (NAME.to_owned(), description.to_owned());
    OutRecord {
        topic: Arc::from(topic),
        key: Some(NAME.as_bytes().to_vec()),
        payload: Some(ModelDescriptor { name, description, url: url(base, version) }.encode_to_vec()),
        headers: vec![("content-type".to_owned(), PROTOBUF.as_bytes().to_vec())],
    }
}

/// Reads an announcement.
///
/// # Errors
/// [`DecodeError`] when it is none.
pub fn decode(record: &Record) -> Result<Announced, DecodeError> {
    let message = ModelDescriptor::decode(value(record)?).map_err(|error| DecodeError::Protobuf(error.to_string()))?;
    Ok(Announced { version: version(&message.url), url: message.url })
}

#[cfg(test)]
mod tests {
    use super::super::record;
    use super::*;

    #[test]
    fn an_announcement_round_trips() {
        let sent = announcement("models", "http://shop:5500/", 12, "ease, ndcg@10 0.18");
        let heard = decode(&record(sent.payload.unwrap())).unwrap();
        let url = "http://shop:5500/v1/models/recommender/versions/12:predict";
        assert_eq!(heard, Announced { version: Some(12), url: url.to_owned() });
    }

    #[test]
    fn urls_of_others_name_no_version() {
        for other in [
            "",
            "http://tf:8501/v1/models/recommender:predict",
            "http://tf:8501/v1/models/other/versions/3:predict",
            "http://tf:8501/v1/models/recommender/versions/3",
            "http://tf:8501/v1/models/recommender/versions/+3:predict",
            "http://tf:8501/v1/models/recommender/versions/0:predict",
            "http://tf:8501/v1/models/recommender/versions/:predict",
        ] {
            assert_eq!(version(other), None, "{other}");
        }
        assert_eq!(decode(&record([0x0a, 9])).unwrap_err().code(), "bad_protobuf");
    }
}
