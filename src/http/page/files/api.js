// Calls of the service. Where it asks for a key, the user is asked; the key stays in this tab's sessionStorage.

import { askKey } from "./dialogs.js";

const NAME = "ouzel-key";

/** An answer that is no success: what the problem document said, or that none came. */
export class Problem extends Error {
  constructor(status, title, detail, retryAfter) {
    super(detail || title);
    this.status = status;
    this.title = title;
    this.retryAfter = retryAfter;
  }
}

let asking;
let declined = false;
const keyWatchers = new Set();

export function key() {
  return sessionStorage.getItem(NAME);
}

/** Calls back when a key was given or forgotten. */
export function onKey(watcher) {
  keyWatchers.add(watcher);
}

export function forgetKey() {
  sessionStorage.removeItem(NAME);
  declined = false;
  for (const watcher of keyWatchers) watcher();
}

/** Lets the dialog open again after it was declined. */
export function askAgain() {
  declined = false;
}

/** Whether another key is there than the one that was refused. One dialog serves all calls that wait. */
async function otherKey(problem, refused, always) {
  if (key() !== refused) return true;
  if (declined && !always) return false;
  asking ??= askKey(problem).finally(() => (asking = undefined));
  const given = await asking;
  if (!given) {
    declined = true;
    return false;
  }
  declined = false;
  sessionStorage.setItem(NAME, given);
  for (const watcher of keyWatchers) watcher();
  return true;
}

async function problemOf(response) {
  const retryAfter = Number(response.headers.get("retry-after")) || undefined;
  try {
    const body = await response.json();
    return new Problem(response.status, body.title, body.detail, retryAfter);
  } catch {
    return new Problem(response.status, `The service answered ${response.status}`, "", retryAfter);
  }
}

/** Sends a request; paths are relative, so that the page works below a prefix too. */
export async function send(path, init = {}) {
  const used = key();
  const headers = new Headers(init.headers);
  if (used) headers.set("authorization", `Bearer ${used}`);
  let response;
  try {
    response = await fetch(path, { ...init, headers, cache: "no-store", credentials: "omit" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "The service cannot be reached", "No answer came. Is the process running, and is the network there?");
  }
  if (response.ok) return response;
  const problem = await problemOf(response);
  const wantsKey = problem.status === 401 || problem.status === 403;
  const always = (init.method ?? "GET") !== "GET";
  if (wantsKey && (await otherKey(problem, used, always))) return send(path, init);
  throw problem;
}

export async function get(path, signal) {
  return (await send(path, { signal })).json();
}

export async function post(path, body, method = "POST") {
  const init = { method };
  if (body !== undefined) {
    init.headers = { "content-type": "application/json" };
    init.body = JSON.stringify(body);
  }
  return (await send(path, init)).json();
}

export function part(text) {
  return encodeURIComponent(text);
}

/** The events of a stream, parsed; `heard` is told of every sign of life. */
export async function* events(path, signal, heard = () => {}) {
  const response = await send(path, { signal, headers: { accept: "text/event-stream" } });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let waiting = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    heard();
    const blocks = (waiting + value).split("\n\n");
    waiting = blocks.pop();
    for (const block of blocks) {
      const data = block.split("\n").filter((line) => line.startsWith("data: ")).map((line) => line.slice(6));
      if (data.length) yield JSON.parse(data.join("\n"));
    }
  }
}

/** Saves the body of an answer as a file, under the name the service gives it. */
export async function download(path, fallback) {
  const response = await send(path);
  const named = /filename="([^"]+)"/.exec(response.headers.get("content-disposition") ?? "");
  const url = URL.createObjectURL(await response.blob());
  const link = document.createElement("a");
  link.href = url;
  link.download = named?.[1] ?? fallback;
  link.click();
  URL.revokeObjectURL(url);
}
