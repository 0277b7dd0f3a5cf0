// Elements from names and texts. Text only ever becomes a text node: nothing that a user sent is read as markup.

const SVG = "http://www.w3.org/2000/svg";

function dress(element, props) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.setAttribute("class", value);
    else if (name === "value" || name === "checked" || name === "selected") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  return element;
}

function fill(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return element;
}

/** An HTML element: `h("p", { class: "soft" }, "text", otherElement)`. */
export function h(tag, props, ...children) {
  return fill(dress(document.createElement(tag), props), children);
}

/** An SVG element. */
export function svg(tag, props, ...children) {
  return fill(dress(document.createElementNS(SVG, tag), props), children);
}

/** Replaces what is in `parent`, and leaves the focus on the element of the same `data-key`. */
export function put(parent, ...children) {
  const focused = document.activeElement;
  const key = focused && parent.contains(focused) ? focused.dataset.key : undefined;
  const fresh = document.createDocumentFragment();
  fill(fresh, children);
  parent.replaceChildren(fresh);
  if (key) parent.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
  return parent;
}

/** Sets a text where it has changed, so that screen readers and selections are left alone where it has not. */
export function say(element, text) {
  const wanted = String(text);
  if (element.textContent !== wanted) element.textContent = wanted;
}

/** Whether something has changed since it was last asked of this memory. */
export function memory() {
  let last;
  return (value) => {
    const text = JSON.stringify(value);
    const changed = text !== last;
    last = text;
    return changed;
  };
}

/** Calls back every `ms` until the signal, without overlap and not while the page is hidden. */
export function every(ms, signal, work) {
  const timer = setInterval(() => {
    if (!document.hidden) work();
  }, ms);
  signal.addEventListener("abort", () => clearInterval(timer));
}

/** A table with a caption for those who hear it. A head is a text, or has a class with its text or one only `heard`. */
export function table(caption, heads, rows, props) {
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    h("table", props,
      h("caption", { class: "hidden" }, caption),
      h("thead", null, h("tr", null, heads.map((head) =>
        typeof head === "string" ? h("th", { scope: "col" }, head)
          : h("th", { scope: "col", class: head.class }, head.heard ? h("span", { class: "hidden" }, head.heard) : head.text)))),
      h("tbody", null, rows)));
}

/** Names with their values. */
export function facts(...pairs) {
  return h("dl", { class: "facts" },
    pairs.filter(Boolean).map(([name, value]) => h("div", null, h("dt", null, name), h("dd", null, value))));
}
