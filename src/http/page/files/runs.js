// The history of runs, what starts them, and the buttons for both.

import { get, post } from "./api.js";
import { every, h, memory, put, table } from "./dom.js";
import { fullTime, span, time } from "./format.js";
import { schedulePanel } from "./schedule.js";
import { act, empty, failure, loading, notice, status } from "./states.js";

const LOOK_MS = 2000;
const PAGE = 50;
const MOST = 1000;

export const TRIGGERS = {
  manual: "by hand", schedule: "schedule", events: "enough new events", start: "first data", drift: "drift",
};

export function runs(root, _rest, signal) {
  const list = h("section", { class: "panel", "aria-label": "History of runs" }, loading("the runs"));
  const start = h("button", { type: "button", class: "primary", onclick: () => act(start, startRun) }, "Start a run");
  const changed = memory();
  let limit = PAGE;

  async function look() {
    try {
      const found = await get(`v1/runs?limit=${limit}`, signal);
      // Running ones are drawn anew each time: how long they have lasted moves.
      const running = found.runs.some((run) => run.status === "running");
      if (changed(found) || running) put(list, history(found.runs, limit, more));
    } catch (problem) {
      if (problem.name !== "AbortError" && changed(problem.message)) put(list, failure(problem, look));
    }
  }

  async function startRun() {
    const started = await post("v1/runs");
    notice(started.status === "queued" ? `Run ${started.id} waits for the one before it.` : `Run ${started.id} has started.`);
    await look();
  }

  function more() {
    limit = Math.min(MOST, limit + PAGE * 2);
    look();
  }

  put(root,
    h("div", { class: "title" }, h("h1", null, "Runs"), h("div", { class: "row" }, start)),
    h("div", { class: "stack" }, schedulePanel(signal), list));
  look();
  every(LOOK_MS, signal, look);
}

function history(runs, limit, more) {
  if (!runs.length) {
    return empty("No run yet", h("p", null, "The first run starts by itself once there are events; or start one now. With no events it has nothing to learn from and fails."));
  }
  const rows = runs.map((run) =>
    h("tr", null,
      h("td", null, status(run.status)),
      h("th", { scope: "row" }, h("a", { href: `#/runs/${run.id}`, "data-key": run.id }, run.id)),
      h("td", { class: "wide" }, TRIGGERS[run.trigger] ?? run.trigger),
      h("td", { class: "wide", title: fullTime(run.started_ms ?? run.queued_ms) }, time(run.started_ms ?? run.queued_ms)),
      h("td", { class: "num wide" }, lasted(run)),
      h("td", null, run.version ? h("a", { href: `#/versions/${run.version}`, "aria-label": `Version ${run.version}, v${run.version}` }, `v${run.version}`) : h("span", { class: "reason" }, run.error ?? ""))));
  return [
    h("h2", null, "History"),
    table("Runs, newest first", ["Status", "Run", { text: "Why it began", class: "wide" }, { text: "Started", class: "wide" }, { text: "Took", class: "num wide" }, "Outcome"], rows, { class: "rows" }),
    runs.length >= limit && limit < MOST && h("button", { type: "button", class: "quiet", onclick: more }, "Show older runs"),
  ];
}

/** How long a run has lasted or took; nothing for one that waits. */
export function lasted(run) {
  if (!run.started_ms) return "–";
  return span((run.finished_ms ?? Date.now()) - run.started_ms);
}
