/** The catalog's fabrics as a row of radio buttons. */

import { el } from "./dom.js";

export class Swatches {
  #row = el("div", { class: "swatches" });
  #name = el("span", { class: "chosen" });

  /** @param {import("./studio.js").Studio} studio */
  constructor(studio) {
    this.element = el("fieldset", { class: "fabric-choice" }, el("legend", {}, "Fabric ", this.#name), this.#row);
    studio.addEventListener("fabrics", () => this.#fill(studio));
    studio.addEventListener("fabric", () => this.#mark(studio.fabric));
    this.#fill(studio);
  }

  #fill(studio) {
    this.#row.replaceChildren(
      ...studio.fabrics.map((fabric) =>
        el(
          "label",
          { class: "swatch", title: fabric.name },
          el("input", { type: "radio", name: "fabric", value: fabric.id, onchange: () => studio.selectFabric(fabric) }),
          el("img", { src: fabric.thumbnail, alt: "", width: 52, height: 52, loading: "lazy" }),
          el("span", { class: "unseen" }, fabric.name),
        ),
      ),
    );
    this.#mark(studio.fabric);
  }

  #mark(fabric) {
    this.#name.textContent = fabric?.name ?? "";
    for (const radio of this.#row.querySelectorAll("input")) radio.checked = radio.value === fabric?.id;
  }
}
