/** The live view with the jacket's render, and the answers over its right part: pictures, or lights on what is live. */

import { el } from "./dom.js";
import { LightCompositor } from "./light_compositor.js";

export class Stage {
  #live = el("canvas", { "aria-hidden": "true" });
  #result = el("canvas", { class: "result", "aria-hidden": "true" });
  #lit = el("canvas", { class: "result lit", "aria-hidden": "true" });
  #compositor = new LightCompositor(this.#lit);
  #drawn = null; // the last drawn version of the jacket
  #note = el("p", { class: "stage-note", role: "status" });
  #split = el("input", {
    type: "range",
    class: "split",
    min: 0,
    max: 100,
    value: 50,
    "aria-label": "Border between the live render and the photo",
    oninput: () => this.#place(),
  });

  constructor() {
    this.element = el(
      "figure",
      { class: "stage" },
      el("div", { class: "pictures" }, this.#live, this.#result, this.#lit),
      this.#split,
      el("span", { class: "divider", "aria-hidden": "true" }, el("span", {}, "◂ ▸")),
      el("span", { class: "pill before" }, "Render"),
      el("span", { class: "pill after" }, "Lucy"),
      this.#note,
    );
    this.#place();
    this.clear();
  }

  /** Call it before the first frame of another source. */
  open({ width, height, mirrored }) {
    for (const canvas of [this.#live, this.#result]) Object.assign(canvas, { width, height });
    this.element.style.setProperty("--aspect", `${width} / ${height}`);
    this.element.classList.toggle("mirrored", mirrored);
    this.#compositor.clear();
    this.#drawn = null;
    this.clear();
    this.#place();
  }

  /** Draws the jacket in the newest light. `version` changes with the overlay; returns whether anything was drawn. */
  drawLit({ element: frame, moving }, overlay, landmarks, version) {
    const fresh = version !== this.#drawn;
    if (!fresh && !moving && this.#compositor.settled) return false;
    this.#compositor.draw({ frame, layer: overlay, landmarks, fresh });
    this.#drawn = version;
    return true;
  }

  /** @param result an answer with a light */
  async showLight(result) {
    if (!(await this.#compositor.take(result))) return;
    this.#drawn = null;
    this.#show(true);
  }

  #show(lights) {
    this.element.classList.toggle("lights", lights);
    this.element.classList.add("answered");
  }

  /** @param overlay the jacket's render, or null */
  draw(frame, overlay) {
    const context = this.#live.getContext("2d");
    context.drawImage(frame, 0, 0, this.#live.width, this.#live.height);
    if (overlay) context.drawImage(overlay, 0, 0, this.#live.width, this.#live.height);
  }

  /** @param {Blob} image the server's answer */
  async showResult(image) {
    const bitmap = await createImageBitmap(image);
    this.#result.getContext("2d").drawImage(bitmap, 0, 0, this.#result.width, this.#result.height);
    bitmap.close();
    this.#show(false);
  }

  /** Hides the last answer. */
  clear() {
    this.element.classList.remove("answered");
  }

  /** Shows why there is no picture; an empty text hides the note. */
  note(text = "") {
    if (this.#note.textContent !== text) this.#note.textContent = text; // a screen reader reads every change
    this.#note.hidden = !text;
  }

  #place() {
    this.element.style.setProperty("--split", `${this.#split.value}%`);
    this.#split.setAttribute("aria-valuetext", `${this.#split.value} percent render`);
  }
}
