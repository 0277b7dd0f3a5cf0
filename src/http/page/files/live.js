// The service's state as it moves: one stream of /v1/live for the whole page, and what the last minutes looked like.

import { events } from "./api.js";

/** Seconds of the past that the small pictures show. */
export const WINDOW = 120;

/** Without a sign of life for so long, the stream is opened anew; the service sends a state each second. */
const PATIENCE_MS = 8000;
const REST_MS = 20_000;
const RETRY_MS = [500, 1000, 2000, 5000];

export const live = { state: undefined, status: "connecting", problem: undefined, points: [], lastEventMs: undefined };

const watchers = new Set();
let before;

/** Calls back now and at each change until the signal. */
export function watch(signal, watcher) {
  watchers.add(watcher);
  signal.addEventListener("abort", () => watchers.delete(watcher));
  watcher();
}

function tell() {
  for (const watcher of watchers) watcher();
}

/** A counter that starts anew (at a swap, a restart) has counted what it shows. */
function grown(now, then) {
  return now >= then ? now - then : now;
}

function take(state) {
  const at = performance.now();
  const seen = {
    at, usage: state.usage, duration: state.duration, events: state.events.events, since: state.since,
  };
  // The service leaves the versions out while its registry is busy; they are as they were.
  if (!state.versions.all && live.state) state.versions = live.state.versions;
  live.state = state;
  live.status = "open";
  live.problem = undefined;
  if (!before) {
    before = seen;
  } else if (at - before.at >= 500) {
    const seconds = (at - before.at) / 1000;
    const swapped = seen.since !== before.since;
    const requests = swapped ? seen.usage : grown(seen.usage, before.usage);
    const spent = swapped ? seen.duration : grown(seen.duration, before.duration);
    const taken = Math.max(0, seen.events - before.events);
    if (taken > 0) live.lastEventMs = Date.now();
    live.points.push({
      time: Date.now() / 1000,
      requests: requests / seconds,
      events: taken / seconds,
      latency: requests > 0 ? spent / requests : null,
      lag: lagOf(state),
      version: state.live?.version,
    });
    if (live.points.length > WINDOW) live.points.shift();
    before = seen;
  }
  tell();
}

/** Records that wait in Kafka; null without Kafka or before they are known. */
export function lagOf(state) {
  const lags = [state.kafka?.events?.lag, state.kafka?.requests?.lag].filter((lag) => typeof lag === "number" && lag >= 0);
  return lags.length ? lags.reduce((sum, lag) => sum + lag, 0) : null;
}

/** The mean of a column over the last seconds; null where there is none. */
export function recent(column, seconds = 5) {
  const values = live.points.slice(-seconds).map((point) => point[column]).filter((value) => value !== null);
  return values.length ? values.reduce((sum, value) => sum + value, 0) / values.length : null;
}

let stop = new AbortController();

async function listen() {
  stop = new AbortController();
  let heardAt = performance.now();
  const guard = setInterval(() => {
    if (performance.now() - heardAt > PATIENCE_MS && live.status === "open") stop.abort();
  }, 1000);
  try {
    for await (const state of events("v1/live", stop.signal, () => (heardAt = performance.now()))) take(state);
  } finally {
    clearInterval(guard);
  }
}

let wake = () => {};

/** Tries again at once, for a user who has just given a key. */
export function reconnect() {
  wake();
}

/** A page that nobody looks at gives its connection back: a browser has but a few of them for all tabs of a service. */
function restWhileHidden() {
  let timer;
  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (document.hidden) timer = setTimeout(() => stop.abort(), REST_MS);
    else wake();
  });
}

/** Follows the stream for as long as the page is open. */
export async function follow() {
  restWhileHidden();
  for (let tries = 0; ; tries += 1) {
    try {
      await listen();
      tries = -1;
    } catch (problem) {
      live.problem = problem.name === "AbortError" ? undefined : problem;
    }
    const locked = live.problem?.status === 401 || live.problem?.status === 403;
    live.status = locked ? "locked" : "lost";
    before = undefined;
    tell();
    await new Promise((resolve) => {
      wake = resolve;
      // Without a key, only a key helps.
      if (!locked && !document.hidden) setTimeout(resolve, RETRY_MS[Math.min(Math.max(tries, 0), RETRY_MS.length - 1)]);
    });
  }
}
