// A form that asks for a name and goes to its place.

import { part } from "./api.js";
import { h } from "./dom.js";

/**
 * `input` takes the name, `fields` are what the form shows. Another name than `current` goes to its place below `place`,
 * the same one loads anew.
 */
export function askFor(label, input, current, place, load, ...fields) {
  return h("form", {
    class: "panel ask", "aria-label": label,
    onsubmit: (event) => {
      event.preventDefault();
      const name = input.value.trim();
      if (!name) input.focus();
      else if (name === current) load();
      else location.hash = `${place}/${part(name)}`;
    },
  }, fields);
}
