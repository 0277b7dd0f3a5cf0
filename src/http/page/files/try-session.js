// A session built by clicking: the items someone has just looked at, and what is recommended beside them.

import { get, post } from "./api.js";
import { h, put, say } from "./dom.js";
import { answeredBy, list, moves } from "./list.js";
import { empty, failure, loading } from "./states.js";

const N = 12;

/** The session and how it mixes, kept while the page is open. */
const session = { items: [], diversity: 0 };

export function trySession(root, _rest, signal) {
  const chips = h("div", { class: "chips", role: "group", "aria-label": "Items in the session" });
  const out = h("div", null, loading("items"));
  const input = h("input", { list: "item-names", autocomplete: "off", spellcheck: "false" });
  const mix = h("span", null, "none");
  const diversity = h("input", {
    type: "range", min: "0", max: "1", step: "0.1", value: String(session.diversity),
    oninput: () => showMix(),
    onchange: () => {
      session.diversity = Number(diversity.value);
      load();
    },
  });
  const showMix = () => say(mix, Number(diversity.value) ? Number(diversity.value).toFixed(1) : "none");
  const form = h("form", {
    class: "ask-row", "aria-label": "Add an item",
    onsubmit: (event) => {
      event.preventDefault();
      const name = input.value.trim();
      if (!name) return input.focus();
      input.value = "";
      return add(name);
    },
  },
  h("label", { class: "field grow" }, "Item", input), h("button", { type: "submit" }, "Add"),
  h("label", { class: "field" }, h("span", null, "Diversity: ", mix), diversity));
  showMix();
  put(root, h("section", { class: "panel", "aria-label": "Session" }, h("h2", null, "Session"), chips, form), out);
  let shown;

  function add(id) {
    session.items = [...session.items.filter((item) => item !== id), id];
    load();
  }

  function remove(id) {
    session.items = session.items.filter((item) => item !== id);
    load();
    input.focus({ preventScroll: true });
  }

  function showChips() {
    put(chips, session.items.length
      ? [session.items.map((id) => h("button", { type: "button", class: "chip", "data-key": `chip-${id}`, "aria-label": `Take ${id} out`, onclick: () => remove(id) }, id, h("span", { "aria-hidden": "true" }, " ✕"))),
        h("button", { type: "button", class: "quiet", onclick: () => { session.items = []; load(); } }, "Clear")]
      : h("p", { class: "soft" }, "Click an item below, or type its id, to begin a session. Nobody's history is used, and nothing is stored."));
  }

  const buttons = (item) => h("button", { type: "button", class: "small", "data-key": `add-${item.id}`, "aria-label": `Add ${item.id} to the session`, onclick: () => add(item.id) }, "Add");

  async function load() {
    showChips();
    const asked = session.items;
    try {
      const body = asked.length
        ? await post("v1/recommend", { items: asked, n: N, explain: true, diversity: session.diversity })
        : undefined;
      const items = body ? body.items : await get(`v1/popular?n=${N}`, signal);
      // A slower answer to an older question is not shown.
      if (asked !== session.items || signal.aborted) return;
      const changes = body && shown ? moves(shown, items) : new Map();
      shown = body ? items : undefined;
      put(out, h("section", { class: "panel", "aria-label": "List" },
        h("h2", null, body ? "Recommended beside it" : "Popular items to begin with"), body && answeredBy(body),
        items.length ? list(items, { label: "Items for the session", changes, buttons })
          : empty("No items yet", h("p", null, "Items come with events. ", h("a", { href: "#/try/user" }, "Send one"), " for a start."))));
    } catch (problem) {
      if (problem.name !== "AbortError") put(out, failure(problem, load));
    }
  }
  load();
}
