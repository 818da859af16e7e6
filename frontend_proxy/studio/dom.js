/** Builds DOM elements without a framework. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * An HTML element. Attributes named `on…` with a function are listeners; `true` is an empty attribute; `false`,
 * null and undefined are left out, except `aria-…="false"`, which has a meaning. Children are nodes, text,
 * numbers, or arrays of these; null and false are left out.
 */
export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** An SVG element; see `el`. */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/** A server's message as a sentence: it begins with a capital letter and ends with a full stop. */
export function sentence(message) {
  const text = String(message ?? "Something went wrong");
  const capital = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?…]$/.test(capital) ? capital : `${capital}.`;
}

/** "1 step", "2 steps"; `many` for words that do not just get an s. */
export function counted(count, one, many = `${one}s`) {
  return `${count} ${count === 1 ? one : many}`;
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on") && typeof value === "function") {
      node.addEventListener(name.slice(2), value);
    } else if (name.startsWith("aria-") && value != null) {
      node.setAttribute(name, String(value));
    } else if (value != null && value !== false) {
      node.setAttribute(name, value === true ? "" : String(value));
    }
  }
  node.append(...children.flat(Infinity).filter((child) => child != null && child !== false));
  return node;
}

const KEPT_MS = 60_000; // an address that the browser may still be reading from

/** Clicks a link to a File, with `attributes` of the link. */
export function offer(file, attributes = { download: file.name }) {
  const href = URL.createObjectURL(file);
  el("a", { href, ...attributes }, el("img", { alt: "" })).click(); // Quick Look wants a picture inside
  setTimeout(() => URL.revokeObjectURL(href), KEPT_MS);
}
