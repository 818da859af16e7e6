/**
 * Paints with a 2D canvas, where there is no WebGL 2. A factor of light below 1 is the blend mode "multiply", one above
 * 1 is "color-dodge" by 1 − 1 / factor. What it leaves out: the gain of the render's folds, and the formula's floor.
 */

import { STILL, between, inverse } from "./light_geometry.js";

const SIDE = 64; // of a light over its crop

export class CanvasLight {
  kind = "2d";
  settled = true; // it draws each light at once
  #canvas;
  #garment = document.createElement("canvas"); // the jacket alone, in its light
  #cover = document.createElement("canvas"); // the jacket, to cut the light's rectangle by
  #earlier = null; // Float32Array of SIDE × SIDE × 3 logarithms, in the newest light's crop
  #newest = null;
  #light = null;
  #occlusion = null; // a canvas whose alpha is what hides the jacket
  #shade = maps();
  #shine = maps();

  constructor(canvas) {
    this.#canvas = canvas;
  }

  take(light, earlier, aspect = 1) {
    const shown = earlier && this.#mixed(earlier.share);
    this.#earlier = shown ? moved(shown, between(light.crop, inverse(earlier.move), earlier.crop, aspect)) : null;
    this.#newest = logarithms(light.map, light.range);
    this.#earlier ??= new Float32Array(this.#newest.length);
    this.#light = light;
    this.#occlusion = light.occlusion && hiding(light.occlusion);
  }

  clear() {
    this.#light = this.#earlier = this.#newest = this.#occlusion = null;
  }

  /** Draws the jacket, transparent around it; see LightCompositor.draw. Returns whether anything has changed. */
  draw({ layer, move, aspect, share }) {
    const { width, height } = this.#canvas;
    const context = this.#canvas.getContext("2d");
    context.clearRect(0, 0, width, height);
    if (!layer) return true;
    for (const canvas of [this.#garment, this.#cover]) {
      if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    }
    const [garment, cover] = [this.#garment, this.#cover].map((canvas) => canvas.getContext("2d"));
    for (const target of [garment, cover]) target.setTransform(1, 0, 0, 1, 0, 0);
    clean(cover, width, height);
    placeLayer(cover, this.#light?.layer, width, height);
    cover.drawImage(layer, 0, 0, 1, 1);
    cover.setTransform(1, 0, 0, 1, 0, 0);
    const crop = this.#light && between(this.#light.crop, move ?? STILL, [0, 0, 1, 1], aspect);
    if (this.#occlusion) over(cover, "destination-out", this.#occlusion, crop, width, height);
    if (this.#light) {
      clean(garment, width, height);
      garment.drawImage(this.#cover, 0, 0);
      this.#write(share);
      over(garment, "multiply", this.#shade, crop, width, height);
      over(garment, "color-dodge", this.#shine, crop, width, height);
      garment.globalCompositeOperation = "destination-in";
      garment.drawImage(this.#cover, 0, 0);
    }
    context.drawImage(this.#light ? this.#garment : this.#cover, 0, 0);
    return true;
  }

  #mixed(share) {
    return this.#newest?.map((value, index) => value * share + this.#earlier[index] * (1 - share));
  }

  #write(share) {
    const shade = new ImageData(SIDE, SIDE);
    const shine = new ImageData(SIDE, SIDE);
    this.#mixed(share).forEach((value, index) => {
      const at = Math.floor(index / 3) * 4 + (index % 3);
      shade.data[at] = 255 * Math.min(1, Math.exp(value));
      shine.data[at] = 255 * Math.max(0, 1 - Math.exp(-value));
    });
    for (let alpha = 3; alpha < shade.data.length; alpha += 4) shade.data[alpha] = shine.data[alpha] = 255;
    this.#shade.getContext("2d").putImageData(shade, 0, 0);
    this.#shine.getContext("2d").putImageData(shine, 0, 0);
  }
}

function maps() {
  return Object.assign(document.createElement("canvas"), { width: SIDE, height: SIDE });
}

function clean(context, width, height) {
  context.globalCompositeOperation = "source-over";
  context.clearRect(0, 0, width, height);
}

/** Draws a picture of the crop; `crop` is a column-wise matrix from it to the frame. */
function over(context, operation, picture, crop, width, height) {
  context.globalCompositeOperation = operation;
  context.setTransform(crop[0] * width, crop[1] * height, crop[3] * width, crop[4] * height, crop[6] * width, crop[7] * height);
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, 0, 0, 1, 1);
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.globalCompositeOperation = "source-over";
}

/** The layer's unit square on the frame: the inverse of `layer_matrix`. */
function placeLayer(context, rows, width, height) {
  const [xx, xy, x, yx, yy, y] = rows ?? [1, 0, 0, 0, 1, 0];
  const back = new DOMMatrix([xx, yx, xy, yy, x, y]).inverse();
  context.setTransform(new DOMMatrix([width, 0, 0, height, 0, 0]).multiply(back));
}

function logarithms(map, range) {
  const context = maps().getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.drawImage(map, 0, 0, SIDE, SIDE);
  const { data } = context.getImageData(0, 0, SIDE, SIDE);
  const values = new Float32Array(SIDE * SIDE * 3);
  values.forEach((_, index) => {
    values[index] = (data[Math.floor(index / 3) * 4 + (index % 3)] / 127.5 - 1) * range;
  });
  return values;
}

/** The light seen from another crop: the value of the nearest place. matrix: from there to this light's crop. */
function moved(values, matrix) {
  const result = new Float32Array(values.length);
  const nearest = (share) => Math.min(SIDE - 1, Math.max(0, Math.floor(share * SIDE)));
  for (let row = 0; row < SIDE; row += 1) {
    for (let column = 0; column < SIDE; column += 1) {
      const [u, v] = [(column + 0.5) / SIDE, (row + 0.5) / SIDE];
      const x = nearest(matrix[0] * u + matrix[3] * v + matrix[6]);
      const y = nearest(matrix[1] * u + matrix[4] * v + matrix[7]);
      const from = (y * SIDE + x) * 3;
      result.set(values.subarray(from, from + 3), (row * SIDE + column) * 3);
    }
  }
  return result;
}

/** A grey picture as a canvas that is opaque where the picture is white. */
function hiding(occlusion) {
  const { width, height } = occlusion;
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(occlusion, 0, 0);
  const picture = context.getImageData(0, 0, width, height);
  for (let at = 0; at < picture.data.length; at += 4) picture.data[at + 3] = picture.data[at];
  context.putImageData(picture, 0, 0);
  return canvas;
}
