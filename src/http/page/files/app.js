// The frame: which view is shown, the theme, the key, and how the stream stands.

import { askAgain, forgetKey, key, onKey } from "./api.js";
import { h, put, say } from "./dom.js";
import { follow, live, reconnect, watch } from "./live.js";
import { now } from "./now.js";
import { run } from "./run.js";
import { runs } from "./runs.js";
import { failure, notice } from "./states.js";
import { tryIt } from "./try.js";
import { version } from "./version.js";
import { versions } from "./versions.js";

const main = document.getElementById("view");
let leave = new AbortController();

/** What the address says: the view, and the rest of its path. */
function place() {
  const [view = "", ...rest] = location.hash.replace(/^#\/?/, "").split("/");
  try {
    return { view: view || "now", rest: rest.map(decodeURIComponent) };
  } catch {
    return { view: "nowhere", rest: [] };
  }
}

const VIEWS = {
  now: () => now,
  runs: (rest) => (rest[0] ? run : runs),
  versions: (rest) => (rest[0] ? version : versions),
  try: () => tryIt,
};

const TITLES = { now: "Now", runs: "Runs", versions: "Versions", try: "Try it" };

function show(focus = true) {
  const { view, rest } = place();
  leave.abort();
  leave = new AbortController();
  for (const link of document.querySelectorAll(".tabs a")) {
    if (link.dataset.view === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${TITLES[view] ?? "Not found"} · Ouzel`;
  const chosen = VIEWS[view]?.(rest);
  if (!chosen) {
    put(main, h("div", { class: "empty" }, h("h1", null, "There is no such view"), h("a", { href: "#/now" }, "To the first view")));
    return;
  }
  put(main);
  try {
    chosen(main, rest, leave.signal);
  } catch (problem) {
    put(main, failure(problem, () => show(false)));
    console.error(problem);
  }
  if (focus) {
    main.focus({ preventScroll: true });
    scrollTo(0, 0);
  }
}

const THEMES = { "": "auto", light: "light", dark: "dark" };

function theme() {
  const button = document.getElementById("theme");
  const root = document.documentElement;
  const label = () => {
    const name = THEMES[root.dataset.theme ?? ""];
    button.dataset.theme = name;
    say(document.getElementById("theme-name"), name);
    button.title = "Change the theme";
  };
  button.addEventListener("click", () => {
    const names = Object.keys(THEMES);
    const next = names[(names.indexOf(root.dataset.theme ?? "") + 1) % names.length];
    if (next) root.dataset.theme = next;
    else delete root.dataset.theme;
    try {
      localStorage.setItem("ouzel-theme", next);
    } catch {
      notice("This browser keeps no settings: the theme lasts until you leave the page.");
    }
    label();
    dispatchEvent(new Event("themechange"));
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => dispatchEvent(new Event("themechange")));
  label();
}

function keyButton() {
  const button = document.getElementById("key");
  const update = () => {
    button.hidden = !key();
    say(button, "Forget key");
    // A link carries no key, so that these would be refused.
    document.getElementById("docs").hidden = Boolean(key());
  };
  button.addEventListener("click", () => {
    forgetKey();
    notice("The key is forgotten.");
    show(false);
  });
  onKey(() => {
    update();
    if (key()) {
      askAgain();
      reconnect();
    }
  });
  update();
}

function pulse() {
  const mark = document.getElementById("pulse");
  const text = mark.querySelector(".pulse-text");
  watch(new AbortController().signal, () => {
    mark.dataset.status = live.status;
    const version = live.state?.live?.version;
    const words = {
      open: version ? `v${version} live` : "no version yet",
      connecting: "connecting",
      lost: "connection lost",
      locked: "key needed",
    };
    say(text, words[live.status]);
  });
}

theme();
keyButton();
pulse();
follow();
addEventListener("hashchange", () => show());
show(false);
