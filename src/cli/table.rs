//! Tables of text: columns as wide as their widest cell, numbers to the right.

use std::fmt;

/// A table.
pub(super) struct Table {
    heads: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with a head for each column.
    pub(super) fn new(heads: &[&str]) -> Self {
        Self { heads: heads.iter().map(|head| (*head).to_owned()).collect(), rows: Vec::new() }
    }

    /// Adds a row; it is cut or filled up to the number of columns.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let mut cells: Vec<String> = cells.into_iter().map(|cell| clean(&cell)).collect();
        cells.resize(self.heads.len(), String::new());
        self.rows.push(cells);
    }
}

/// Keeps a text from a service on its line: control characters could rewrite the terminal.
pub(super) fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let column = |at: usize| self.rows.iter().filter_map(move |row| row.get(at));
        let width = |at: usize, head: &str| {
            column(at).map(|cell| cell.chars().count()).max().unwrap_or(0).max(head.chars().count())
        };
        let number = |cell: &String| cell == "-" || cell.parse::<f64>().is_ok();
        let columns: Vec<(usize, bool)> = (0..)
            .zip(&self.heads)
            .map(|(at, head)| (width(at, head), !self.rows.is_empty() && column(at).all(number)))
            .collect();
        for row in std::iter::once(&self.heads).chain(&self.rows) {
            let mut line = String::new();
            for (cell, &(width, right)) in row.iter().zip(&columns) {
                let blank = " ".repeat(width.saturating_sub(cell.chars().count()));
                let (before, after) = if right { (blank.as_str(), "") } else { ("", blank.as_str()) };
                line.extend([before, cell, after, "  "]);
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other() {
        let mut table = Table::new(&["MODEL", "NDCG@10", "NOTE"]);
        table.row(["ease".to_owned(), "0.184".to_owned(), "chosen".to_owned()]);
        table.row(["recent-popular".to_owned(), "-".to_owned(), "too\u{1b}[2Jfew\nrows".to_owned()]);
        insta::assert_snapshot!(table.to_string(), @r"
        MODEL           NDCG@10  NOTE
        ease              0.184  chosen
        recent-popular        -  too [2Jfew rows
        ");
    }
}
