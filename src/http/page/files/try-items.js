// Items: find one by its id, see what is alike, hide it from all lists and show it again.

import { get, part, post } from "./api.js";
import { askFor } from "./ask.js";
import { facts, h, put } from "./dom.js";
import { settingValue } from "./format.js";
import { list } from "./list.js";
import { act, empty, failure, loading, notice } from "./states.js";

const N = 12;

export function tryItems(root, [id = ""], signal) {
  const input = h("input", { value: id, list: "item-names", autocomplete: "off", spellcheck: "false" });
  const form = askFor("Find an item", input, id, "#/try/items", load,
    h("label", { class: "field grow" }, "Item", input),
    h("button", { type: "submit", class: "primary" }, "Find"));
  const out = h("div", { class: "stack" }, loading("items"));
  put(root, form, out);

  async function load() {
    try {
      if (id) await one();
      else await many();
    } catch (problem) {
      if (problem.name === "AbortError") return;
      put(out, problem.status === 404
        ? empty(`There is no item ${id}`, h("p", null, "Ids are exact, capitals included. An item is known once an event or its data has come."))
        : failure(problem, load));
    }
  }

  async function many() {
    const [popular, trending] = await Promise.all([get(`v1/popular?n=${N}`, signal), get(`v1/trending?n=${N}`, signal)]);
    if (!popular.length && !trending.length) {
      put(out, empty("No items yet", h("p", null, "Items come with events, or by PUT /v1/items/{id}. ", h("a", { href: "#/try/user" }, "Send an event"), " for a start.")));
      return;
    }
    put(out, h("div", { class: "two" },
      h("section", { class: "panel" }, h("h2", null, "Popular"), list(popular, { label: "Popular items" })),
      h("section", { class: "panel" }, h("h2", null, "Trending"), list(trending, { label: "Trending items" }))));
  }

  async function one() {
    const [item, similar] = await Promise.all([
      get(`v1/items/${part(id)}`, signal), get(`v1/items/${part(id)}/similar?n=${N}`, signal),
    ]);
    const hide = h("button", {
      type: "button", "data-key": "hide", class: item.hidden ? "primary" : undefined,
      onclick: () => act(hide, async () => {
        // Its data as it is now: what another wrote meanwhile is kept.
        const { id: name, ...data } = await get(`v1/items/${part(id)}`);
        const saved = await post(`v1/items/${part(name)}`, { ...data, hidden: !item.hidden }, "PUT");
        notice(saved.hidden ? `${name} is in no list from now on.` : `${name} may be recommended again.`);
        await load();
      }),
    }, item.hidden ? "Show it again" : "Hide it");
    put(out, h("div", { class: "two" },
      h("section", { class: "panel", "aria-label": "Item" },
        h("div", { class: "row between" }, h("h2", null, item.id), item.hidden ? h("span", { class: "tag warn" }, "hidden") : h("span", { class: "tag good" }, "shown")),
        facts(
          ["Categories", item.categories.length ? item.categories.join(", ") : "none"],
          item.available_from && ["Available from", item.available_from],
          item.available_until && ["Available until", item.available_until],
          ...Object.entries(attributes(item)).map(([name, value]) => [name, settingValue(value)])),
        h("p", { class: "row above" }, hide, h("span", { class: "note" }, item.hidden ? "" : "Hidden items are in no list from the next request on."))),
      h("section", { class: "panel", "aria-label": "Similar items" }, h("h2", null, "Similar"),
        similar.length ? list(similar, { label: `Similar to ${id}` }) : h("p", { class: "soft" }, "Nothing is known to be alike."))));
  }
  load();
}

function attributes(item) {
  const { attributes: given } = item;
  if (given === undefined || given === null) return {};
  return typeof given === "object" && !Array.isArray(given) ? given : { attributes: given };
}
