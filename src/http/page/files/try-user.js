// A user: the history, the list with sources and reasons, two versions side by side, and events that change the list.

import { get, part, post } from "./api.js";
import { askFor } from "./ask.js";
import { h, put } from "./dom.js";
import { plural } from "./format.js";
import { answeredBy, history, list, moves } from "./list.js";
import { live } from "./live.js";
import { act, empty, failure, loading, notice } from "./states.js";

const TYPES = ["purchase", "view", "click", "cart", "dislike"];
const EVENTS = 50;

/** What was chosen last, kept while the page is open. */
const chosen = { n: "10", seen: false, type: "purchase", beside: "" };

export function tryUser(root, [user = ""], signal) {
  const input = h("input", { name: "user", value: user, autocomplete: "off", spellcheck: "false", placeholder: "such as shopper-0001 or 25" });
  const n = h("select", { name: "n", onchange: () => { chosen.n = n.value; load(); } },
    ["5", "10", "20", "50"].map((value) => h("option", { value, selected: value === chosen.n }, value)));
  const beside = h("select", { name: "beside", onchange: () => { chosen.beside = beside.value; load(); } },
    h("option", { value: "" }, "no other"));
  const seen = h("input", { type: "checkbox", checked: chosen.seen, onchange: () => { chosen.seen = seen.checked; load(); } });
  const form = askFor("For whom", input, user, "#/try/user", load,
    h("label", { class: "field grow" }, "User", input),
    h("label", { class: "field" }, "Items", n),
    h("label", { class: "field" }, "Beside", beside),
    h("label", { class: "check" }, seen, "with seen items"),
    h("button", { type: "submit", class: "primary" }, "Show the list"));
  const out = h("div", { class: "stack" });
  put(root, form, out);
  // A version that is no longer kept cannot answer.
  if (live.state?.versions.all?.includes(Number(chosen.beside)) === false) chosen.beside = "";
  fillVersions(beside, signal);
  if (!user) {
    put(out, empty("Whose list?", h("p", null, "Type a user's id as your events carry it. A user who is not known gets a list too: from what is trending and popular.")));
    input.focus({ preventScroll: true });
    return;
  }

  const past = h("section", { class: "panel", "aria-label": "History" }, loading("the history"));
  const lists = h("div", { class: "lists" }, loading("the list"));
  const sender = sendForm(user, (event, button) => act(button, () => sendEvent(event)));
  put(out, h("div", { class: "user" }, h("div", { class: "stack" }, sender, past), lists));
  let shown;

  async function showHistory() {
    try {
      const found = await get(`v1/users/${part(user)}?limit=${EVENTS}`, signal);
      put(past, h("h2", null, "History"), found.events.length
        ? [h("p", { class: "note" }, found.events.length === EVENTS ? `the latest ${EVENTS}` : plural(found.events.length, "event")), history(found.events)]
        : h("p", { class: "soft" }, "No events. The list is what anybody new would get."));
    } catch (problem) {
      if (problem.name !== "AbortError") put(past, h("h2", null, "History"), failure(problem, showHistory));
    }
  }

  async function ask(version) {
    const query = new URLSearchParams({ n: chosen.n, explain: "true" });
    if (chosen.seen) query.set("include_seen", "true");
    if (version) query.set("version", version);
    return get(`v1/recommend/${part(user)}?${query}`, signal);
  }

  async function showLists(compare) {
    try {
      const [here, there] = await Promise.all([ask(), chosen.beside ? ask(chosen.beside) : undefined]);
      const changes = compare ? moves(shown?.items, here.items) : new Map();
      shown = here;
      put(lists, column(here, there, changes, "List"), there && column(there, here, new Map(), "Beside it"));
      return [...changes.values()].filter((change) => change !== 0).length;
    } catch (problem) {
      if (problem.name !== "AbortError") put(lists, failure(problem, load));
      return 0;
    }
  }

  function column(body, other, changes, title) {
    const ids = other && new Set(other.items.map((item) => item.id));
    return h("section", { class: "panel", "aria-label": title },
      h("h2", null, other && body.model ? `Version ${body.model.version}` : "List"), answeredBy(body),
      body.items.length
        ? list(body.items, { label: `Items for ${user}`, changes, beside: ids, buttons: title === "List" ? buttons : undefined })
        : h("p", { class: "soft" }, "No item can be recommended: the catalogue is empty, or all of it is seen or hidden."));
  }

  const buttons = (item) => {
    const button = h("button", {
      type: "button", class: "small", "data-key": `send-${item.id}`, "aria-label": `Send ${chosen.type} of ${item.id}`,
      onclick: () => act(button, () => sendEvent({ item: item.id, type: chosen.type, recommendation_id: shown.recommendation_id })),
    }, h("span", { "data-type": "" }, chosen.type));
    return button;
  };

  async function sendEvent(event) {
    const report = await post("v1/events", { user, ...event });
    if (report.rejected?.length) throw new Error(report.rejected[0].error);
    const changed = await showLists(true);
    await showHistory();
    notice(`${event.type} of ${event.item} is in. ${changed ? `${plural(changed, "place")} of the list changed.` : "The list stayed as it was."}`);
  }

  function load() {
    if (!user) return;
    shown = undefined;
    showLists(false);
    showHistory();
  }
  load();
}

async function fillVersions(select, signal) {
  const current = live.state?.versions.all ?? (await get("v1/versions", signal).then((found) => found.versions.map((version) => version.version), () => []));
  put(select, h("option", { value: "" }, "no other"),
    current.map((number) => h("option", { value: String(number), selected: String(number) === chosen.beside }, `version ${number}`)));
}

/** Sends any event of the user. */
function sendForm(user, send) {
  const item = h("input", { name: "item", list: "item-names", autocomplete: "off", spellcheck: "false" });
  const type = h("input", {
    name: "type", list: "event-types", value: chosen.type, autocomplete: "off",
    onchange: () => {
      chosen.type = type.value.trim() || "purchase";
      for (const button of document.querySelectorAll("[data-type]")) {
        button.textContent = chosen.type;
        const holder = button.closest("button");
        holder.setAttribute("aria-label", holder.getAttribute("aria-label").replace(/^Send \S+/, `Send ${chosen.type}`));
      }
    },
  });
  const button = h("button", { type: "submit" }, "Send");
  return h("form", {
    class: "panel send", "aria-label": `Send an event of ${user}`,
    onsubmit: (event) => {
      event.preventDefault();
      const name = item.value.trim();
      if (!name) item.focus();
      else send({ item: name, type: type.value.trim() || "purchase" }, button);
    },
  },
  h("h2", null, "Send an event"),
  h("div", { class: "ask-row" }, h("label", { class: "field grow" }, "Item", item), h("label", { class: "field" }, "Type", type), button),
  h("datalist", { id: "event-types" }, TYPES.map((name) => h("option", { value: name }))));
}
