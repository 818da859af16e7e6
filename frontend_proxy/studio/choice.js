/** A labelled select. `value` reads and writes what is chosen. */

import { el } from "./dom.js";

let number = 0;

/** @param options values and their texts */
export function choice(label, options, onchange) {
  const id = `choice-${(number += 1)}`;
  const select = el(
    "select",
    { id, onchange },
    Object.entries(options).map(([value, text]) => el("option", { value }, text)),
  );
  return {
    element: el("div", { class: "field" }, el("label", { for: id }, label), select),
    get value() {
      return select.value;
    },
    set value(value) {
      select.value = value;
    },
  };
}
