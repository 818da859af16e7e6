/** The live view with the jacket's render, and the server's answer over its right part. */

import { el } from "./dom.js";

export class Stage {
  #live = el("canvas", { "aria-hidden": "true" });
  #result = el("canvas", { class: "result", "aria-hidden": "true" });
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
      el("div", { class: "pictures" }, this.#live, this.#result),
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
    this.clear();
    this.#place();
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
    this.element.classList.add("answered");
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
