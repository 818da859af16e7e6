/** Paints with WebGL 2: the formula of pipeline/light/relighting.py, in passes over small textures and one over the garment. */

import { Surface } from "./light_gl.js";
import { between, inverse } from "./light_geometry.js";
import * as shaders from "./light_shaders.js";

const FRAME = [0, 0, 1, 1];
const SIDE = 256; // rows of a light over its crop: lucy-tiny's resolution
const BLUR = 1.5; // in blocks; a Gaussian with more is computed on larger blocks
const FOLDS = 3; // folds are finer than this many sigma
const ROWS = 24; // of tiles over the frame
/** How often the light and the folds' detail are computed; where they are drawn moves with every frame. */
const RENEW_MS = 40;
const SOFTWARE = /swiftshader|llvmpipe|softpipe|software|basic render/i; // of renderers
/**
 * A render is made as soft as a camera's picture (pipeline/garment/softness.py), by a Gaussian with this sigma in
 * pixels. Two bilinear samples, SOFT from the middle, are nearly the same where a pixel of the canvas is one of the frame.
 */
const SIGMA = 0.475;
const SOFT = 0.178;
/** Frame space → the canvas, whose first row is the lower one. */
const TO_CANVAS = [1, 0, 0, 0, -1, 0, 0, 1, 1];
const SAME = [1, 0, 0, 0, 1, 0, 0, 0, 1];

const whole = (name, fragment) => ({ name, vertex: shaders.WHOLE, fragment });
const tiled = (name, fragment) => ({ name, vertex: shaders.TILES, fragment });
const KEEP = whole("keep", shaders.KEEP);
const ENLARGE = whole("enlarge", shaders.ENLARGE);
const COVERAGE = whole("coverage", shaders.COVERAGE);
const BRIGHTNESS = tiled("brightness", shaders.BRIGHTNESS);
const BLOCKS = whole("blocks", shaders.BLOCKS);
const MEAN = whole("mean", shaders.MEAN);
const LIT = tiled("lit", shaders.LIT);
const JACKET = tiled("jacket", shaders.JACKET);

const square = (name, side = SIDE) => ({ name, width: side, height: side });

export class WebGLLight {
  kind = "webgl2";
  #gl;
  #surface;
  #light = null;
  #drawn = null; // what the last draw depended on
  #renewed = -Infinity; // when the texture `lit` was computed
  #stale = false; // whether it has to be computed again
  #lost = false;

  /**
   * On a canvas; null if there is no WebGL 2. kept: what is drawn stays readable, for a canvas that is not shown itself.
   * slow: also where no GPU computes it.
   */
  static on(canvas, { kept, slow }) {
    if (!slow && !hasGpu()) return null;
    const gl = canvas.getContext("webgl2", { antialias: false, depth: false, preserveDrawingBuffer: kept });
    return gl ? new WebGLLight(gl) : null;
  }

  constructor(gl) {
    this.#gl = gl;
    this.#surface = new Surface(gl);
    gl.canvas.addEventListener("webglcontextlost", (event) => {
      event.preventDefault(); // so that it comes back
      this.#lost = true;
    });
    gl.canvas.addEventListener("webglcontextrestored", () => {
      this.#lost = false;
      this.#surface.reset();
      this.#drawn = null;
      if (this.#light) this.take(this.#light, null);
    });
  }

  /**
   * A new light. `earlier` tells where the one before is seen from it: { crop, move: from its frame to the new
   * light's, share: how far it had come }; null if there is none.
   */
  take(light, earlier, aspect = 1) {
    this.#light = light;
    this.#drawn = null;
    this.#renewed = -Infinity;
    if (this.#lost) return;
    const surface = this.#surface;
    if (earlier) {
      const toBefore = between(light.crop, inverse(earlier.move), earlier.crop, aspect);
      const both = { earlier: "earlier", newest: "newest" };
      surface.pass(KEEP, square("spare"), both, { toBefore, share: earlier.share });
      surface.swap("earlier", "spare");
    }
    surface.upload("map", light.map);
    const { width, height } = light.map;
    surface.pass(ENLARGE, { name: "wide", width: SIDE, height }, { map: "map" }, { down: 0, scale: light.range / shaders.LOGS });
    surface.pass(ENLARGE, square("newest"), { map: "wide" }, { down: 1, scale: 1 });
    if (!earlier) surface.fill(square("earlier"), 0.5, 0.5, 0.5, 1); // a light that changes nothing
    if (light.occlusion) surface.upload("occlusion", light.occlusion);
  }

  clear() {
    this.#light = this.#drawn = null;
    this.#stale = false;
  }

  /** Whether the last draw showed the newest layer in its newest light, to the last detail. */
  get settled() {
    return !this.#stale;
  }

  /** Draws the jacket, transparent around it; see LightCompositor.draw. Returns whether anything has changed. */
  draw({ layer, fresh, move, aspect, share, now }) {
    if (this.#lost) return false;
    const surface = this.#surface;
    const { width, height } = this.#gl.canvas;
    const drawn = JSON.stringify([layer !== null, move, aspect, share, width, height]);
    if (!fresh && !this.#stale && drawn === this.#drawn) return false;
    this.#drawn = drawn;
    surface.fill(null, 0, 0, 0, 0);
    if (!layer) return true;
    if (fresh) surface.upload("layer", layer, { premultiplied: true });
    const light = this.#light;
    const grid = [Math.max(1, Math.round(ROWS * aspect)), ROWS];
    const tiles = grid[0] * grid[1];
    const places = {
      toLayer: matrix(light?.layer),
      toCrop: light ? between(FRAME, inverse(move), light.crop, aspect) : SAME,
    };
    const kinds = [light?.layer && "PLACED", light?.occlusion && "OCCLUDED"].filter(Boolean);
    const pictures = { layer: "layer", occlusion: "occlusion", tiles: "tiles" };
    const target = { name: "tiles", width: grid[0], height: grid[1] };
    surface.pass({ ...COVERAGE, defines: kinds }, target, pictures, { ...places, grid });
    this.#stale = light !== null && now - this.#renewed < RENEW_MS;
    if (light && !this.#stale) {
      this.#renewed = now;
      this.#relight(pictures, { ...places, toTarget: places.toCrop }, kinds, tiles, { move, aspect, width, height, share });
    }
    const equal = layer.width === width && layer.height === height && !light?.layer;
    const softens = light && layer.width * layer.height * 1.04 > width * height;
    const soft = equal ? SOFT : SIGMA;
    const defines = [...kinds, light && "LIGHT", softens && (equal ? "SOFT" : "FINE")].filter(Boolean);
    const values = { ...places, toTarget: TO_CANVAS, floorLevel: light?.floor ?? 0, soft: [soft / width, soft / height] };
    surface.pass({ ...JACKET, defines }, null, { ...pictures, lit: "lit" }, values, tiles);
    return true;
  }

  /** Computes what the light and the folds' own detail change: the texture `lit`, over the crop. */
  #relight(pictures, places, defines, tiles, { move, aspect, width, height, share }) {
    const surface = this.#surface;
    const { sigma, detailGain: gain, floor: floorLevel, crop } = this.#light;
    const toFrame = between(crop, move, FRAME, aspect);
    const halved = 2 ** Math.max(0, Math.floor(Math.log2((Math.hypot(toFrame[0], toFrame[1] / aspect) * width) / SIDE)));
    const corner = [toFrame[6], toFrame[7]];
    const [xx, yx, , xy, yy, , x, y] = places.toLayer;
    const [stepX, stepY] = [halved / width, halved / height];
    const [u, v] = [corner[0] + stepX / 2, corner[1] + stepY / 2];
    const sampled = {
      corner,
      perStep: [1 / stepX, 1 / stepY],
      origin: [xx * u + xy * v + x, yx * u + yy * v + y],
      across: [xx * stepX, yx * stepX],
      down: [xy * stepY, yy * stepY],
    };
    surface.fill(square("brightness"), 0, 0, 0, 1);
    surface.pass({ ...BRIGHTNESS, defines }, square("brightness"), pictures, { ...places, ...sampled, floorLevel }, tiles);
    const rows = FOLDS * sigma * SIDE;
    const block = Math.max(1, Math.floor(rows / BLUR));
    const side = Math.floor(SIDE / block);
    surface.pass(BLOCKS, square("blocks", side), { brightness: "brightness" }, { block });
    surface.pass(MEAN, square("across", side), { blocks: "blocks" }, { sigma: rows / block, down: 0 });
    surface.pass(MEAN, square("mean", side), { blocks: "across" }, { sigma: rows / block, down: 1 });
    surface.fill(square("lit"), 0.5, 0.5, 0.5, 1);
    const lights = { earlier: "earlier", newest: "newest", brightness: "brightness", mean: "mean", tiles: "tiles" };
    const inMean = SIDE / (side * block);
    const values = { ...places, share, gain, least: floorLevel / (1 + floorLevel), inMean: [inMean, inMean] };
    surface.pass({ ...LIT, defines: share < 1 ? ["EASING"] : [] }, square("lit"), lights, values, tiles);
  }
}

/** Whether WebGL is computed by a GPU. Not all browsers report a processor's as a `failIfMajorPerformanceCaveat`. */
function hasGpu() {
  const gl = document.createElement("canvas").getContext("webgl2", { failIfMajorPerformanceCaveat: true });
  const named = gl?.getExtension("WEBGL_debug_renderer_info")?.UNMASKED_RENDERER_WEBGL;
  return gl !== null && !SOFTWARE.test(gl.getParameter(named ?? gl.RENDERER));
}

/** A column-wise 3×3 matrix of `layer_matrix`: [xx, xy, x, yx, yy, y] row by row. */
function matrix(rows) {
  const [xx, xy, x, yx, yy, y] = rows ?? [1, 0, 0, 0, 1, 0];
  return [xx, yx, 0, xy, yy, 0, x, y, 1];
}
