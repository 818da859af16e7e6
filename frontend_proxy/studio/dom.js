/** Elements without a framework. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * An HTML element. Attributes named `on…` with a function are listeners; `true` is an empty attribute; `false`,
 * null and undefined are left out, but for `aria-…`, where "false" means something. Children are nodes, text,
 * numbers, arrays of these; null and false are left out.
 */
export function el(tag, attributes = {}, ...children) {
  return furnish(document.createElement(tag), attributes, children);
}

/** An SVG element, as `el`. */
export function svg(tag, attributes = {}, ...children) {
  return furnish(document.createElementNS(SVG, tag), attributes, children);
}

function furnish(node, attributes, children) {
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
