/** The sewn jacket and trousers in Three.js, each drawn on a transparent background to lie over a person. */

import { readBody, readLegs } from "./body.js";
import { loadMaps } from "./cloth.js";
import { creasing } from "./pattern.js";
import { SewnJacket } from "./sewn_jacket.js";
import { SewnTrousers } from "./sewn_trousers.js";
import { DirectionalLight, HemisphereLight, OrthographicCamera, Scene, WebGLRenderer } from "./vendor/three.module.js";

const TILE_MM = 120; // default for a fabric without a known tile width

/** How many tiles of a fabric's maps fit into a metre of cloth. */
export const tilesInMetre = (fabric) => 1000 / (fabric.tile_width_mm ?? fabric.quality?.tile_width_mm ?? TILE_MM);

export class Jacket {
  #renderer;
  #scene = new Scene();
  #camera = new OrthographicCamera();
  #sewn = new SewnJacket();
  #trousers = new SewnTrousers();
  #worn = { jacket: { piece: this.#sewn }, trousers: { piece: this.#trousers } }; // with fabric, maps and creasing

  /** Throws an Error if there is no WebGL. */
  constructor() {
    try {
      this.#renderer = new WebGLRenderer({ alpha: true, antialias: true, powerPreference: "low-power" });
    } catch (error) {
      throw new Error("This browser does not support WebGL, which is needed to draw the jacket.", { cause: error });
    }
    this.#scene.add(this.#sewn, this.#trousers);
    this.#light();
  }

  get canvas() {
    return this.#renderer.domElement;
  }

  /**
   * Takes a fabric of the catalog or a scan's answer, for the "jacket" or the "trousers". Resolves when its maps are
   * loaded; the newest call wins.
   */
  async setFabric(fabric, name = "jacket") {
    const worn = this.#worn[name];
    worn.wanted = fabric;
    const maps = await loadMaps(fabric, tilesInMetre(fabric));
    const newest = worn.wanted === fabric;
    for (const texture of Object.values((newest ? worn.maps : maps) ?? {})) texture.dispose();
    if (!newest) return;
    Object.assign(worn, { maps, creasing: creasing(fabric) });
    worn.piece.dress(fabric, maps);
  }

  /**
   * Draws the jacket on `canvas` as the person in a frame of `width` × `height` pixels wears it.
   * Returns whether there is a person; without one the canvas is empty.
   */
  render(landmarks, width, height) {
    const body = landmarks && readBody(landmarks, width, height);
    if (body) this.#sewn.fit({ ...body, creasing: this.#worn.jacket.creasing ?? 1 });
    return this.#draw(this.#sewn, body, width, height);
  }

  /** The same of the trousers; without legs in the frame the canvas is empty. */
  renderTrousers(landmarks, width, height) {
    const legs = readLegs(landmarks, width, height);
    if (legs) this.#trousers.fit({ ...legs, creasing: this.#worn.trousers.creasing ?? 1 });
    return this.#draw(this.#trousers, legs, width, height);
  }

  #draw(piece, fitted, width, height) {
    if (this.canvas.width !== width || this.canvas.height !== height) this.#renderer.setSize(width, height, false);
    for (const { piece: each } of Object.values(this.#worn)) each.visible = each === piece && Boolean(fitted);
    Object.assign(this.#camera, { left: 0, right: width, top: 0, bottom: -height, near: -4 * width, far: 4 * width });
    this.#camera.updateProjectionMatrix();
    this.#renderer.render(this.#scene, this.#camera);
    return Boolean(fitted);
  }

  #light() {
    const key = new DirectionalLight(0xfff4e6, 3.0);
    key.position.set(-0.9, 1.0, 0.8);
    const fill = new DirectionalLight(0xdfe8ff, 0.6);
    fill.position.set(1, 0.2, 0.5);
    this.#scene.add(new HemisphereLight(0xffffff, 0x6f6a66, 0.95), key, fill);
  }
}

