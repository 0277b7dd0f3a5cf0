// A recommended list: place, item, source, score and reason, with what each score is made of.

import { h } from "./dom.js";
import { amount, time } from "./format.js";

const SOURCES = {
  personal: "from the user's own history", session: "from the items given", similar: "alike to what is known",
  trending: "taken often lately", popular: "taken often", newest: "new in the catalogue",
};

/** How places have changed against a list before: by item, a number of places, or "new". */
export function moves(before, after) {
  if (!before) return new Map();
  const places = new Map(before.map((item, index) => [item.id, index]));
  return new Map(after.map((item, index) => [item.id, places.has(item.id) ? places.get(item.id) - index : "new"]));
}

function moved(change) {
  if (change === undefined || change === 0) return null;
  if (change === "new") return h("span", { class: "move new" }, "new");
  const text = `${change > 0 ? "▲" : "▼"} ${Math.abs(change)}`;
  return h("span", { class: change > 0 ? "move up" : "move down", "aria-label": `${Math.abs(change)} places ${change > 0 ? "up" : "down"}` }, text);
}

/** The list; `changes` from [`moves`], `beside` the items of the list it stands beside, `buttons(item)` what can be done. */
export function list(items, { changes = new Map(), beside, buttons, label }) {
  const most = Math.max(...items.map((item) => Math.abs(item.score)), 1e-12);
  return h("ol", { class: "list", "aria-label": label }, items.map((item, index) => {
    const alone = beside && !beside.has(item.id);
    return h("li", { class: alone ? "alone" : undefined },
      h("span", { class: "place" }, index + 1),
      h("div", { class: "list-main" },
        h("div", { class: "list-head" },
          h("a", { class: "list-name", href: `#/try/items/${encodeURIComponent(item.id)}` }, item.id),
          h("span", { class: `source ${item.source}`, title: SOURCES[item.source] }, item.source),
          moved(changes.get(item.id)), alone && h("span", { class: "move" }, "only here")),
        item.parts?.length > 0 ? why(item) : item.reason && h("p", { class: "note" }, item.reason)),
      h("div", { class: "list-side" }, scoreBar(item.score / most), h("span", { class: "score" }, amount(item.score))),
      buttons && h("div", { class: "list-buttons" }, buttons(item)));
  }));
}

function scoreBar(share) {
  const fill = h("span");
  fill.style.width = `${Math.max(0, Math.min(1, share)) * 100}%`;
  return h("span", { class: "score-bar", "aria-hidden": "true" }, fill);
}

/** The reason, and below it the parts that the score adds up from. */
function why(item) {
  const most = Math.max(...item.parts.map((part) => Math.abs(part.score)), 1e-12);
  return h("details", { class: "why" }, h("summary", null, item.reason ?? "what the score is made of"),
    h("ul", null, item.parts.map((part) => h("li", null,
      h("span", null, part.item ?? part.part), scoreBar(part.score / most), h("span", { class: "score" }, part.score.toFixed(4))))));
}

/** Who answered, in a line. */
export function answeredBy(body) {
  const { model } = body;
  const by = model
    ? ["answered by ", h("a", { href: `#/versions/${model.version}` }, `version ${model.version}`), ` (${model.kind})`]
    : ["answered without a version"];
  return h("p", { class: "note" }, by, ` in ${body.execution.toFixed(2)} ms`);
}

/** A user's events, newest first. */
export function history(events) {
  return h("ol", { class: "history", "aria-label": "History, newest first" }, [...events].reverse().map((event) =>
    h("li", null,
      h("a", { href: `#/try/items/${encodeURIComponent(event.item)}` }, event.item),
      h("span", { class: "soft" }, event.type),
      h("span", { class: "soft" }, event.timestamp ? time(Date.parse(event.timestamp)) : "no time"))));
}
