/**
 * Paints on the processor, where there is no GPU: the same formula as light_webgl.js, three times as fast as WebGL that
 * is computed on the processor.
 */

import { between, inverse } from "./light_geometry.js";
import { enlarged, exponential, hiding, logarithms, moved } from "./light_maps.js";
import { folds } from "./light_folds.js";

const FRAME = [0, 0, 1, 1];
const SIDE = 256; // rows of a light over its crop: lucy-tiny's resolution
const RENEW_MS = 40; // as in light_webgl.js
/**
 * A render is made as soft as a camera's picture (pipeline/garment/softness.py): two bilinear samples on a diagonal, so far
 * from the middle, in pixels of the frame.
 */
const SOFT = 0.178;
const LOOK = 8; // pixels of the frame are one of the picture that tells where the jacket is

export class PixelLight {
  kind = "2d";
  #context;
  #worn = scratch(); // the layer, placed on the frame, without what hides it
  #small = scratch(); // the same over the crop
  #look = scratch(); // the same on the frame, tiny
  #light = null;
  #earlier = null; // Float32Arrays of SIDE × SIDE × 3 logarithms, in the newest light's crop
  #newest = null;
  #factors = null; // { earlier, newest, lit }: exponentials of them; lit: of what is shown, with the folds' detail
  #occlusion = null; // a canvas whose alpha is what hides the jacket
  #drawn = null; // what the last draw depended on
  #renewed = -Infinity; // when `lit` was computed
  #stale = false; // whether it has to be computed again

  constructor(canvas) {
    this.#context = canvas.getContext("2d");
  }

  /** Whether the last draw showed the newest layer in its newest light, to the last detail. */
  get settled() {
    return !this.#stale;
  }

  /** See WebGLLight. */
  take(light, earlier, aspect = 1) {
    const shown = earlier && mixed(this.#earlier, this.#newest, earlier.share);
    this.#newest = enlarged(logarithms(light.map, light.range), light.map.width, light.map.height, SIDE);
    this.#earlier = shown
      ? moved(shown, between(light.crop, inverse(earlier.move), earlier.crop, aspect), SIDE)
      : new Float32Array(this.#newest.length);
    this.#factors = { earlier: exponential(this.#earlier), newest: exponential(this.#newest), lit: null };
    this.#light = light;
    this.#occlusion = light.occlusion && hiding(light.occlusion);
    this.#drawn = null;
    this.#renewed = -Infinity;
  }

  clear() {
    this.#light = this.#earlier = this.#newest = this.#factors = this.#occlusion = this.#drawn = null;
    this.#stale = false;
  }

  /** Draws the jacket, transparent around it; see LightCompositor.draw. Returns whether anything has changed. */
  draw({ layer, fresh, move, aspect, share, now }) {
    const { width, height } = this.#context.canvas;
    const drawn = JSON.stringify([layer !== null, move, aspect, share, width, height]);
    if (!fresh && !this.#stale && drawn === this.#drawn) return false;
    this.#drawn = drawn;
    if (!layer) {
      this.#context.clearRect(0, 0, width, height);
      return true;
    }
    const light = this.#light;
    const toFrame = light && between(light.crop, move, FRAME, aspect);
    const box = this.#covered(layer, toFrame, width, height);
    this.#context.clearRect(0, 0, width, height);
    if (!box) return true;
    const softens = light && layer.width * layer.height * 1.04 > width * height;
    const worn = sized(this.#worn, width, height);
    worn.clearRect(0, 0, width, height);
    worn.save();
    worn.beginPath();
    worn.rect(...box);
    worn.clip();
    this.#place(worn, layer, toFrame, softens ? [-SOFT, SOFT] : [0]);
    worn.restore();
    if (!light) {
      this.#context.drawImage(worn.canvas, 0, 0);
      return true;
    }
    const toCrop = between(FRAME, inverse(move), light.crop, aspect);
    this.#stale = now - this.#renewed < RENEW_MS;
    if (!this.#stale) {
      this.#renewed = now;
      this.#relight(toCrop, share, width, height);
    }
    const jacket = worn.getImageData(...box);
    const result = new ImageData(jacket.width, jacket.height);
    paint(jacket, result, this.#factors.lit, { place: cells(toCrop, box, width, height), floor: 255 * light.floor });
    this.#context.putImageData(result, box[0], box[1]);
    return true;
  }

  /** Where there is any jacket: [x, y, width, height] in pixels, or null. */
  #covered(layer, toFrame, width, height) {
    const [columns, rows] = [Math.ceil(width / LOOK), Math.ceil(height / LOOK)];
    const look = sized(this.#look, columns, rows);
    look.clearRect(0, 0, columns, rows);
    this.#place(look, layer, toFrame, [0]);
    const { data } = look.getImageData(0, 0, columns, rows);
    let [left, right, upper, lowest] = [columns, -1, rows, -1];
    for (let row = 0, at = 3; row < rows; row += 1) {
      for (let column = 0; column < columns; column += 1, at += 4) {
        if (data[at] === 0) continue;
        left = Math.min(left, column);
        right = Math.max(right, column);
        upper = Math.min(upper, row);
        lowest = row;
      }
    }
    if (lowest < 0) return null;
    const [x, y] = [Math.max(0, left - 1) * LOOK, Math.max(0, upper - 1) * LOOK];
    return [x, y, Math.min(width, (right + 2) * LOOK) - x, Math.min(height, (lowest + 2) * LOOK) - y];
  }

  /**
   * Draws the layer on an empty context of the frame's shape, without what hides it.
   *
   * toFrame: a column-wise matrix from the light's crop. shifts: the mean of so many pictures, moved by so many pixels.
   */
  #place(context, layer, toFrame, shifts) {
    const { width, height } = context.canvas;
    const [xx, xy, x, yx, yy, y] = this.#light?.layer ?? [1, 0, 0, 0, 1, 0];
    const back = new DOMMatrix([xx, yx, xy, yy, x, y]).inverse();
    const laid = new DOMMatrix([width, 0, 0, height, 0, 0]).multiply(back);
    context.globalCompositeOperation = "lighter";
    context.globalAlpha = 1 / shifts.length;
    for (const shift of shifts) {
      context.setTransform(new DOMMatrix([1, 0, 0, 1, shift, shift]).multiply(laid));
      context.drawImage(layer, 0, 0, 1, 1);
    }
    context.globalAlpha = 1;
    if (this.#occlusion) {
      const [a, b, , c, d, , e, f] = toFrame;
      context.globalCompositeOperation = "destination-out";
      context.setTransform(a * width, b * height, c * width, d * height, e * width, f * height);
      context.drawImage(this.#occlusion, -1, -1, 3, 3);
    }
    context.resetTransform();
  }

  /** Computes what the light and the folds' own detail change, as factors. */
  #relight(toCrop, share, width, height) {
    const small = sized(this.#small, SIDE, SIDE);
    const [xx, yx, , xy, yy, , x, y] = toCrop.map((value) => value * SIDE);
    small.globalCompositeOperation = "copy";
    small.imageSmoothingQuality = "medium";
    small.setTransform(xx / width, yx / width, xy / height, yy / height, x, y);
    small.drawImage(this.#worn.canvas, 0, 0);
    small.resetTransform();
    const gains = folds(small.getImageData(0, 0, SIDE, SIDE), this.#light);
    const { earlier, newest } = this.#factors;
    const lit = (this.#factors.lit ??= new Float32Array(newest.length));
    for (let cell = 0, at = 0; cell < gains.length; cell += 1) {
      for (let end = at + 3; at < end; at += 1) {
        lit[at] = (share < 1 ? earlier[at] + share * (newest[at] - earlier[at]) : newest[at]) * gains[cell];
      }
    }
  }
}

/**
 * C + m · (C + floor) · (factor − 1) for each pixel of the jacket. It is laid over the frame, which is not known here, so
 * where the jacket is transparent the frame's factor is the mean of the three colours'.
 */
function paint(worn, result, lit, { place, floor }) {
  const { width, height } = worn;
  const from = new Uint32Array(worn.data.buffer);
  const to = result.data; // clamps and rounds what is written
  const [du, dv] = [place[0], place[1]];
  const last = SIDE - 1;
  for (let y = 0, at = 0; y < height; y += 1) {
    let u = place[0] * 0.5 + place[3] * (y + 0.5) + place[6];
    let v = place[1] * 0.5 + place[4] * (y + 0.5) + place[7];
    let red = 1;
    let green = 1;
    let blue = 1;
    let known = false; // whether the factors of the pixel before are good for this one
    for (const end = at + width; at < end; at += 1, u += du, v += dv) {
      const pixel = from[at];
      if (pixel >>> 24 === 0) {
        known = false;
        continue;
      }
      if (known) {
        known = false; // a cell of the light is wider than two pixels
      } else {
        const inU = u < 0 ? 0 : u > last ? last : u;
        const inV = v < 0 ? 0 : v > last ? last : v;
        const left = inU | 0;
        const upper = inV | 0;
        const beside = inU - left;
        const below = inV - upper;
        const here = (upper * SIDE + left) * 3;
        const next = upper < last ? here + SIDE * 3 : here;
        const right = left < last ? 3 : 0;
        const [p, q, r, s] = [(1 - beside) * (1 - below), beside * (1 - below), (1 - beside) * below, beside * below];
        red = p * lit[here] + q * lit[here + right] + r * lit[next] + s * lit[next + right];
        green = p * lit[here + 1] + q * lit[here + right + 1] + r * lit[next + 1] + s * lit[next + right + 1];
        blue = p * lit[here + 2] + q * lit[here + right + 2] + r * lit[next + 2] + s * lit[next + right + 2];
        known = true;
      }
      const byte = 4 * at;
      if (pixel >>> 24 === 255) {
        to[byte] = ((pixel & 255) + floor) * red - floor;
        to[byte + 1] = (((pixel >>> 8) & 255) + floor) * green - floor;
        to[byte + 2] = (((pixel >>> 16) & 255) + floor) * blue - floor;
        to[byte + 3] = 255;
      } else {
        const m = (pixel >>> 24) / 255;
        const covers = Math.max(0.002, 1 - (1 - m) * Math.max(0, 1 + (m * (red + green + blue - 3)) / 3));
        const share = m / covers;
        to[byte] = share * ((pixel & 255) + (m * (pixel & 255) + floor) * (red - 1));
        to[byte + 1] = share * (((pixel >>> 8) & 255) + (m * ((pixel >>> 8) & 255) + floor) * (green - 1));
        to[byte + 2] = share * (((pixel >>> 16) & 255) + (m * ((pixel >>> 16) & 255) + floor) * (blue - 1));
        to[byte + 3] = 255 * covers;
      }
    }
  }
}

/** A matrix from a box's pixels to the light's cells. */
function cells(toCrop, [left, top], width, height) {
  const [a, b, , c, d, , x, y] = toCrop.map((value) => value * SIDE);
  const [across, down] = [left / width, top / height];
  return [a / width, b / width, 0, c / height, d / height, 0, a * across + c * down + x - 0.5, b * across + d * down + y - 0.5, 1];
}

function mixed(earlier, newest, share) {
  return newest.map((value, index) => value * share + earlier[index] * (1 - share));
}

function sized(context, width, height) {
  const { canvas } = context;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  return context;
}

function scratch() {
  return document.createElement("canvas").getContext("2d", { willReadFrequently: true });
}
