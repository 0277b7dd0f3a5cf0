// What stands where data would: nothing yet, not here yet, not to be had; and short notices of what was done.

import { askAgain } from "./api.js";
import { h } from "./dom.js";

const STAYS_MS = 6000;

export function loading(what) {
  return h("p", { class: "loading", role: "status" }, `Loading ${what}`);
}

export function empty(title, ...more) {
  return h("div", { class: "empty" }, h("h2", null, title), more);
}

const ADVICE = {
  0: "Start the service, or check the address; this page tries again.",
  401: "Enter a key of the service.",
  403: "Enter a key that has this scope.",
  404: "Check the name; it may have been removed.",
  429: "Wait a moment and try again.",
  503: "The service is busy or still starting. Try again in a moment.",
};

/** A failure, with what to do about it. */
export function failure(problem, retry) {
  const keyed = problem.status === 401 || problem.status === 403;
  const again = () => {
    askAgain();
    retry();
  };
  return h("div", { class: "empty failed", role: "alert" },
    h("h2", null, problem.title ?? "Something went wrong on this page"),
    problem.message && h("p", null, problem.message),
    h("p", { class: "soft" }, ADVICE[problem.status] ?? "Try again; if it stays so, the service's log says more."),
    retry && h("button", { type: "button", onclick: again }, keyed ? "Enter a key" : "Try again"));
}

/** Says for some seconds what has happened. */
export function notice(text, bad = false) {
  const close = h("button", { type: "button", class: "quiet", "aria-label": "Dismiss", onclick: () => box.remove() }, "✕");
  const box = h("div", { class: bad ? "notice bad" : "notice" }, h("span", null, text), close);
  document.getElementById("notices").append(box);
  // A failure stays until it is read.
  if (!bad) setTimeout(() => box.remove(), STAYS_MS);
}

/** Does what a button is for: once at a time, with a notice when it fails. */
export async function act(button, work) {
  button.disabled = true;
  try {
    await work();
  } catch (problem) {
    notice(problem.message, true);
  } finally {
    button.disabled = false;
  }
}

const STATUS = {
  succeeded: ["good", "succeeded"], refused: ["warn", "refused"], failed: ["bad", "failed"],
  cancelled: ["soft", "cancelled"], running: ["busy", "running"], queued: ["soft", "queued"],
};

/** A run's status; the word says what the colour does. */
export function status(name) {
  const [tone, text] = STATUS[name] ?? ["soft", name];
  return h("span", { class: `tag ${tone}` }, text);
}
