// The first view: how the service stands this second.

import { get, post } from "./api.js";
import { every, facts, h, memory, put, say, table } from "./dom.js";
import { ago, amount, bytes, count, figure, fullTime, millis, plural, time } from "./format.js";
import { live, recent, reconnect, watch } from "./live.js";
import { spark } from "./plot.js";
import { lasted } from "./runs.js";
import { act, empty, failure, loading, status } from "./states.js";

const LOOK_MS = 2000;

export function now(root, _rest, signal) {
  const head = h("section", { class: "panel hero", "aria-label": "The live version" });
  const tiles = makeTiles(signal);
  const below = h("div", { class: "two" });
  const banner = h("div");
  const body = h("div", { class: "stack" }, banner, head, h("section", { class: "tiles", "aria-label": "Load" }, tiles.boxes), below);
  const changed = memory();
  put(root, h("h1", null, "Now"), loading("the state"));
  let built = false;
  followRuns(head, signal);
  watch(signal, () => {
    if (!live.state) {
      if (live.problem) put(root, h("h1", null, "Now"), failure(live.problem, reconnect));
      return;
    }
    if (!built) put(root, h("h1", null, "Now"), body);
    built = true;
    const { state } = live;
    showBanner(banner, state);
    showHero(head, state);
    tiles.update(state);
    const parts = { actors: state.actors, kafka: state.kafka, events: state.events, memory: state.memory };
    if (changed(parts)) put(below, actors(state), h("div", { class: "stack" }, kafka(state), data(state)));
  });
}

const bannerChanged = memory();

function showBanner(box, state) {
  const lost = live.status !== "open";
  if (!bannerChanged([lost, state.ready, state.degraded, box.isConnected]) && box.childElementCount) return;
  const lines = [];
  if (lost) lines.push("The connection is lost; what you see is the last that was heard. It is tried again.");
  if (!state.ready) lines.push("Not ready: the service takes no requests just now.");
  if (state.degraded.length) lines.push(`Away: ${state.degraded.join(", ")}. Answers go on without.`);
  put(box, lines.length > 0 && h("div", { class: "banner", role: "alert" }, lines.map((line) => h("p", null, line))));
}

function showHero(box, state) {
  const { live: version, events } = state;
  if (!version) {
    if (box.dataset.version === `none ${events.events > 0}`) return;
    box.dataset.version = `none ${events.events > 0}`;
    put(box, events.events > 0 ? noVersion() : noEvents());
    return;
  }
  if (box.dataset.version !== String(version.version)) {
    box.dataset.version = String(version.version);
    put(box,
      h("div", { class: "hero-main" },
        h("p", { class: "eyebrow" }, "Live version"),
        h("p", { class: "big" }, h("a", { href: `#/versions/${version.version}` }, version.version), h("span", { class: "tag" }, version.kind)),
        h("p", { class: "soft" }, "made ", h("span", { "data-at": "age" }), version.run ? [" by ", h("a", { href: `#/runs/${version.run}` }, "a run")] : " by import")),
      h("div", { class: "hero-facts" }, facts(
        ["Freshness", h("span", { "data-at": "fresh" })],
        ["Last event came", h("span", { "data-at": "came" })],
        ["Quality on live events", h("span", { "data-at": "worth" })],
        ["Last run", h("span", { "data-at": "run" })])));
  }
  const at = (name, text) => say(box.querySelector(`[data-at="${name}"]`), text);
  at("age", ago(version.age_seconds * 1000));
  const to = version.events_to ? Date.parse(version.events_to) : undefined;
  at("fresh", to ? `knows events up to ${time(to)}, ${ago(Date.now() - to)}` : "its events have no times");
  at("came", live.lastEventMs ? ago(Date.now() - live.lastEventMs) : "none since this page was opened");
  const worth = state.prequential;
  const ndcg = worth?.["ndcg@10"];
  at("worth", ndcg ? `NDCG@10 ${figure(ndcg.mean)} ± ${figure(ndcg.ci95)} over the last ${plural(worth.window, "event")}` : "no event was looked up yet");
}

/** The newest run in its place, also after the version above it has changed. */
function followRuns(box, signal) {
  let run;
  const show = () => {
    const at = box.querySelector('[data-at="run"]');
    if (!at) return;
    if (!run) put(at, "none yet");
    else put(at, h("a", { href: `#/runs/${run.id}`, "data-key": "last-run" }, status(run.status)), " ", run.status === "running" ? `for ${lasted(run)}` : run.finished_ms ? `${ago(Date.now() - run.finished_ms)}, took ${lasted(run)}` : "");
  };
  const look = async () => {
    try {
      [run] = (await get("v1/runs?limit=1", signal)).runs;
    } catch (problem) {
      // The banner says that the service is away; a missing key has asked for itself.
      if (problem.name !== "AbortError") return;
    }
    show();
  };
  look();
  every(LOOK_MS, signal, look);
  watch(signal, show);
}

function noEvents() {
  return empty("No version and no events yet",
    h("p", null, "Send events, or import a file; the first run starts by itself once there is data."),
    h("pre", { tabindex: "0" }, `curl -d '[{"user":25,"item":"mug"},{"user":7,"item":"mug"}]' \\\n     -H 'content-type: application/json' ${location.origin}/v1/events`),
    h("p", null, "Or ", h("a", { href: "#/try/user" }, "send one from here"), "."));
}

function noVersion() {
  const button = h("button", { type: "button", class: "primary" }, "Start a run");
  button.addEventListener("click", () => act(button, async () => {
    const started = await post("v1/runs");
    location.hash = `#/runs/${started.id}`;
  }));
  return empty("No version answers yet",
    h("p", null, "There are events; lists come from what is trending and popular until a run has made a version."), button);
}

const TILES = [
  { name: "Requests", unit: "/s", column: "requests", tone: "accent" },
  { name: "Events", unit: "/s", column: "events", tone: "accent" },
  { name: "Latency, mean", unit: "ms", column: "latency", tone: "accent" },
  { name: "Kafka lag", unit: "records", column: "lag", tone: "warn" },
];

function makeTiles(signal) {
  const tiles = TILES.map((tile) => {
    const line = spark(signal, tile.tone);
    const value = h("span", { class: "value" }, "–");
    const note = h("p", { class: "note" });
    const box = h("div", { class: "panel tile" },
      h("p", { class: "eyebrow" }, tile.name),
      h("p", { class: "reading" }, value, " ", h("span", { class: "unit" }, tile.unit)), line.box, note);
    return { ...tile, line, value, note, box };
  });
  return {
    boxes: tiles.map((tile) => tile.box),
    update(state) {
      const xs = live.points.map((point) => point.time);
      for (const tile of tiles) {
        const mean = tile.column === "lag" ? recent("lag", 1) : recent(tile.column);
        say(tile.value, tile.column === "lag" && mean !== null ? count(mean) : amount(mean));
        tile.line.set(xs.length ? xs : [0], xs.length ? live.points.map((point) => point[tile.column]) : [null]);
        say(tile.note, notes[tile.column](state));
      }
    },
  };
}

const notes = {
  requests: (state) => `${count(state.usage)} since the swap`,
  events: (state) => `${count(state.events.events)} in all`,
  latency: (state) => (state.usage ? `${millis(state.min)} to ${millis(state.max)} since the swap` : "no request since the swap"),
  lag: (state) => (state.kafka ? "events and requests that wait" : "no Kafka is set"),
};

function actors(state) {
  const tone = { running: "good", restarting: "warn", hung: "bad", stopped: "bad" };
  return h("section", { class: "panel" }, h("h2", null, "Actors"),
    table("Actors and their health", ["Actor", "Status", { text: "Restarts", class: "num" }], state.actors.map((actor) =>
      h("tr", null,
        h("th", { scope: "row" }, actor.name, actor.last_error && h("p", { class: "note bad-text" }, actor.last_error)),
        h("td", null, h("span", { class: `dot ${tone[actor.status] ?? "warn"}` }, actor.status)),
        h("td", { class: "num" }, actor.restarts)))));
}

function kafka(state) {
  if (!state.kafka) {
    return h("section", { class: "panel" }, h("h2", null, "Kafka"),
      h("p", { class: "soft" }, "Not used. Events come by REST and import; set kafka.brokers to join one."));
  }
  const { broker } = state.kafka;
  const topics = ["events", "requests"].map((name) => [name, state.kafka[name]]).filter(([, topic]) => topic);
  return h("section", { class: "panel" }, h("h2", null, "Kafka ",
    h("span", { class: `dot ${broker?.connected ? "good" : "bad"}` }, broker?.connected ? "connected" : "away")),
    broker?.last_error && h("p", { class: "note bad-text" }, broker.last_error),
    table("Kafka topics", ["Topic", "For", { text: "Partitions", class: "num" }, { text: "Lag", class: "num" }], topics.map(([name, topic]) =>
      h("tr", null,
        h("th", { scope: "row" }, topic.topic, topic.topic_missing && h("span", { class: "tag bad" }, "missing"), topic.paused && h("span", { class: "tag warn" }, "paused")),
        h("td", null, name),
        h("td", { class: "num" }, topic.partitions?.length ?? "–"),
        h("td", { class: "num" }, topic.lag >= 0 ? count(topic.lag) : "not known yet")))));
}

function data(state) {
  return h("section", { class: "panel" }, h("h2", null, "Data"), facts(
    ["Events", count(state.events.events)], ["Users", count(state.events.users)], ["Items", count(state.events.items)],
    ["Versions kept", state.versions.all ? count(state.versions.all.length) : "–"],
    ["Memory", bytes(state.memory.resident_bytes)],
    ["Counting since", h("span", { title: fullTime(state.since) }, time(state.since))]));
}
