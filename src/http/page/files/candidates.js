// Candidates side by side: a metric at a time as marks with their confidence, and all metrics as a table.

import { facts, h, put, svg, table } from "./dom.js";
import { figure, metricName, modelName, plural, settingValue, span } from "./format.js";

const FIRST = "ndcg@10";
let metric = FIRST;

function names(candidates) {
  const all = new Set(candidates.flatMap((candidate) => Object.keys(candidate.metrics)));
  return [...all].sort((a, b) => (b === FIRST) - (a === FIRST) || a.localeCompare(b));
}

/** Each model once, with its figures on both parts; the best on the holdout first. */
function rows(candidates) {
  const models = new Map();
  for (const candidate of candidates) {
    const row = models.get(candidate.model) ?? { model: candidate.model };
    row[candidate.part] = candidate;
    row.chosen ||= candidate.chosen;
    models.set(candidate.model, row);
  }
  const worth = (row) => row.holdout?.metrics[metric]?.mean ?? row.validation?.metrics[metric]?.mean ?? -1;
  return [...models.values()].sort((a, b) => worth(b) - worth(a));
}

export function sideBySide(candidates, over) {
  if (!candidates.length) {
    return [h("h2", null, "Candidates"), h("p", { class: "soft" },
      over ? "This run ended before any candidate had figures." : "Their figures come at the end of the run; the log shows them as they are fitted.")];
  }
  const known = names(candidates);
  if (!known.includes(metric)) metric = known[0] ?? FIRST;
  const box = h("div");
  const choice = h("select", {
    "aria-label": "Metric", "data-key": "metric",
    onchange: () => {
      metric = choice.value;
      put(box, picture(candidates));
    },
  }, known.map((name) => h("option", { value: name, selected: name === metric }, metricName(name))));
  put(box, picture(candidates));
  return [
    h("div", { class: "row between" }, h("h2", null, "Candidates"), choice),
    h("p", { class: "key" }, h("span", { class: "key-mark solid" }), "holdout ", h("span", { class: "key-mark" }), "validation",
      h("span", { class: "soft" }, "with 95 % confidence; models are chosen on validation")),
    box, every(candidates, known),
  ];
}

function picture(candidates) {
  const all = rows(candidates);
  const ends = candidates.map((candidate) => candidate.metrics[metric]).filter(Boolean).map((at) => at.mean + at.ci95);
  const most = Math.max(...ends, 1e-9) * 1.05;
  return table(`Candidates by ${metricName(metric)}`,
    ["Model", { heard: "Picture and notes", class: "marks" }, { text: "Holdout", class: "num" }, { text: "Validation", class: "num wide" }, { text: "Fit", class: "num wide" }],
    all.map((row) => h("tr", { class: row.chosen ? "won" : undefined },
      h("th", { scope: "row" }, modelName(row.model), row.chosen && h("span", { class: "tag good" }, "chosen")),
      h("td", { class: "marks" }, marks(row, most), note(row)),
      h("td", { class: "num" }, worth(row.holdout)),
      h("td", { class: "num wide" }, worth(row.validation)),
      h("td", { class: "num wide" }, span(((row.holdout ?? row.validation).fit_seconds) * 1000)))));
}

/** Why a model has no figure at all. */
function note(row) {
  const error = row.holdout?.error ?? row.validation?.error;
  return error && h("p", { class: "note" }, row.holdout?.metrics[metric] ? `validation: ${error}` : error);
}

function worth(candidate) {
  const at = candidate?.metrics[metric];
  return at ? [figure(at.mean), h("span", { class: "soft ci" }, ` ± ${figure(at.ci95)}`)] : "–";
}

const point = (x, y, name) => svg("line", { class: name, x1: x, x2: x, y1: y, y2: y });

function marks(row, most) {
  const place = (value) => 4 + (Math.max(0, value) / most) * 292;
  const one = (candidate, y, solid) => {
    const at = candidate?.metrics[metric];
    if (!at) return null;
    return [
      svg("line", { class: "reach", x1: place(at.mean - at.ci95), x2: place(at.mean + at.ci95), y1: y, y2: y }),
      point(place(at.mean), y, solid ? "mark-outer solid" : "mark-outer"), !solid && point(place(at.mean), y, "mark-inner"),
    ];
  };
  return svg("svg", { viewBox: "0 0 300 24", class: "forest", "aria-hidden": "true", preserveAspectRatio: "none" },
    svg("line", { class: "rail", x1: 4, x2: 296, y1: 12, y2: 12 }), one(row.holdout, 8, true), one(row.validation, 17, false));
}

function every(candidates, known) {
  const judged = candidates.filter((candidate) => Object.keys(candidate.metrics).length);
  return h("details", null, h("summary", null, "All metrics"),
    table("All metrics of all candidates", ["Model", "Part", ...known.map((name) => ({ text: metricName(name), class: "num" })), { text: "Users", class: "num" }],
      judged.map((candidate) => h("tr", null,
        h("th", { scope: "row" }, modelName(candidate.model)), h("td", null, candidate.part),
        known.map((name) => h("td", { class: "num" }, figure(candidate.metrics[name]?.mean))),
        h("td", { class: "num" }, candidate.users)))));
}

/** What a model was fitted with, and what it was worth on each part. */
export function candidateFacts(parts) {
  if (!parts.length) return h("p", { class: "soft" }, "It has no figures.");
  return parts.map((candidate) => [
    h("h3", null, candidate.part),
    candidate.error && h("p", { class: "note bad-text" }, candidate.error),
    facts(...Object.entries(candidate.settings ?? {}).map(([name, value]) => [name, settingValue(value)]),
      ["Fit", span(candidate.fit_seconds * 1000)],
      candidate.users > 0 && ["Judged over", plural(candidate.users, "user")],
      ...Object.entries(candidate.metrics).map(([name, at]) => [metricName(name), `${figure(at.mean)} ± ${figure(at.ci95)}`])),
  ]);
}
