// The graph of a run's steps: boxes joined by lines, candidates side by side within training. Left to right where there
// is room, else top to bottom.

import { h, memory, put, say, svg } from "./dom.js";
import { figure, span } from "./format.js";

export const STEPS = ["snapshot", "prepare", "train", "evaluate", "gate", "refit", "publish", "activate"];

const MARKS = { done: "✓", running: "●", failed: "✕", refused: "✕", cancelled: "–", waiting: "○", skipped: "–" };

/** How each step stands, from the record and the run's end. */
export function stepStates(record) {
  const over = record.finished_ms !== null;
  const last = record.steps.at(-1)?.name;
  return Object.fromEntries(STEPS.map((name) => {
    const step = record.steps.find((step) => step.name === name);
    if (!step) return [name, over ? "skipped" : "waiting"];
    if (name === "gate" && record.gate?.passed === false) return [name, "refused"];
    if (over && name === last && (record.status === "failed" || record.status === "cancelled")) return [name, record.status];
    return [name, step.finished_ms === null ? (over ? record.status : "running") : "done"];
  }));
}

const BOX = { width: 112, height: 58, gap: 26 };
const SMALL = { width: 178, height: 26, gap: 6 };

/** Where everything goes: boxes by name, and lines between them. */
function layout(candidates, width) {
  const models = candidates.map((candidate) => candidate.model);
  return width >= 960 ? across(models, width) : down(models, width);
}

function across(models, width) {
  const group = models.length ? SMALL.width + 16 : BOX.width;
  const gap = Math.max(12, (width - group - 7 * BOX.width) / 7);
  const tall = models.length ? 40 + models.length * (SMALL.height + SMALL.gap) : BOX.height;
  const height = Math.max(BOX.height, tall);
  const middle = height / 2;
  const boxes = {};
  let x = 0;
  for (const name of STEPS) {
    const wide = name === "train" ? group : BOX.width;
    const high = name === "train" ? tall : BOX.height;
    boxes[name] = { x, y: middle - high / 2, width: wide, height: high };
    x += wide + gap;
  }
  models.forEach((model, index) => {
    boxes[`candidate:${model}`] = {
      x: boxes.train.x + 8, y: boxes.train.y + 36 + index * (SMALL.height + SMALL.gap), width: SMALL.width, height: SMALL.height,
    };
  });
  const right = (box) => [box.x + box.width, box.y + box.height / 2];
  const left = (box) => [box.x, box.y + box.height / 2];
  const lines = joined(models, boxes).map(([from, to, strong]) => {
    const [x1, y1] = right(boxes[from]);
    const [x2, y2] = left(boxes[to]);
    const bend = Math.max(8, (x2 - x1) / 2);
    return { path: `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`, from, to, strong };
  });
  return { boxes, lines, width, height };
}

function down(models, width) {
  const wide = Math.min(width, 420);
  const columns = 2;
  const each = (wide - 16 - SMALL.gap) / columns;
  const boxes = {};
  let y = 0;
  for (const name of STEPS) {
    const rows = name === "train" ? Math.ceil(models.length / columns) : 0;
    const high = rows ? 40 + rows * (SMALL.height + 4 + SMALL.gap) : 46;
    boxes[name] = { x: 0, y, width: wide, height: high };
    if (rows) {
      models.forEach((model, index) => {
        boxes[`candidate:${model}`] = {
          x: 8 + (index % columns) * (each + SMALL.gap), y: y + 36 + Math.floor(index / columns) * (SMALL.height + 4 + SMALL.gap),
          width: each, height: SMALL.height + 4,
        };
      });
    }
    y += high + 18;
  }
  const lines = STEPS.slice(1).map((name, index) => {
    const from = boxes[STEPS[index]];
    return { path: `M${wide / 2} ${from.y + from.height}V${boxes[name].y}`, from: STEPS[index], to: name };
  });
  return { boxes, lines, width: wide, height: y - 18 };
}

/** Pairs of names with a line between them; training's lines go by its candidates where they are known. */
function joined(models, boxes) {
  const pairs = [];
  STEPS.slice(1).forEach((name, index) => {
    const before = STEPS[index];
    if (models.length && name === "train") pairs.push(...models.map((model) => [before, `candidate:${model}`]));
    else if (models.length && before === "train") pairs.push(...models.map((model) => [`candidate:${model}`, name]));
    else pairs.push([before, name]);
  });
  return pairs.filter(([from, to]) => boxes[from] && boxes[to]);
}

/** One of each model, as the validation part shows it. */
function tried(record) {
  const models = new Map();
  for (const candidate of record.candidates) {
    if (candidate.part === "validation" && !models.has(candidate.model)) models.set(candidate.model, candidate);
  }
  return [...models.values()];
}

const worth = (candidate) => (candidate.error ? "no figure" : figure(candidate.metrics["ndcg@10"]?.mean));

export function runGraph(signal, choose) {
  const edges = svg("svg", { class: "edges", "aria-hidden": "true" });
  const nodes = h("ol", { class: "nodes" });
  const box = h("div", { class: "graph" }, edges, nodes);
  const changed = memory();
  let last;
  const sizes = new ResizeObserver(() => last && draw());
  sizes.observe(box);
  signal.addEventListener("abort", () => sizes.disconnect());

  function draw() {
    const { record, states, chosen } = last;
    const candidates = tried(record);
    const width = box.clientWidth;
    if (!width) return;
    if (changed([width, candidates.map((candidate) => candidate.model)])) place(layout(candidates, width), candidates);
    for (const button of nodes.querySelectorAll("button")) {
      const name = button.dataset.key;
      button.setAttribute("aria-pressed", String(name === chosen));
      if (STEPS.includes(name)) showStep(button, record.steps.find((step) => step.name === name), states[name]);
    }
    for (const path of edges.children) {
      const state = states[path.dataset.from] ?? states.train;
      const model = path.dataset.from.startsWith("candidate:") ? path.dataset.from : path.dataset.to;
      const won = candidates.find((candidate) => `candidate:${candidate.model}` === model)?.chosen;
      path.setAttribute("class", won ? "won" : state === "done" ? "passed" : "");
    }
  }

  function place({ boxes, lines, width, height }, candidates) {
    edges.setAttribute("viewBox", `0 0 ${width} ${height}`);
    edges.setAttribute("width", width);
    edges.setAttribute("height", height);
    edges.replaceChildren(...lines.map((line) => svg("path", { d: line.path, "data-from": line.from, "data-to": line.to })));
    nodes.style.height = `${height}px`;
    nodes.style.width = `${width}px`;
    const inside = candidates.map((candidate) => h("li", null, at(boxes[`candidate:${candidate.model}`], small(candidate))));
    put(nodes, STEPS.map((name) => h("li", null, at(boxes[name], stepButton(name, inside.length > 0)), name === "train" && h("ol", null, inside))));
  }

  const stepButton = (name, group) =>
    h("button", { type: "button", class: name === "train" && group ? "node group" : "node", "data-key": name, onclick: () => choose(name) },
      h("span", { class: "node-name" }, h("span", { class: "mark", "aria-hidden": "true" }), h("span", null, name)),
      h("span", { class: "node-time" }), h("span", { class: "bar", "aria-hidden": "true" }));

  const small = (candidate) =>
    h("button", {
      type: "button", "data-key": `candidate:${candidate.model}`, onclick: () => choose(`candidate:${candidate.model}`),
      class: `node small${candidate.chosen ? " won" : ""}${candidate.error ? " out" : ""}`,
      "aria-label": `${candidate.model} ${worth(candidate)}${candidate.chosen ? ", chosen" : ""}`,
    }, h("span", null, candidate.model), " ",
    h("span", { class: "node-time" }, worth(candidate)));

  return {
    box,
    update(record, states, chosen) {
      last = { record, states, chosen };
      draw();
    },
  };
}

function at(place, element) {
  for (const side of ["width", "height"]) element.style[side] = `${place[side]}px`;
  element.style.left = `${place.x}px`;
  element.style.top = `${place.y}px`;
  return element;
}

function showStep(button, step, state) {
  button.dataset.state = state;
  say(button.querySelector(".mark"), MARKS[state] ?? "");
  const lasted = step && span((step.finished_ms ?? Date.now()) - step.started_ms);
  say(button.querySelector(".node-time"), step ? (state === "done" ? lasted : `${state}, ${lasted}`) : state);
  button.querySelector(".bar").style.width = state === "running" ? `${Math.round((step?.progress ?? 0) * 100)}%` : "0";
}
