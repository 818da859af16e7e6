/** A photo with the four corners of its cloth, which pointer and arrow keys can move. */

import { el, svg } from "./dom.js";

const NAMES = ["Top left", "Top right", "Bottom right", "Bottom left"];
const WHOLE = [
  [0, 0],
  [1, 0],
  [1, 1],
  [0, 1],
];
const STEP = 0.005; // of the photo's side; ten times that with Shift
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const clamp = (value) => Math.min(1, Math.max(0, value));
const percent = (share) => `${Math.round(share * 100)} %`;

export class Corners {
  #image = el("img", { alt: "The photo of the cloth", draggable: "false" });
  #outline = svg("polygon", { class: "corners-outline" });
  #handles = NAMES.map((_, index) => this.#handle(index));
  #points = WHOLE;
  #onChange;

  /** `onChange` is called after the user has moved a corner. */
  constructor(onChange) {
    this.#onChange = onChange;
    const drawing = svg(
      "svg",
      { viewBox: "0 0 1 1", preserveAspectRatio: "none", "aria-hidden": "true" },
      this.#outline,
    );
    this.element = el(
      "div",
      { class: "corners", role: "group", "aria-label": "Corners of the cloth" },
      this.#image,
      drawing,
      this.#handles,
    );
  }

  /** [[x, y], …] of the photo's width and height, 0 to 1, clockwise from the top left. */
  get points() {
    return this.#points;
  }

  /** null selects the whole photo. */
  set points(points) {
    this.#points = points ?? WHOLE;
    this.#draw();
  }

  /** Resolves when the photo is visible; rejects if the browser cannot show it. */
  async load(url) {
    this.#image.src = url;
    await this.#image.decode();
    this.points = null;
  }

  #handle(index) {
    return el("button", {
      type: "button",
      class: "corner",
      "aria-describedby": "corner-keys",
      onkeydown: (event) => this.#key(event, index),
      onpointerdown: (event) => event.currentTarget.setPointerCapture(event.pointerId),
      onpointermove: (event) => this.#drag(event, index),
    });
  }

  #key(event, index) {
    const move = MOVES[event.key];
    if (!move) return;
    event.preventDefault();
    const step = STEP * (event.shiftKey ? 10 : 1);
    const [x, y] = this.#points[index];
    this.#move(index, x + move[0] * step, y + move[1] * step);
  }

  #drag(event, index) {
    if (!event.currentTarget.hasPointerCapture(event.pointerId)) return;
    const box = this.element.getBoundingClientRect();
    this.#move(index, (event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
  }

  #move(index, x, y) {
    this.points = this.#points.map((point, at) => (at === index ? [clamp(x), clamp(y)] : point));
    this.#onChange();
  }

  #draw() {
    this.#outline.setAttribute("points", this.#points.map((point) => point.join(",")).join(" "));
    this.#points.forEach(([x, y], index) => {
      const { style } = this.#handles[index];
      style.left = `${100 * x}%`;
      style.top = `${100 * y}%`;
      const where = `${percent(x)} across, ${percent(y)} down`;
      this.#handles[index].setAttribute("aria-label", `${NAMES[index]} corner: ${where}`);
    });
  }
}
