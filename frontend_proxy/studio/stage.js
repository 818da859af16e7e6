/**
 * The live view: the source's own picture, the jacket over it, and a border between two ways to show it. A light is laid
 * on what is live; a picture is an older frame, so it goes when the connection does.
 */

import { el } from "./dom.js";
import { LightCompositor } from "./light_compositor.js";

/** What stands left and right of the border. "render": the plain jacket; "frame": the person alone. */
export const VIEWS = {
  light: { left: "render", right: "light" },
  picture: { left: "render", right: "picture" },
  garment: { left: "frame", right: "picture" },
  both: { left: "picture", right: "light" },
};
const NAMES = { frame: "Before", render: "Render", picture: "Picture", light: "Light" };
const FORGET_MS = 2000; // without anybody in the picture; the next person has another light

export class Stage {
  #below = el("div", { class: "layer" }); // holds the source's own element
  #render = el("div", { class: "layer" }); // holds the jacket's canvas
  #picture = el("canvas", { class: "layer", "aria-hidden": "true" });
  #lit = el("canvas", { class: "layer", "aria-hidden": "true" });
  #compositor = new LightCompositor(this.#lit, { over: true });
  #view = VIEWS.light;
  #pictured = false; // whether there is a picture
  #lighted = false; // whether a light is shown
  #drawn = null; // the version of the jacket that was drawn last
  #seen = { time: null, size: null, person: 0 }; // of the source's last frame
  #names = { left: el("span", { class: "pill before" }), right: el("span", { class: "pill after" }) };
  #note = el("p", { class: "stage-note", role: "status" });
  #split = el("input", { type: "range", class: "split", min: 0, max: 100, value: 50, oninput: () => this.#place() });

  constructor() {
    this.element = el(
      "figure",
      { class: "stage" },
      el("div", { class: "pictures" }, this.#below, this.#render, this.#picture, this.#lit),
      this.#split,
      el("span", { class: "divider", "aria-hidden": "true" }, el("span", {}, "◂ ▸")),
      this.#names.left,
      this.#names.right,
      this.#note,
    );
    this.#arrange();
  }

  /** Call it before the first frame of another source. @param overlay the canvas with the jacket */
  open({ element, mirrored }, overlay) {
    this.#below.replaceChildren(element);
    this.#render.replaceChildren(overlay);
    for (const picture of [element, overlay]) picture.setAttribute("aria-hidden", "true");
    this.element.classList.toggle("mirrored", mirrored);
    this.#seen = { time: null, size: null, person: performance.now() };
    this.clear();
  }

  /** Shows one of VIEWS. */
  set view(name) {
    this.#view = VIEWS[name];
    this.#drawn = null;
    this.#arrange();
  }

  /**
   * Draws the jacket, `version` of which changes with the overlay. Returns whether anything on the stage has changed.
   * An overlay that is null is not shown: a photo of another garment is worn.
   */
  draw({ element, width, height, moving }, overlay, landmarks, version, fabric) {
    this.#fitSize(width, height);
    this.#render.hidden = !overlay;
    const fresh = version !== this.#drawn;
    const time = moving ? (element.currentTime ?? performance.now()) : null; // of a video, that of its frame
    const moved = time !== this.#seen.time;
    this.#seen.time = time;
    this.#look(landmarks);
    if (this.#shows("light") && this.#compositor.lit && (fresh || !this.#compositor.settled)) {
      this.#compositor.draw({ frame: element, layer: overlay, landmarks, fresh, fabric_id: fabric });
    }
    this.#drawn = version;
    if (this.#compositor.lit !== this.#lighted) this.#arrange(); // shown when it is drawn, not before
    return fresh || moved;
  }

  /** @param result an answer with a light */
  async showLight(result) {
    if (await this.#compositor.take(result)) this.#drawn = null;
  }

  /** @param {Blob} image the server's picture */
  async showPicture(image) {
    const bitmap = await createImageBitmap(image);
    Object.assign(this.#picture, { width: bitmap.width, height: bitmap.height });
    this.#picture.getContext("2d").drawImage(bitmap, 0, 0);
    bitmap.close();
    this.#pictured = true;
    this.#arrange();
  }

  /** Hides the last picture, which gets older; a light stays valid for what is live. */
  clearPicture() {
    this.#pictured = false;
    this.#arrange();
  }

  /** Forgets all answers: another jacket, or another source. */
  clear() {
    this.#compositor.clear();
    this.#drawn = null;
    this.clearPicture();
  }

  /** Shows why there is no picture; an empty text hides the note. */
  note(text = "") {
    if (this.#note.textContent !== text) this.#note.textContent = text; // a screen reader reads every change
    this.#note.hidden = !text;
  }

  #shows(what) {
    return this.#view.left === what || this.#view.right === what;
  }

  /** Forgets the light when nobody has been seen for a while. */
  #look(landmarks) {
    const now = performance.now();
    if (landmarks) this.#seen.person = now;
    else if (this.#compositor.lit && now - this.#seen.person > FORGET_MS) this.#compositor.clear();
  }

  /** A camera that is turned changes its size. */
  #fitSize(width, height) {
    const size = `${width} / ${height}`;
    if (size === this.#seen.size) return;
    this.#seen.size = size;
    this.element.style.setProperty("--aspect", size);
  }

  #arrange() {
    const { left, right } = this.#view;
    this.#lighted = this.#compositor.lit && this.#drawn !== null;
    const there = { frame: true, render: true, picture: this.#pictured, light: this.#lighted };
    this.element.dataset.left = there[left] ? left : "render";
    this.element.dataset.right = there[right] ? right : "render";
    this.element.classList.toggle("answered", there[left] && there[right]);
    for (const side of ["left", "right"]) this.#names[side].textContent = NAMES[this.#view[side]];
    this.#place();
  }

  #place() {
    const share = this.#split.value;
    this.element.style.setProperty("--split", `${share}%`);
    const [left, right] = [this.#view.left, this.#view.right].map((name) => NAMES[name].toLowerCase());
    this.#split.setAttribute("aria-label", `Border between ${left} and ${right}`);
    this.#split.setAttribute("aria-valuetext", `${share} percent ${left}`);
  }
}
