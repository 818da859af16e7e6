/** How the chosen fabric drapes: weight, thickness, stretch and stiffness. Owners can correct them. */

import { isOwn } from "./catalog_grid.js";
import { el, sentence } from "./dom.js";

const FIELDS = {
  weight_gsm: ["Weight", "g/m²"],
  thickness_mm: ["Thickness", "mm"],
  stretch_warp: ["Stretch lengthwise", "%"],
  stretch_weft: ["Stretch crosswise", "%"],
  bend: ["Stiffness", "µN·m"],
};

export class FabricDrape {
  #studio;
  #fabric = null;
  #inputs = Object.fromEntries(
    Object.keys(FIELDS).map((name) => [name, el("input", { id: `drape-${name}`, type: "number", min: 0, step: "any" })]),
  );
  #ranges = Object.fromEntries(Object.keys(FIELDS).map((name) => [name, el("span", { class: "note" })]));
  #save = el("button", { type: "submit" }, "Save these values");
  #state = el("p", { class: "note", role: "status" });

  constructor(studio) {
    this.#studio = studio;
    const onsubmit = (event) => {
      event.preventDefault();
      this.#keep();
    };
    const fields = Object.entries(FIELDS).map(([name, [label, unit]]) =>
      el("div", {}, el("label", { for: `drape-${name}` }, `${label}, ${unit}`), this.#inputs[name], this.#ranges[name]),
    );
    this.element = el(
      "details",
      { class: "drape" },
      el("summary", {}, "How it drapes"),
      el("form", { onsubmit }, fields, this.#save, this.#state),
    );
  }

  show(fabric) {
    this.#fabric = fabric;
    const mine = fabric.tags !== undefined && isOwn(fabric);
    for (const [name, input] of Object.entries(this.#inputs)) {
      input.value = fabric[name] ?? "";
      input.readOnly = !mine;
      const [low, high] = fabric.drape_ranges?.[name] ?? [];
      this.#ranges[name].textContent = low === undefined ? "" : `${fabric.fabric_class}: ${low} to ${high}`;
    }
    this.#save.hidden = !mine;
    this.#state.textContent = "";
  }

  async #keep() {
    const values = Object.entries(this.#inputs).map(([name, { value }]) => [name, value === "" ? null : Number(value)]);
    try {
      const saved = await this.#studio.client.changeFabric({ ...this.#fabric, ...Object.fromEntries(values) });
      await this.#studio.reloadFabrics();
      this.#studio.selectFabric(saved);
      this.#state.textContent = "Saved.";
    } catch (error) {
      this.#state.textContent = sentence(error.message);
    }
  }
}
