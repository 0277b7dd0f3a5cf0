//! The ranked lists behind the figures, written out so that another program can take the figures from them.

use std::io::{self, Write};

use parking_lot::Mutex;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::model::dataset::Dataset;
use crate::model::ids::{ItemId, UserId};

/// Writes lists as lines of JSON: first `Catalogue`, then a `Line` for each model and test user.
pub struct ListWriter(Mutex<Out>);

struct Out {
    to: Box<dyn Write + Send>,
    failed: Option<io::Error>,
}

/// What coverage and novelty are relative to.
#[derive(Serialize)]
struct Catalogue<'a> {
    /// The protocol that divided the rows.
    protocol: &'a str,
    /// Users in train.
    train_users: usize,
    /// The catalogue: how many of train's users have each item.
    items: Map<String, Value>,
}

/// One user's list.
#[derive(Serialize)]
struct Line<'a> {
    model: &'a str,
    user: &'a UserId,
    /// The held-out items, those that train never saw among them.
    test: &'a [ItemId],
    /// The list, best first.
    items: Vec<&'a ItemId>,
}

impl std::fmt::Debug for ListWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ListWriter").finish_non_exhaustive()
    }
}

impl ListWriter {
    /// Writes to `to`, a small piece at a time.
    #[must_use]
    pub fn new(to: Box<dyn Write + Send>) -> Self {
        Self(Mutex::new(Out { to, failed: None }))
    }

    /// Writes the catalogue; `holders` are users by item of `data`.
    pub(super) fn catalogue(&self, protocol: &str, data: &Dataset, holders: &[u32]) {
        let items = data.item_ids.iter().zip(holders).map(|(id, &count)| (id.to_string(), count.into())).collect();
        self.line(&Catalogue { protocol, train_users: data.users(), items });
    }

    /// Writes one user's list, of items of `data`.
    pub(super) fn list(&self, model: &str, (user, test): &(UserId, Vec<ItemId>), list: &[u32], data: &Dataset) {
        let items = list.iter().filter_map(|&item| data.item_ids.get(item as usize)).collect();
        self.line(&Line { model, user, test, items });
    }

    /// Writes what is still held back.
    ///
    /// # Errors
    /// The first failure of any line: nothing is written after one.
    pub fn finish(&self) -> io::Result<()> {
        let mut out = self.0.lock();
        out.failed.take().map_or_else(|| out.to.flush(), Err)
    }

    fn line(&self, line: &impl Serialize) {
        let mut out = self.0.lock();
        if out.failed.is_none() {
            let written = serde_json::to_writer(&mut out.to, line).map_err(io::Error::from);
            out.failed = written.and_then(|()| out.to.write_all(b"\n")).err();
        }
    }
}
