//! The figures as people and programs read them.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::metrics::{COVERAGE, NAMES};
use super::split::Dropped;
use crate::model::manifest::CandidateFigures;

/// The figures of the table, in its columns; the JSON has all.
const COLUMNS: [&str; 5] = ["hr@10", "ndcg@10", "recall@20", "ndcg@20", "ndcg@100"];

/// Candidates compared on one split.
#[derive(Debug, Clone, PartialEq)]
pub struct EvaluationReport {
    /// The protocol that judged.
    pub protocol: String,
    /// Test users.
    pub users: u64,
    /// What was to be held out and was not.
    pub dropped: Dropped,
    /// A row per kind.
    pub rows: Vec<CandidateFigures>,
}

impl EvaluationReport {
    /// The JSON of `ouzel evaluate --json`: figures are means, their 95 % half-widths stand under `ci95`; null and an
    /// `error` where a kind could not be fitted.
    #[must_use]
    pub fn json(&self) -> Value {
        let rows: Vec<Value> = self.rows.iter().map(row_json).collect();
        let Dropped { pairs, users, items } = self.dropped;
        json!({
            "protocol": self.protocol, "users": self.users, "dropped": pairs, "dropped_users": users,
            "dropped_items": items, "rows": rows,
        })
    }

    /// A table for the terminal, the chosen row marked with a star.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = format!("protocol {}, {} test users", self.protocol, self.users);
        let Dropped { pairs, users, items } = self.dropped;
        let percent = |share: f64| format!("{:.1} %", 100.0 * share);
        // Writing to a string cannot fail.
        if pairs > 0.0 {
            write!(text, ", {} of the held-out pairs dropped", percent(pairs)).ok();
        }
        if users > 0.0 || items > 0.0 {
            write!(text, " ({} of their users and {} of their items are new)", percent(users), percent(items)).ok();
        }
        text.push('\n');
        text.push_str(&table(&self.rows));
        text
    }
}

fn row_json(row: &CandidateFigures) -> Value {
    let mut out = Map::new();
    let mut widths = Map::new();
    out.insert("model".into(), json!(row.model));
    out.insert("chosen".into(), json!(row.chosen));
    for name in NAMES.into_iter().chain([COVERAGE]) {
        let figure = row.metrics.get(name);
        out.insert(name.into(), json!(figure.map(|figure| figure.mean)));
        if let Some(figure) = figure {
            widths.insert(name.into(), json!(figure.ci95));
        }
    }
    out.insert("ci95".into(), Value::Object(widths));
    out.insert("users".into(), json!(row.users));
    out.insert("fit_seconds".into(), json!(row.fit_seconds));
    out.insert("settings".into(), row.settings.clone());
    if let Some(error) = &row.error {
        out.insert("error".into(), json!(error));
    }
    Value::Object(out)
}

/// Rows as an aligned table; those of a run have a column for the part they were judged on.
#[must_use]
pub fn table(rows: &[CandidateFigures]) -> String {
    let parts = !rows.iter().all(CandidateFigures::on_holdout);
    let mut head = vec![String::new(), "model".to_owned()];
    if parts {
        head.push("part".to_owned());
    }
    let left = head.len();
    head.extend(COLUMNS.map(str::to_owned));
    head.extend(["users", "fit s"].map(str::to_owned));
    let right = head.len();
    head.push("settings".to_owned());
    let mut lines = vec![head];
    lines.extend(rows.iter().map(|row| cells(row, parts)));

    let mut widths = vec![0; right + 1];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    for line in &lines {
        let cells: Vec<String> = line
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(at, (cell, &width))| match at {
                at if at < left || at == right => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            })
            .collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

fn cells(row: &CandidateFigures, parts: bool) -> Vec<String> {
    let mut cells = vec![if row.chosen { "*" } else { "" }.to_owned(), row.model.clone()];
    if parts {
        cells.push(row.part.clone());
    }
    let figure = |name: &str| row.metrics.get(name).map_or("-".to_owned(), |f| format!("{:.4} ±{:.4}", f.mean, f.ci95));
    cells.extend(COLUMNS.map(figure));
    cells.push(row.users.to_string());
    cells.push(format!("{:.2}", row.fit_seconds));
    cells.push(match &row.error {
        Some(error) => format!("{} ({error})", row.settings),
        None => row.settings.to_string(),
    });
    cells
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::manifest::Figure;

    fn report() -> EvaluationReport {
        let figure = |mean| Figure { mean, ci95: 0.01 };
        let metrics = NAMES.into_iter().map(|name| (name.to_owned(), figure(0.25)));
        let coverage = (COVERAGE.to_owned(), Figure { mean: 0.5, ci95: 0.02 });
        let ease = CandidateFigures {
            model: "ease".into(),
            chosen: true,
            part: "holdout".into(),
            metrics: metrics.chain([coverage]).collect(),
            users: 4074,
            fit_seconds: 1.5,
            settings: json!({ "lambda": 200.0 }),
            error: None,
        };
        let popular = CandidateFigures {
            model: "popular".into(),
            part: "holdout".into(),
            settings: json!({}),
            error: Some("no row".into()),
            ..CandidateFigures::default()
        };
        let dropped = Dropped { pairs: 0.227, users: 0.1, items: 0.05 };
        EvaluationReport { protocol: "temporal".into(), users: 4074, dropped, rows: vec![ease, popular] }
    }

    #[test]
    fn the_json_has_the_contracts_names() {
        insta::assert_snapshot!(serde_json::to_string_pretty(&report().json()).unwrap(), @r#"
        {
          "dropped": 0.227,
          "dropped_items": 0.05,
          "dropped_users": 0.1,
          "protocol": "temporal",
          "rows": [
            {
              "chosen": true,
              "ci95": {
                "coverage@10": 0.02,
                "hr@10": 0.01,
                "mrr": 0.01,
                "ndcg@10": 0.01,
                "ndcg@100": 0.01,
                "ndcg@20": 0.01,
                "novelty@10": 0.01,
                "recall@20": 0.01
              },
              "coverage@10": 0.5,
              "fit_seconds": 1.5,
              "hr@10": 0.25,
              "model": "ease",
              "mrr": 0.25,
              "ndcg@10": 0.25,
              "ndcg@100": 0.25,
              "ndcg@20": 0.25,
              "novelty@10": 0.25,
              "recall@20": 0.25,
              "settings": {
                "lambda": 200.0
              },
              "users": 4074
            },
            {
              "chosen": false,
              "ci95": {},
              "coverage@10": null,
              "error": "no row",
              "fit_seconds": 0.0,
              "hr@10": null,
              "model": "popular",
              "mrr": null,
              "ndcg@10": null,
              "ndcg@100": null,
              "ndcg@20": null,
              "novelty@10": null,
              "recall@20": null,
              "settings": {},
              "users": 0
            }
          ],
          "users": 4074
        }
        "#);
    }

    #[test]
    fn the_table_is_aligned() {
        insta::assert_snapshot!(report().table(), @r#"
        protocol temporal, 4074 test users, 22.7 % of the held-out pairs dropped (10.0 % of their users and 5.0 % of their items are new)
           model             hr@10         ndcg@10       recall@20         ndcg@20        ndcg@100  users  fit s  settings
        *  ease     0.2500 ±0.0100  0.2500 ±0.0100  0.2500 ±0.0100  0.2500 ±0.0100  0.2500 ±0.0100   4074   1.50  {"lambda":200.0}
           popular               -               -               -               -               -      0   0.00  {} (no row)
        "#);
        let mut rows = report().rows;
        rows[1].part = "validation".into();
        insta::assert_snapshot!(table(&rows), @r#"
           model    part                 hr@10         ndcg@10       recall@20         ndcg@20        ndcg@100  users  fit s  settings
        *  ease     holdout     0.2500 ±0.0100  0.2500 ±0.0100  0.2500 ±0.0100  0.2500 ±0.0100  0.2500 ±0.0100   4074   1.50  {"lambda":200.0}
           popular  validation               -               -               -               -               -      0   0.00  {} (no row)
        "#);
    }
}
