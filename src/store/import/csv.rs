//! Events as CSV: a header with `user` and `item`, and `timestamp`, `weight` (or `value`), `type`, `id`,
//! `recommendation_id` where there are any, in any order; other columns are passed over.

use std::sync::Arc;

use super::cells;
use super::error::{BadLine, ImportError, LineError};
use super::lines::Lines;
use super::source::{NextLine, Times};
use crate::model::event::Event;

/// A file of events in CSV.
pub struct CsvEvents {
    lines: Lines,
    columns: usize,
    user: usize,
    item: usize,
    timestamp: Option<usize>,
    weight: Option<usize>,
    kind: Option<usize>,
    id: Option<usize>,
    recommendation: Option<usize>,
    last_kind: Arc<str>,
    times: Times,
}

impl CsvEvents {
    /// Reads the header.
    pub fn open(mut lines: Lines, name: &str, times: Times) -> Result<Self, ImportError> {
        let wanted = "the first line must be a header with user and item, such as user,item,timestamp,weight";
        let names = match lines.next_line() {
            None => return Err(ImportError::form(name, format!("it is empty; {wanted}"))),
            Some(Err(LineError::Failed(e))) => return Err(e),
            Some(Err(LineError::Bad(bad))) => return Err(ImportError::form(name, format!("{bad}; {wanted}"))),
            Some(Ok(line)) => cells::header(line).map_err(|e| ImportError::form(name, format!("{e}; {wanted}")))?,
        };
        let place = |wanted: &str| names.iter().position(|name| name == wanted);
        let (Some(user), Some(item)) = (place("user"), place("item")) else {
            return Err(ImportError::form(name, format!("the header is {:?}; {wanted}", names.join(","))));
        };
        Ok(Self {
            lines,
            columns: names.len(),
            user,
            item,
            timestamp: place("timestamp"),
            weight: place("weight").or_else(|| place("value")),
            kind: place("type"),
            id: place("id"),
            recommendation: place("recommendation_id"),
            last_kind: Arc::from(""),
            times,
        })
    }
}

impl NextLine for CsvEvents {
    fn next_line(&mut self, events: &mut Vec<Event>) -> Option<Result<u64, LineError>> {
        let line = match self.lines.next_line()? {
            Ok(line) => line,
            Err(error) => return Some(Err(error)),
        };
        let read = || {
            let fields = cells::split(line)?;
            if fields.len() != self.columns {
                return Err(format!("it has {} fields, the header has {}", fields.len(), self.columns));
            }
            let field = |place: Option<usize>| place.and_then(|place| fields.get(place)).map_or("", |field| field);
            let label = |place| Some(field(place)).filter(|text| !text.is_empty()).map(Arc::from);
            let event = Event {
                user: cells::user(field(Some(self.user)))?,
                item: cells::item(field(Some(self.item)))?,
                kind: cells::kind(field(self.kind), &mut self.last_kind),
                value: cells::value_of_text(field(self.weight))?,
                timestamp_ms: cells::time_of_text(field(self.timestamp), self.times)?,
                id: label(self.id),
                recommendation_id: label(self.recommendation),
            };
            cells::checked(event, self.times)
        };
        let read: Result<Event, String> = { read }();
        let line = self.lines.number();
        Some(
            read.map(|event| events.push(event))
                .map(|()| line)
                .map_err(|reason| LineError::Bad(BadLine { line, reason })),
        )
    }
}
