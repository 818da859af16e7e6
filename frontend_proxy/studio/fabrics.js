import { el } from "./dom.js";

export function mount(root, studio) {
  root.append(el("p", {}, "Under construction."));
  return { show() {}, hide() {} };
}
