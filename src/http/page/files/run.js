// One run: its graph of steps as it moves, the log and figures of each, candidates side by side, and the gate's reason.

import { events, part, post } from "./api.js";
import { candidateFacts, sideBySide } from "./candidates.js";
import { confirm } from "./dialogs.js";
import { facts, h, memory, put, say } from "./dom.js";
import { count, fullTime, span, time } from "./format.js";
import { runGraph, stepStates } from "./graph.js";
import { lasted, TRIGGERS } from "./runs.js";
import { act, failure, loading, notice, status } from "./states.js";

const ABOUT = {
  snapshot: "Freezes the events as they are now.",
  prepare: "Joins rows to pairs and splits them by time or draw.",
  train: "Fits every kind of model and searches its settings on a validation part.",
  evaluate: "Scores the candidates on the holdout, which no fit has seen.",
  gate: "Compares the chosen one with popularity and the live version's recipe.",
  refit: "Fits the chosen recipe on all data.",
  publish: "Writes the version and reads it back.",
  activate: "Puts it in the place of the live version.",
};

export function run(root, [id], signal) {
  const head = h("div", { class: "title" });
  const banner = h("div");
  const panel = h("section", { class: "panel", "aria-label": "The chosen step" });
  const table = h("section", { class: "panel", "aria-label": "Candidates" });
  const seen = { head: memory(), banner: memory(), panel: memory(), table: memory() };
  let record;
  let chosen;

  const graph = runGraph(signal, (name) => {
    chosen = name;
    draw();
  });
  const cancel = h("button", { type: "button", class: "danger", onclick: () => stop() }, "Cancel this run");

  async function stop() {
    if (!(await confirm("Cancel this run?", "The live version stays as it is. What was fitted so far is lost.", "Cancel the run", true))) return;
    await act(cancel, async () => {
      await post(`v1/runs/${part(id)}/cancel`);
      notice(`Run ${id} was told to stop.`);
    });
  }

  function draw() {
    if (!record) return;
    const over = record.finished_ms !== null;
    if (seen.head([record.status, record.version, over])) {
      put(head, h("div", null, h("a", { class: "back", href: "#/runs" }, "Runs"), h("h1", null, id)),
        h("div", { class: "row" }, status(record.status), !over && cancel));
    }
    say(took, lasted(record));
    if (seen.banner([record.gate, record.error, record.version, record.status])) put(banner, verdict(record));
    const states = stepStates(record);
    const name = chosen ?? standing(states);
    graph.update(record, states, name);
    const at = standing(states);
    say(heard, over ? `The run ${record.status}` : `${at} ${states[at]}`);
    if (seen.panel([name, states[name], record.steps.find((step) => step.name === name), record.candidates.length])) {
      const log = panel.querySelector(".log");
      const atEnd = !log || log.scrollHeight - log.scrollTop - log.clientHeight < 24;
      put(panel, chosenPanel(record, states, name));
      const fresh = panel.querySelector(".log");
      if (fresh && !over && atEnd) fresh.scrollTop = fresh.scrollHeight;
    }
    if (seen.table([record.candidates, over])) put(table, sideBySide(record.candidates, over));
  }

  const took = h("span");
  const heard = h("p", { class: "hidden", role: "status" });
  async function follow() {
    put(root, head, loading(`run ${id}`));
    try {
      for await (const fresh of events(`v1/runs/${part(id)}/events`, signal)) {
        if (!record) {
          put(root, head, h("div", { class: "stack" },
            h("section", { class: "panel", "aria-label": "About this run" }, facts(
              ["Why it began", TRIGGERS[fresh.trigger] ?? fresh.trigger],
              fresh.reason && ["What called for it", fresh.reason],
              ["Asked for", h("span", { title: fullTime(fresh.queued_ms) }, time(fresh.queued_ms))],
              ["Took", took]), banner),
            h("section", { class: "panel", "aria-label": "Steps" }, h("h2", null, "Steps"), graph.box, heard), panel, table));
        }
        record = fresh;
        draw();
      }
      if (record && record.finished_ms === null && !signal.aborted) throw new Error("The stream ended before the run did.");
    } catch (problem) {
      if (problem.name === "AbortError" || signal.aborted) return;
      put(root, h("a", { class: "back", href: "#/runs" }, "Runs"), h("h1", null, id), failure(problem, follow));
      record = undefined;
      for (const name of Object.keys(seen)) seen[name] = memory();
    }
  }

  const timer = setInterval(() => record && record.finished_ms === null && say(took, lasted(record)), 500);
  signal.addEventListener("abort", () => clearInterval(timer));
  follow();
}

/** The step to look at where none was clicked: the one at work, the one that broke, or the gate. */
function standing(states) {
  const names = Object.keys(states);
  return names.find((name) => ["running", "failed", "refused", "cancelled"].includes(states[name])) ??
    (states.gate === "done" ? "gate" : names[0]);
}

function verdict(record) {
  const { gate } = record;
  if (!gate && !record.error) return null;
  const outcome = record.version
    ? h("p", { class: "strong" }, "It went live as ", h("a", { href: `#/versions/${record.version}` }, `version ${record.version}`), ".")
    : gate && !gate.passed ? h("p", { class: "strong" }, "The gate refused it; the live version stays.") : null;
  const tone = record.status === "failed" ? "bad" : record.status === "refused" ? "warn" : record.version ? "good" : "";
  return h("div", { class: `verdict ${tone}` }, outcome,
    gate && h("ul", null, gate.reasons.map((reason) => h("li", null, reason))),
    record.error && !gate?.reasons.includes(record.error) && h("p", null, record.error));
}

function chosenPanel(record, states, name) {
  if (name.startsWith("candidate:")) {
    const model = name.slice("candidate:".length);
    return [h("h2", null, model), candidateFacts(record.candidates.filter((candidate) => candidate.model === model))];
  }
  const step = record.steps.find((step) => step.name === name);
  return [
    h("div", { class: "row between" }, h("h2", null, name), h("span", { class: "soft" }, states[name])),
    h("p", { class: "soft" }, ABOUT[name]),
    step && facts(
      ["Began", h("span", { title: fullTime(step.started_ms) }, time(step.started_ms))],
      ["Took", step.finished_ms ? span(step.finished_ms - step.started_ms) : "at work"],
      step.finished_ms === null && ["Progress", `${Math.round(step.progress * 100)} %`]),
    step?.log.length > 0
      ? h("pre", { class: "log", tabindex: "0", role: "log", "aria-label": `Log of ${name}, ${count(step.log.length)} lines`, "aria-live": "off" }, step.log.join("\n"))
      : h("p", { class: "soft" }, step ? "This step said nothing." : "This step has not begun."),
  ];
}
