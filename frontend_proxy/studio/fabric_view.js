/** The chosen fabric: its tile under a moving light, its maps, and how good its photo was. */

import { isOwn } from "./catalog_grid.js";
import { el, sentence } from "./dom.js";
import { FabricDrape } from "./fabric_drape.js";
import { FabricPacks } from "./fabric_packs.js";

const MAPS = {
  diffuseUrl: "Base colour",
  normalUrl: "Normal",
  roughnessUrl: "Roughness",
  aoUrl: "Occlusion",
  heightUrl: "Height",
  ormUrl: "ORM (glTF)",
  alphaUrl: "Opacity",
};
const CALM = matchMedia("(prefers-reduced-motion: reduce)");

const percent = (share) => `${Math.round(100 * share)} %`;

/** The parts of the quality report that a visitor understands. */
function figures({ quality = {}, tile_width_mm: tileWidth = quality.tile_width_mm }) {
  const repeat = quality.repeat_x?.period_mm;
  return [
    ["Sharpness", quality.sharpness != null && percent(quality.sharpness)],
    ["Evenness", quality.evenness != null && percent(quality.evenness)],
    ["Uneven light", quality.light_unevenness != null && percent(quality.light_unevenness)],
    ["Seam", quality.wrap_ratio != null && `${quality.wrap_ratio.toFixed(2)} (1 is seamless)`],
    ["Tile", tileWidth != null && `${Math.round(tileWidth)} mm wide`],
    ["Weave repeats", repeat != null && `every ${repeat.toFixed(1)} mm`],
  ].filter(([, value]) => value);
}

export class FabricView {
  #studio;
  #title = el("h2", { id: "fabric-title" });
  #about = el("p", { class: "note" });
  #stage = el("div", { class: "tile-stage" });
  #pause = el("button", { type: "button", onclick: () => this.#setMoving(!this.#view?.moving) });
  #maps = el("ul", { class: "maps" });
  #advice = el("div", { class: "advice", "aria-live": "polite" });
  #figures = el("dl", { class: "figures" });
  #drape;
  #packs;
  #view = null; // a TileView, made when it is needed
  #shown = false;
  #wantsMotion = !CALM.matches;

  constructor(studio) {
    this.#studio = studio;
    this.#drape = new FabricDrape(studio);
    this.#packs = new FabricPacks(studio);
    this.#stage.addEventListener("pointermove", (event) => this.#point(event));
    this.element = el(
      "section",
      { class: "card fabric-view", "aria-labelledby": "fabric-title", hidden: true },
      this.#title,
      this.#about,
      this.#stage,
      el(
        "div",
        { class: "row" },
        el("button", { type: "button", class: "primary", onclick: () => (location.hash = "tryon") }, "Try it on"),
        this.#pause,
      ),
      this.#advice,
      el("h3", {}, "Maps"),
      this.#maps,
      this.#packs.element,
      this.#figures,
      this.#drape.element,
    );
    studio.addEventListener("fabric", () => this.#show());
    this.#label();
  }

  /** Whether the panel is visible. Nothing is drawn while it is hidden. */
  set shown(shown) {
    this.#shown = shown;
    if (shown) this.#show();
    else if (this.#view) this.#view.moving = false;
  }

  async #show() {
    const { fabric } = this.#studio;
    if (!fabric || !this.#shown) return;
    this.element.hidden = false;
    this.#title.textContent = fabric.name;
    this.#about.textContent =
      fabric.description ?? fabric.tags?.join(", ") ?? "Not in the catalog yet. The jacket already shows it.";
    this.#maps.replaceChildren(
      ...Object.entries(MAPS)
        .filter(([field]) => fabric[field])
        .map((map) => drawMap(fabric, map)),
    );
    this.#figures.replaceChildren(
      ...figures(fabric).map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))),
    );
    this.#drape.show(fabric);
    this.#packs.show(fabric, fabric.tags !== undefined);
    this.#advise(fabric.quality?.advice ?? []);
    try {
      await this.#draw(fabric);
    } catch (error) {
      this.#stage.replaceChildren(
        el("p", { class: "note" }, error.message ?? "The fabric's maps could not be loaded. Please try again."),
      );
    }
  }

  async #draw(fabric) {
    if (!this.#view) {
      const { TileView } = await import("./tile_view.js");
      this.#view ??= new TileView();
      const { canvas } = this.#view;
      canvas.setAttribute("role", "img");
      this.#stage.replaceChildren(canvas);
    }
    this.#view.canvas.setAttribute("aria-label", `${fabric.name}, three by three tiles under a moving light`);
    await this.#view.show(fabric);
    this.#view.canvas.dataset.fabric = fabric.id;
    this.#view.moving = this.#shown && this.#wantsMotion;
    this.#label();
  }

  #advise(advice) {
    this.#advice.replaceChildren(
      ...(advice.length
        ? [
            el("h3", {}, "For a better photo"),
            el(
              "ul",
              {},
              advice.map((text) => el("li", {}, sentence(text))),
            ),
          ]
        : [el("p", { class: "good" }, "This is a good photo: nothing needs to be improved.")]),
    );
    const { tags } = this.#studio.fabric; // a scan that is not saved has no tags
    this.#advice.hidden = tags !== undefined && !isOwn(this.#studio.fabric);
  }

  #setMoving(moving) {
    if (!this.#view) return;
    this.#wantsMotion = moving;
    this.#view.moving = moving;
    this.#label();
  }

  #label() {
    this.#pause.textContent = this.#wantsMotion ? "Stop the light" : "Move the light";
  }

  #point(event) {
    if (!this.#view || this.#wantsMotion) return; // a stopped light follows the pointer
    const box = this.#stage.getBoundingClientRect();
    this.#view.lightAt(
      (2 * (event.clientX - box.left)) / box.width - 1,
      1 - (2 * (event.clientY - box.top)) / box.height,
    );
  }
}

function drawMap(fabric, [field, label]) {
  const name = `${fabric.name} ${label}`.toLowerCase().replace(/[^a-z0-9]+/g, "-");
  return el(
    "li",
    {},
    el(
      "a",
      { href: fabric[field], download: name, title: `Download: ${label}` },
      el("img", { src: fabric[field], alt: "", loading: "lazy" }),
      el("span", {}, label),
    ),
  );
}
