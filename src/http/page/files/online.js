// What followed the lists: by version and variant, how many were given, and which events came back with their ids.

import { h, memory, put, table } from "./dom.js";
import { count, figure } from "./format.js";
import { live, watch } from "./live.js";
import { empty } from "./states.js";

const MOST_TYPES = 3;

export function onlinePanel(signal) {
  const box = h("section", { class: "panel", "aria-label": "What followed the lists" });
  const changed = memory();
  watch(signal, () => {
    const { online, experiment } = live.state ?? {};
    if (online && changed([online, experiment])) put(box, h("h2", null, "What followed the lists"), test(experiment), rows(online));
  });
  return box;
}

function test(experiment) {
  if (!experiment) return null;
  const words = experiment.variants.map((variant) => {
    const by = variant.version ? `version ${variant.version}` : "no model";
    const meant = variant.answers === "none" || variant.answers === String(variant.version) ? "" : ` (${variant.answers})`;
    return `${variant.name} ${variant.percent} % by ${by}${meant}`;
  });
  return h("p", { class: "soft" }, `Test ${experiment.name || "of the held out"}: `, words.join(", "), ".");
}

function rows(online) {
  const types = new Map();
  for (const row of online) {
    for (const [type, followed] of Object.entries(row.events)) types.set(type, (types.get(type) ?? 0) + followed.count);
  }
  const shown = [...types].sort((a, b) => b[1] - a[1]).slice(0, MOST_TYPES).map(([type]) => type);
  if (!online.length) {
    return empty("No list was given yet", h("p", null, "Events that carry a list's recommendation_id are counted here."));
  }
  const lines = online.map((row) => h("tr", null,
    h("th", { scope: "row" }, row.version ? h("a", { href: `#/versions/${row.version}` }, `Version ${row.version}`) : "No model",
      row.variant && h("span", { class: "tag" }, row.variant)),
    h("td", { class: "num" }, count(row.lists)),
    shown.map((type) => cell(row.events[type])),
    h("td", { class: "wide reason" }, sources(row))));
  return [
    !shown.length && h("p", { class: "soft" }, "No event came back with the id of a list yet: send recommendation_id with events."),
    table("Lists and events by version and variant", ["Version", { text: "Lists", class: "num" },
      ...shown.map((type) => ({ text: `${type} a list`, class: "num" })), { text: "Items came from", class: "wide" }], lines, { class: "rows" }),
  ];
}

function cell(followed) {
  if (!followed) return h("td", { class: "num" }, "–");
  const from = Object.entries(followed.sources).map(([source, n]) => `${source} ${count(n)}`).join(", ");
  return h("td", { class: "num", title: from }, `${figure(followed.per_list)} (${count(followed.count)})`);
}

function sources(row) {
  const all = Object.entries(row.items).sort((a, b) => b[1] - a[1]);
  const total = all.reduce((sum, [, n]) => sum + n, 0);
  return all.map(([source, n]) => `${source} ${Math.round((100 * n) / total)} %`).join(", ");
}
