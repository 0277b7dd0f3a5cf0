//! Some rows of a table, by user: what a split learns from, without a copy of the rows.

#![expect(clippy::indexing_slicing, reason = "row numbers and users are those of the table")]

use std::sync::Arc;

use super::interactions::{Interactions, NO_TIME, grouped};

/// Numbers of rows by user, each user's in the order of the table; 4 bytes a row. A copy shares all of it.
#[derive(Debug, Clone)]
pub struct Selection {
    table: Arc<Interactions>,
    /// `starts[u]..starts[u + 1]` are the numbers of user `u`'s rows; one longer than the table's users.
    starts: Arc<Vec<usize>>,
    rows: Arc<Vec<u32>>,
}

impl Selection {
    /// All rows.
    #[must_use]
    pub fn whole(table: Arc<Interactions>) -> Self {
        let (starts, rows) = grouped(&table.users, table.user_ids.len());
        Self { table, starts: Arc::new(starts), rows: Arc::new(rows) }
    }

    /// Those of the rows for which `keep` holds.
    #[must_use]
    pub fn filtered(&self, mut keep: impl FnMut(usize) -> bool) -> Self {
        let mut starts = Vec::with_capacity(self.starts.len());
        starts.push(0);
        let mut rows = Vec::with_capacity(self.rows.len());
        for user in 0..self.users() {
            rows.extend(self.of(user).iter().copied().filter(|&row| keep(row as usize)));
            starts.push(rows.len());
        }
        Self { table: self.table.clone(), starts: Arc::new(starts), rows: Arc::new(rows) }
    }

    /// The table that the numbers are of.
    #[must_use]
    pub const fn table(&self) -> &Arc<Interactions> {
        &self.table
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Number of users of the table, whether they have rows here or not.
    #[must_use]
    pub fn users(&self) -> usize {
        self.starts.len() - 1
    }

    /// The numbers of user `user`'s rows.
    #[must_use]
    pub fn of(&self, user: usize) -> &[u32] {
        &self.rows[self.starts[user]..self.starts[user + 1]]
    }

    /// The numbers of all rows, by user.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = usize> + '_ {
        self.rows.iter().map(|&row| row as usize)
    }

    /// The times of all rows, by user.
    pub fn times(&self) -> impl Iterator<Item = i64> + '_ {
        self.rows().map(|row| self.table.times[row])
    }

    /// The earliest and the latest time, of the rows that have one.
    #[must_use]
    pub fn time_range(&self) -> Option<(i64, i64)> {
        let timed = || self.times().filter(|&time| time != NO_TIME);
        Some((timed().min()?, timed().max()?))
    }

    /// By item of the table: whether it has a row here.
    #[must_use]
    pub fn items_seen(&self) -> Vec<bool> {
        let mut seen = vec![false; self.table.item_ids.len()];
        for row in self.rows() {
            seen[self.table.items[row] as usize] = true;
        }
        seen
    }
}

impl From<Arc<Interactions>> for Selection {
    fn from(table: Arc<Interactions>) -> Self {
        Self::whole(table)
    }
}

impl From<Interactions> for Selection {
    fn from(table: Interactions) -> Self {
        Self::whole(Arc::new(table))
    }
}

impl From<&Self> for Selection {
    fn from(selection: &Self) -> Self {
        selection.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_by_user_in_the_order_of_the_table() {
        let mut table = Interactions {
            user_ids: Arc::new((0..3_u64).map(Into::into).collect()),
            item_ids: Arc::new((0..2_u64).map(Into::into).collect()),
            ..Interactions::default()
        };
        for (user, item, time) in [(2, 0, 7), (0, 1, NO_TIME), (2, 1, 3), (0, 0, 5)] {
            table.push(user, item, 1.0, time);
        }
        let all = Selection::from(table);
        assert_eq!((all.of(0), all.of(1), all.of(2)), (&[1, 3][..], &[][..], &[0, 2][..]));
        assert_eq!(all.time_range(), Some((3, 7)));
        let some = all.filtered(|row| row % 2 == 1);
        assert_eq!((some.len(), some.users(), some.of(2), some.items_seen()), (2, 3, &[][..], vec![true, true]));
        assert_eq!(some.filtered(|row| row == 3).times().collect::<Vec<_>>(), [5]);
    }
}
