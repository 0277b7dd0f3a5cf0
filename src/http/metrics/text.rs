//! The text format of Prometheus, written.

use std::fmt::Write as _;

use crate::actors::histogram::Distribution;

/// Labels with their values.
pub(super) type Labels<'a> = &'a [(&'a str, &'a str)];

/// A text of figures in the making.
#[derive(Default)]
pub(super) struct Text(String);

impl Text {
    /// What is written.
    pub(super) fn into_string(self) -> String {
        self.0
    }

    /// Begins a figure; its values follow.
    pub(super) fn head(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string cannot fail, here and below.
        write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n").unwrap_or_default();
    }

    /// A figure with one value.
    pub(super) fn one(&mut self, name: &str, kind: &str, help: &str, value: f64) {
        self.head(name, kind, help);
        self.value(name, &[], value);
    }

    /// One value of the figure that was begun.
    pub(super) fn value(&mut self, name: &str, labels: Labels<'_>, value: f64) {
        self.line(name, "", &joined(labels), value);
    }

    /// One distribution of the histogram that was begun.
    pub(super) fn distribution(&mut self, name: &str, labels: Labels<'_>, of: &Distribution) {
        let labels = joined(labels);
        let comma = if labels.is_empty() { "" } else { "," };
        for (bound, below) in &of.below {
            self.line(name, "_bucket", &format!("{labels}{comma}le=\"{bound}\""), *below as f64);
        }
        self.line(name, "_bucket", &format!("{labels}{comma}le=\"+Inf\""), of.count as f64);
        self.line(name, "_sum", &labels, of.sum);
        self.line(name, "_count", &labels, of.count as f64);
    }

    fn line(&mut self, name: &str, part: &str, labels: &str, value: f64) {
        let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        writeln!(self.0, "{name}{part}{labels} {value}").unwrap_or_default();
    }
}

fn joined(labels: Labels<'_>) -> String {
    let labels: Vec<String> = labels.iter().map(|(label, of)| format!("{label}=\"{}\"", escaped(of))).collect();
    labels.join(",")
}

/// A label's value, as the format wants it.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::actors::histogram::Histogram;

    #[test]
    fn figures_are_written_as_the_format_wants_them() {
        let histogram = Histogram::new(&[1e-6, 0.5]);
        histogram.record(Duration::from_millis(250));
        let mut text = Text::default();
        text.one("a_total", "counter", "A.", 3.0);
        text.head("b_seconds", "histogram", "B.");
        text.distribution("b_seconds", &[("step", "a\\\"b\n")], &histogram.distribution());
        insta::assert_snapshot!(text.into_string(), @r#"
        # HELP a_total A.
        # TYPE a_total counter
        a_total 3
        # HELP b_seconds B.
        # TYPE b_seconds histogram
        b_seconds_bucket{step="a\\\"b\n",le="0.000001"} 0
        b_seconds_bucket{step="a\\\"b\n",le="0.5"} 1
        b_seconds_bucket{step="a\\\"b\n",le="+Inf"} 1
        b_seconds_sum{step="a\\\"b\n"} 0.25
        b_seconds_count{step="a\\\"b\n"} 1
        "#);
    }
}
