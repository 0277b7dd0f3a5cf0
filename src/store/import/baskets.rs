//! The original's baskets: `customerId,products`, the products of a basket joined by `|`, a product bought twice there
//! twice. There is no time; each product is an event of value 1.

use std::sync::Arc;

use super::cells;
use super::error::{BadLine, ImportError, LineError};
use super::lines::Lines;
use super::source::NextLine;
use crate::model::event::{Event, PURCHASE};

/// A file of baskets.
pub struct Baskets {
    lines: Lines,
    customer: usize,
    products: usize,
    columns: usize,
    kind: Arc<str>,
}

impl Baskets {
    /// Reads the header.
    pub fn open(mut lines: Lines, name: &str) -> Result<Self, ImportError> {
        let wanted = "the first line must be the header customerId,products";
        let names = match lines.next_line() {
            None => return Err(ImportError::form(name, format!("it is empty; {wanted}"))),
            Some(Err(LineError::Failed(e))) => return Err(e),
            Some(Err(LineError::Bad(bad))) => return Err(ImportError::form(name, format!("{bad}; {wanted}"))),
            Some(Ok(line)) => cells::header(line).map_err(|e| ImportError::form(name, format!("{e}; {wanted}")))?,
        };
        let place = |wanted: &str| names.iter().position(|name| name == wanted);
        let (Some(customer), Some(products)) = (place("customerid"), place("products")) else {
            return Err(ImportError::form(name, format!("the header is {:?}; {wanted}", names.join(","))));
        };
        Ok(Self { lines, customer, products, columns: names.len(), kind: Arc::from(PURCHASE) })
    }
}

impl NextLine for Baskets {
    fn next_line(&mut self, events: &mut Vec<Event>) -> Option<Result<u64, LineError>> {
        let line = match self.lines.next_line()? {
            Ok(line) => line,
            Err(error) => return Some(Err(error)),
        };
        let before = events.len();
        let read = (|| {
            let fields = cells::split(line)?;
            if fields.len() != self.columns {
                return Err(format!("it has {} fields, the header has {}", fields.len(), self.columns));
            }
            let field = |place: usize| fields.get(place).map_or("", |field| field).trim();
            let user = cells::user(field(self.customer))?;
            for product in field(self.products).split('|') {
                events.push(Event {
                    user: user.clone(),
                    item: cells::item(product.trim())?,
                    kind: self.kind.clone(),
                    value: 1.0,
                    timestamp_ms: None,
                    id: None,
                    recommendation_id: None,
                });
            }
            Ok(())
        })();
        let line = self.lines.number();
        Some(read.map(|()| line).map_err(|reason| {
            events.truncate(before);
            LineError::Bad(BadLine { line, reason })
        }))
    }
}
