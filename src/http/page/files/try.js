// Trying it out: a user, a session built by clicking, and items.

import { get } from "./api.js";
import { h, put } from "./dom.js";
import { trySession } from "./try-session.js";
import { tryItems } from "./try-items.js";
import { tryUser } from "./try-user.js";

const PARTS = [
  ["user", "A user", tryUser], ["session", "A session", trySession], ["items", "Items", tryItems],
];

export function tryIt(root, [name = "user", ...rest], signal) {
  const [, , view] = PARTS.find(([known]) => known === name) ?? PARTS[0];
  const box = h("div", { class: "stack" });
  put(root,
    h("div", { class: "title" }, h("h1", null, "Try it"),
      h("nav", { class: "subtabs", "aria-label": "What to try" }, PARTS.map(([known, text]) =>
        h("a", { href: `#/try/${known}`, "aria-current": known === name ? "page" : undefined }, text)))),
    box, itemNames());
  view(box, rest, signal);
}

let names;

/** Ids of popular items to complete what is typed; asked for once. Without them, ids are typed whole. */
function itemNames() {
  const list = h("datalist", { id: "item-names" });
  names ??= get("v1/popular?n=300").catch(() => (names = undefined));
  names.then((items) => items && put(list, items.map((item) => h("option", { value: item.id }))));
  return list;
}
