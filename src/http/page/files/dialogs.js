// Questions that stop the work until they are answered: confirmations and keys.

import { h } from "./dom.js";

let named = 0;

/** Opens a modal dialog with a form; resolves with what `read` gives on the main button, else with undefined. */
export function open({ title, body, action, danger, read = () => true, first }) {
  return new Promise((resolve) => {
    const id = `dialog-${++named}`;
    const error = h("p", { class: "field-error", role: "alert" });
    const main = h("button", { type: "submit", class: danger ? "danger" : "primary" }, action);
    let answer;
    const dialog = h("dialog", { "aria-labelledby": id, onclose: () => { dialog.remove(); resolve(answer); } },
      h("form", {
        novalidate: true,
        onsubmit: async (event) => {
          event.preventDefault();
          main.disabled = true;
          try {
            answer = await read();
            dialog.close();
          } catch (problem) {
            error.textContent = problem.message;
          } finally {
            main.disabled = false;
          }
        },
      },
      h("h2", { id }, title), body, error,
      h("div", { class: "row end" },
        h("button", { type: "button", onclick: () => dialog.close() }, "Cancel"), main)));
    document.body.append(dialog);
    dialog.showModal();
    (first ?? main).focus();
  });
}

/** Whether the user confirms. */
export async function confirm(title, text, action, danger = false) {
  return (await open({ title, body: h("p", null, text), action, danger })) === true;
}

/** A key for the service; undefined where the user has none. */
export function askKey(problem) {
  const input = h("input", { type: "password", autocomplete: "off", spellcheck: "false", "aria-describedby": "key-why" });
  return open({
    title: problem.status === 403 ? "This needs another key" : "This service asks for a key",
    body: [
      h("p", { id: "key-why" }, `The service says: ${problem.message}. `,
        "A key with the scope read shows everything but histories; ingest sends events and item data; admin does all. ",
        "It is kept in this tab until you close it."),
      h("label", { class: "field" }, "Key", input),
    ],
    action: "Use this key",
    first: input,
    read: () => {
      const key = input.value.trim();
      if (!key) throw new Error("Type a key, or cancel.");
      if (!/^[\x21-\x7e]+$/.test(key)) throw new Error("A key is visible ASCII characters without spaces.");
      return key;
    },
  });
}
