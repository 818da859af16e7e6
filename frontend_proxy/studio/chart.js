/** A line chart of the last three minutes, as SVG. */

import { el, svg } from "./dom.js";

const [WIDTH, HEIGHT] = [300, 90];
const LENGTH = 90; // points: three minutes at a poll every two seconds

export class Chart {
  #lines;
  #name;
  #format;
  #top = el("span", { class: "chart-top" });
  #picture = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" });
  #now = el("p", { class: "chart-now" });

  /** @param series the lines' names   @param format writes a value with its unit */
  constructor(name, series, format) {
    this.#name = name;
    this.#format = format;
    this.#lines = series.map((label, index) => {
      const path = svg("path", { class: `line line-${index}`, fill: "none", "vector-effect": "non-scaling-stroke" });
      return { label, path, points: [] };
    });
    const half = svg("line", {
      class: "chart-half",
      x1: 0,
      x2: WIDTH,
      y1: HEIGHT / 2,
      y2: HEIGHT / 2,
      "vector-effect": "non-scaling-stroke",
    });
    this.#picture.append(half, ...this.#lines.map(({ path }) => path));
    this.element = el(
      "figure",
      { class: "card chart" },
      el("figcaption", {}, name),
      this.#now,
      el("div", { class: "chart-plot" }, this.#top, this.#picture),
    );
    this.#draw();
  }

  /** Adds one value to each line; null leaves a gap. */
  add(...values) {
    this.#lines.forEach(({ points }, index) => {
      points.push(values[index]);
      if (points.length > LENGTH) points.shift();
    });
    this.#draw();
  }

  /** Adds a gap: nothing was measured for a while. */
  gap() {
    if (this.#lines[0].points.length) this.add(...this.#lines.map(() => null));
  }

  #draw() {
    const highest = Math.max(0, ...this.#lines.flatMap(({ points }) => points.filter((point) => point !== null)));
    const top = roundUp(highest);
    for (const { path, points } of this.#lines) path.setAttribute("d", trace(points, top));
    this.#top.textContent = highest ? this.#format(top) : "";
    const write = (value) => (value == null ? "–" : this.#format(value));
    const several = this.#lines.length > 1;
    this.#now.replaceChildren(
      ...this.#lines.map(({ label, points }, index) =>
        el("span", { class: `key-${index}` }, several && el("small", {}, label, " "), write(points.at(-1))),
      ),
    );
    const said = this.#lines
      .map(({ label, points }) => `${several ? `${label} ` : ""}${write(points.at(-1))}`)
      .join(", ");
    this.#picture.setAttribute("aria-label", `${this.#name}, last three minutes; now ${said}`);
  }
}

/** The next of 1, 2, 5, 10, 20 … */
function roundUp(value) {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= value);
}

function trace(points, top) {
  let path = "";
  let pen = "M";
  points.forEach((point, index) => {
    if (point === null) {
      pen = "M";
      return;
    }
    const x = WIDTH * (1 - (points.length - 1 - index) / (LENGTH - 1));
    const y = HEIGHT - 2 - (HEIGHT - 4) * (point / top);
    path += `${pen}${x.toFixed(1)} ${y.toFixed(1)}`;
    pen = "L";
  });
  return path;
}
