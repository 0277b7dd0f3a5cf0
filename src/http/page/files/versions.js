// All versions: what each was worth beside its baselines, which answers, and the buttons to change that.

import { download, get, post } from "./api.js";
import { confirm } from "./dialogs.js";
import { h, memory, put, say, table } from "./dom.js";
import { ago, figure, fullTime, metricName, modelName, plural } from "./format.js";
import { live, watch } from "./live.js";
import { onlinePanel } from "./online.js";
import { versionsPlot } from "./plot.js";
import { act, empty, failure, loading, notice } from "./states.js";

const SHOWN = ["ndcg@10", "recall@20", "hr@10", "ndcg@20", "ndcg@100", "mrr", "coverage@10", "novelty@10"];

const LINES = [
  { model: undefined, name: "this version", tone: "accent", width: 2.5 },
  { model: "live", name: "live recipe before it, refitted", tone: "violet", dash: [6, 4] },
  { model: "recent-popular", name: "recent-popular", tone: "warn", dash: [2, 3] },
  { model: "popular", name: "popular", tone: "soft", dash: [8, 3, 2, 3] },
];

let metric = SHOWN[0];

/** A version's figure on the holdout: its own, or that of a model beside it. */
export function holdout(version, model, name) {
  const found = version.candidates.find((candidate) =>
    candidate.part === "holdout" && (model ? candidate.model === model : candidate.chosen));
  return found?.metrics[name];
}

export function versions(root, _rest, signal) {
  const body = h("div", { class: "stack" }, loading("the versions"));
  const back = h("button", { type: "button", onclick: () => rollback(back, look) }, "Roll back");
  const head = h("div", { class: "title" }, h("h1", null, "Versions"), h("div", { class: "row" }, back));
  back.hidden = true;
  put(root, head, body);

  async function look() {
    try {
      show(await get("v1/versions", signal));
    } catch (problem) {
      if (problem.name !== "AbortError") put(body, failure(problem, look));
    }
  }

  const chart = chartPanel(signal);
  const online = onlinePanel(signal);
  function show(found) {
    back.hidden = !found.previous;
    if (found.previous) say(back, `Roll back to ${found.previous}`);
    if (!found.versions.length) {
      put(body, empty("No version yet", h("p", null, "The first run makes one. ", h("a", { href: "#/runs" }, "See the runs"))));
      return;
    }
    chart.update(found.versions);
    put(body, chart.box, online, list(found, look));
  }

  const swapped = memory();
  let first = true;
  watch(signal, () => {
    const known = live.state && [live.state.live?.version, live.state.versions.all, live.state.versions.previous];
    if (swapped(known) && !first) look();
    first = false;
  });
  look();
}

function chartPanel(signal) {
  const plot = versionsPlot(signal, (index) => read(index));
  const readout = h("p", { class: "readout", "aria-hidden": "true" });
  const choice = h("select", { "aria-label": "Metric", onchange: () => { metric = choice.value; draw(); } });
  const legend = h("ul", { class: "legend" });
  const summary = h("p", { class: "hidden" });
  const box = h("section", { class: "panel", "aria-label": "Quality over versions" },
    h("div", { class: "row between" }, h("h2", null, "Quality on each run's holdout"), choice), legend, plot.box, readout, summary);
  let all = [];
  let lines = [];

  function draw() {
    const present = SHOWN.filter((name) => all.some((version) => holdout(version, undefined, name)));
    if (!present.includes(metric)) metric = present[0] ?? SHOWN[0];
    put(choice, present.map((name) => h("option", { value: name, selected: name === metric }, metricName(name))));
    const figures = LINES.map((line) => ({ ...line, figures: all.map((version) => holdout(version, line.model, metric)) }));
    const means = figures.map((line) => ({ ...line, values: line.figures.map((at) => at?.mean ?? null) }));
    const own = figures[0].figures;
    const edge = (sign) => ({ name: "", hidden: true, tone: "accent", values: own.map((at) => (at ? at.mean + sign * at.ci95 : null)) });
    const seen = { name: "on live events", tone: "good", dots: true, values: all.map((version) => version.prequential?.[metric]?.mean ?? null) };
    lines = [...means, seen].filter((line) => line.values.some((value) => value !== null));
    plot.set(all.map((version) => version.version), [edge(1), edge(-1), ...lines]);
    put(legend, lines.map((line) => h("li", null, h("span", { class: `swatch ${line.tone}${line.dots ? " round" : line.dash ? " dashed" : ""}` }), line.name)));
    const last = all.at(-1);
    say(summary, `${metricName(metric)} of version ${last.version}: ` + lines.map((line) => `${line.name} ${figure(line.values.at(-1))}`).join(", ") + ". The table below has all of them.");
    read(null);
  }

  function read(index) {
    const at = index ?? all.length - 1;
    const version = all[at];
    if (!version) return;
    say(readout, `v${version.version} · ` + lines.filter((line) => line.values[at] !== null && line.values[at] !== undefined).map((line) => `${line.name} ${figure(line.values[at])}`).join(" · "));
  }

  const changed = memory();
  return {
    box,
    update(newestFirst) {
      all = [...newestFirst].reverse();
      if (changed(all.map((version) => [version.version, version.prequential]))) draw();
    },
  };
}

function list(found, look) {
  const rows = found.versions.map((version) => {
    const own = holdout(version, undefined, "ndcg@10");
    const popular = holdout(version, "popular", "ndcg@10");
    return h("tr", { class: version.live ? "won" : undefined },
      h("th", { scope: "row" }, h("a", { href: `#/versions/${version.version}`, "data-key": `version-${version.version}` }, `Version ${version.version}`),
        version.live && h("span", { class: "tag good" }, "live"), version.previous && h("span", { class: "tag" }, "previous")),
      h("td", null, version.kind),
      h("td", { class: "wide", title: fullTime(version.created_ms) }, ago(Date.now() - version.created_ms)),
      h("td", { class: "num wide" }, plural(version.data.events, "event")),
      h("td", { class: "num" }, own ? figure(own.mean) : "–"),
      h("td", { class: "num wide" }, own && popular?.mean > 0 ? `× ${(own.mean / popular.mean).toFixed(2)}` : "–"),
      h("td", { class: "num" }, version.live ? "" : promoteButton(version, found.live, look)));
  });
  return h("section", { class: "panel", "aria-label": "All versions" }, h("h2", null, "All versions"),
    table("Versions, newest first", ["Version", "Kind", { text: "Made", class: "wide" }, { text: "Fitted on", class: "num wide" },
      { text: "NDCG@10", class: "num" }, { text: "To popular", class: "num wide" }, { heard: "Change", class: "num" }], rows, { class: "rows" }));
}

export function promoteButton(version, current, done) {
  const button = h("button", {
    type: "button", class: "small", "data-key": `promote-${version.version}`, "aria-label": `Promote version ${version.version}`,
    onclick: async () => {
      const text = `Version ${version.version} (${modelName(version.kind)}) answers from the next request on${current ? `, in the place of version ${current}` : ""}. A roll back undoes it.`;
      if (!(await confirm(`Promote version ${version.version}?`, text, "Promote it"))) return;
      await act(button, async () => {
        await post(`v1/versions/${version.version}/promote`);
        notice(`Version ${version.version} answers now.`);
        await done();
      });
    },
  }, "Promote");
  return button;
}

async function rollback(button, done) {
  const previous = button.textContent.replace(/\D+/g, "");
  if (!(await confirm(`Roll back to version ${previous}?`, `Version ${previous} answers from the next request on.`, "Roll back", true))) return;
  await act(button, async () => {
    const version = await post("v1/rollback");
    notice(`Version ${version.version} answers again.`);
    await done();
  });
}

export function downloadButton(version) {
  const button = h("button", {
    type: "button",
    onclick: () => act(button, async () => {
      await download(`v1/versions/${version.version}/download`, `ouzel-version-${version.version}`);
      notice(`Version ${version.version} is saved.`);
    }),
  }, "Download");
  return button;
}
