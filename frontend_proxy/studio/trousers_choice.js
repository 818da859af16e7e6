/** Trousers under the jacket: none, or of one of the catalog's fabrics. */

import { el } from "./dom.js";

export class TrousersChoice {
  #select = el("select", { id: "trousers" });

  /** @param {import("./studio.js").Studio} studio */
  constructor(studio) {
    this.element = el("div", { class: "field" }, el("label", { for: "trousers" }, "Trousers"), this.#select);
    this.#select.addEventListener("change", () => {
      studio.wearTrousers(studio.fabrics.find(({ id }) => id === this.#select.value) ?? null);
    });
    studio.addEventListener("fabrics", () => this.#fill(studio));
    this.#fill(studio);
  }

  #fill({ fabrics, trousers }) {
    const options = [["", "none"], ...fabrics.map(({ id, name }) => [id, name])];
    this.#select.replaceChildren(...options.map(([value, text]) => el("option", { value }, text)));
    this.#select.value = trousers?.id ?? "";
  }
}
