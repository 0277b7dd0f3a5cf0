// One version: where it came from, what it was fitted on and with, what it was worth, and its files.

import { get, part } from "./api.js";
import { sideBySide } from "./candidates.js";
import { facts, h, memory, put, table } from "./dom.js";
import { ago, bytes, count, figure, fullTime, plural, settingValue } from "./format.js";
import { live, watch } from "./live.js";
import { failure, loading } from "./states.js";
import { downloadButton, promoteButton } from "./versions.js";

const MOST_PARENTS = 12;

export function version(root, [number], signal) {
  const head = [h("a", { class: "back", href: "#/versions" }, "Versions"), h("h1", null, `Version ${number}`)];
  put(root, head, loading(`version ${number}`));

  async function look() {
    try {
      // The list, since lineage needs the parents too.
      const [found, all] = await Promise.all([get(`v1/versions/${part(number)}`, signal), get("v1/versions", signal)]);
      put(root, page(found, all, look));
    } catch (problem) {
      if (problem.name !== "AbortError") put(root, head, failure(problem, look));
    }
  }

  const swapped = memory();
  let first = true;
  watch(signal, () => {
    if (swapped(live.state && [live.state.live?.version, live.state.versions.previous]) && !first) look();
    first = false;
  });
  look();
}

function page(found, all, look) {
  return [
    h("div", { class: "title" },
      h("div", null, h("a", { class: "back", href: "#/versions" }, "Versions"),
        h("h1", null, `Version ${found.version}`)),
      h("div", { class: "row" }, found.live && h("span", { class: "tag good" }, "live"), found.previous && h("span", { class: "tag" }, "previous"),
        !found.live && promoteButton(found, all.live, look), downloadButton(found))),
    h("div", { class: "stack" },
      h("div", { class: "two" }, lineage(found, all), recipe(found)),
      h("section", { class: "panel" }, h("h2", null, "The gate"),
        h("div", { class: `verdict ${found.gate.passed ? "good" : "warn"}` },
          h("p", { class: "strong" }, found.gate.passed ? "Passed." : "Not passed."),
          h("ul", null, found.gate.reasons.map((reason) => h("li", null, reason))))),
      h("section", { class: "panel" }, sideBySide(found.candidates, true)),
      files(found)),
  ];
}

/** The chain of parents, as far as they are kept. */
function chain(found, all) {
  const known = new Map(all.versions.map((version) => [version.version, version]));
  const numbers = [found.version];
  let at = found;
  while (at?.parent && numbers.length <= MOST_PARENTS && !numbers.includes(at.parent)) {
    numbers.push(at.parent);
    at = known.get(at.parent);
  }
  return { numbers, known, more: Boolean(at?.parent) && numbers.length > MOST_PARENTS };
}

function lineage(found, all) {
  const { numbers, known, more } = chain(found, all);
  const { data } = found;
  const step = (number, index) => h("li", null,
    index === 0 ? h("strong", null, `v${number}`) : known.has(number) ? h("a", { href: `#/versions/${number}` }, `v${number}`) : h("span", { title: "no longer kept" }, `v${number}`),
    h("span", { class: "soft" }, known.get(number)?.kind ?? "gone"));
  return h("section", { class: "panel" }, h("h2", null, "Lineage"),
    h("ol", { class: "chain", "aria-label": "This version and those before it" }, numbers.map(step), more && h("li", null, "…")),
    facts(
      ["Made", h("span", { title: fullTime(found.created_ms) }, ago(Date.now() - found.created_ms))],
      ["By", found.run ? h("a", { href: `#/runs/${found.run}` }, `run ${found.run}`) : "import"],
      ["Data", `${plural(data.events, "event")} of ${plural(data.users, "user")} on ${plural(data.items, "item")}`],
      ["First event", fullTime(data.events_from_ms)],
      ["Last event", fullTime(data.events_to_ms)],
      ["Log up to", `record ${count(data.applied_seq)}`],
      ...data.offsets.map((offset) => [`${offset.topic} ${offset.partition}`, `offset ${count(offset.next)}`])));
}

function recipe(found) {
  const settings = Object.entries(found.recipe.settings ?? {});
  const worth = found.prequential?.["ndcg@10"];
  return h("section", { class: "panel" }, h("h2", null, "Parameters"),
    facts(["Kind", found.kind], ["Protocol", found.protocol], ...settings.map(([name, value]) => [name, settingValue(value)])),
    settings.length === 0 && h("p", { class: "soft" }, "This kind has no settings."),
    worth && facts(["Quality on live events", `NDCG@10 ${figure(worth.mean)} ± ${figure(worth.ci95)} over ${plural(found.prequential.window, "event")}`]));
}

function files(found) {
  return h("section", { class: "panel" }, h("h2", null, "Files"),
    table("Files of this version", ["File", { text: "Size", class: "num" }, "SHA-256"], Object.entries(found.files).map(([name, file]) =>
      h("tr", null, h("th", { scope: "row" }, name), h("td", { class: "num" }, bytes(file.bytes)), h("td", null, h("code", { class: "hash" }, file.sha256))))));
}
