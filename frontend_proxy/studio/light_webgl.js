/** Paints with WebGL 2: the formula of pipeline/light/relighting.py, in passes over small textures and one over the frame. */

import { STILL, between, inverse } from "./light_geometry.js";
import {
  ANSWER, ANSWER_FINE, ANSWER_SOFT, BLOCKS, BRIGHTNESS, CORNERS, ENLARGE, KEEP, LIT, MEAN, PLAIN,
  PLAIN_EQUAL, SOFT,
} from "./light_shaders.js";

const WHOLE = [0, 0, 1, 1];
const SIDE = 256; // rows of a light over its crop: lucy-tiny's resolution
const BLUR = 1.5; // in blocks; a Gaussian with more is computed on larger blocks
const FOLDS = 3; // folds are finer than this many sigma

export class WebGLLight {
  kind = "webgl2";
  #gl;
  #programs;
  #textures;
  #target;
  #light = null;
  #lost = false;

  /** On a canvas; null if there is no WebGL 2. */
  static on(canvas) {
    const gl = canvas.getContext("webgl2", { alpha: false, antialias: false, depth: false });
    return gl ? new WebGLLight(gl) : null;
  }

  constructor(gl) {
    this.#gl = gl;
    gl.canvas.addEventListener("webglcontextlost", (event) => {
      event.preventDefault(); // so that it comes back
      this.#lost = true;
    });
    gl.canvas.addEventListener("webglcontextrestored", () => {
      this.#lost = false;
      this.#begin();
      if (this.#light) this.take(this.#light, null);
    });
    this.#begin();
  }

  /**
   * A new light. `earlier` tells where the one before is seen from it: { crop, move: from its frame to the new
   * light's, share: how far it had come }; null if there is none.
   */
  take(light, earlier, aspect = 1) {
    const { range } = light;
    this.#light = light;
    if (this.#lost) return;
    if (earlier) {
      const toBefore = between(light.crop, inverse(earlier.move), earlier.crop, aspect);
      const both = { earlier: "earlier", newest: "newest" };
      this.#pass("keep", "spare", SIDE, SIDE, both, { toBefore, share: earlier.share });
      [this.#textures.earlier, this.#textures.spare] = [this.#textures.spare, this.#textures.earlier];
    }
    this.#upload("map", light.map);
    this.#pass("enlarge", "newest", SIDE, SIDE, { map: "map" }, { range });
    if (!earlier) this.#neutral("earlier");
    if (light.occlusion) this.#upload("occlusion", light.occlusion);
    else this.#blank("occlusion");
  }

  clear() {
    this.#light = null;
    if (!this.#lost) this.#blank("occlusion");
  }

  draw({ frame, layer, fresh, move, aspect, share }) {
    if (this.#lost) return;
    const gl = this.#gl;
    const { width, height } = gl.canvas;
    this.#upload("frame", frame);
    if (!layer) this.#blank("layer");
    else if (fresh) this.#upload("layer", layer, true);
    const light = this.#light;
    const pictures = { frame: "frame", layer: "layer", occlusion: "occlusion" };
    const toLayer = matrix(light?.layer);
    let toCrop = between(WHOLE, STILL, WHOLE, aspect);
    if (light && layer) {
      toCrop = between(WHOLE, inverse(move), light.crop, aspect);
      const toFrame = between(light.crop, move, WHOLE, aspect);
      const halved = 2 ** Math.max(0, Math.floor(Math.log2((Math.hypot(toFrame[0], toFrame[1] / aspect) * width) / SIDE)));
      this.#filter(["frame"], gl.LINEAR);
      this.#pass("brightness", "brightness", SIDE, SIDE, pictures, { toLayer, toFrame, halved });
      this.#relight(light, share);
    }
    // The frame has the canvas's size, so its nearest pixel is its own, which costs half.
    this.#filter(["frame"], gl.NEAREST);
    const equal = !layer || (layer.width === width && layer.height === height && !light?.layer);
    const matrices = equal ? {} : { toLayer };
    this.#pass(equal ? "equal" : "plain", null, width, height, { frame: "frame", layer: "layer" }, matrices);
    if (!light || !layer) return;
    const softens = layer.width * layer.height * 1.04 > width * height;
    const [name, size] = !softens ? ["answer", 0] : equal ? ["soft", SOFT] : ["fine", 1];
    const values = { ...matrices, toCrop, soft: [size / width, size / height], floorLevel: light.floor };
    // The full formula takes a processor ten times as long as the plain render, so it is for the crop and its margin.
    gl.enable(gl.SCISSOR_TEST);
    gl.scissor(...box(between(light.crop, move, WHOLE, aspect), width, height));
    this.#pass(name, null, width, height, { ...pictures, lit: "lit" }, values);
    gl.disable(gl.SCISSOR_TEST);
  }

  #relight({ sigma, detailGain: gain, floor: floorLevel }, share) {
    const rows = FOLDS * sigma * SIDE;
    const block = Math.max(1, Math.floor(rows / BLUR));
    const side = Math.floor(SIDE / block);
    this.#pass("blocks", "blocks", side, side, { brightness: "brightness" }, { block, floorLevel });
    this.#pass("mean", "mean", side, side, { blocks: "blocks" }, { sigma: rows / block, floorLevel });
    const lights = { earlier: "earlier", newest: "newest", brightness: "brightness", mean: "mean" };
    this.#pass("lit", "lit", SIDE, SIDE, lights, { share, gain, floorLevel, block });
  }

  /** Runs a program over `target`, a texture's name, or over the canvas. */
  #pass(name, target, width, height, textures, values) {
    const gl = this.#gl;
    const { program, places } = this.#programs[name];
    gl.useProgram(program);
    if (target) this.#aim(target, width, height);
    else gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    Object.entries(textures).forEach(([uniform, texture], unit) => {
      gl.activeTexture(gl.TEXTURE0 + unit);
      gl.bindTexture(gl.TEXTURE_2D, this.#textures[texture].it);
      gl.uniform1i(places[uniform], unit);
    });
    for (const [uniform, value] of Object.entries(values)) {
      const place = places[uniform];
      if (uniform === "block") gl.uniform1i(place, value);
      else if (!Array.isArray(value)) gl.uniform1f(place, value);
      else if (value.length === 2) gl.uniform2fv(place, value);
      else gl.uniformMatrix3fv(place, false, value);
    }
    gl.viewport(0, 0, width, height);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
  }

  #begin() {
    const gl = this.#gl;
    const sources = {
      keep: KEEP, enlarge: ENLARGE, brightness: BRIGHTNESS, blocks: BLOCKS, mean: MEAN, lit: LIT,
      plain: PLAIN, equal: PLAIN_EQUAL, answer: ANSWER, soft: ANSWER_SOFT, fine: ANSWER_FINE,
    };
    this.#programs = Object.fromEntries(Object.entries(sources).map(([name, source]) => [name, build(gl, source)]));
    const names = ["frame", "layer", "occlusion", "map", "earlier", "newest", "spare", "brightness", "blocks", "mean", "lit"];
    this.#textures = Object.fromEntries(names.map((name) => [name, { it: texture(gl), width: 0, height: 0 }]));
    this.#target = gl.createFramebuffer();
    for (const name of ["layer", "occlusion", "lit"]) this.#blank(name);
  }

  #resize(name, width, height) {
    const gl = this.#gl;
    const known = this.#textures[name];
    if (known.width === width && known.height === height) return;
    gl.bindTexture(gl.TEXTURE_2D, known.it);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB10_A2, width, height, 0, gl.RGBA, gl.UNSIGNED_INT_2_10_10_10_REV, null);
    Object.assign(known, { width, height });
  }

  #filter(names, how) {
    const gl = this.#gl;
    for (const name of names) {
      gl.bindTexture(gl.TEXTURE_2D, this.#textures[name].it);
      gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, how);
      gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, how);
    }
  }

  #upload(name, picture, premultiplied = false) {
    const gl = this.#gl;
    gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, premultiplied);
    gl.bindTexture(gl.TEXTURE_2D, this.#textures[name].it);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, picture);
    this.#textures[name].width = 0;
  }

  /** One transparent pixel. */
  #blank(name) {
    const gl = this.#gl;
    gl.bindTexture(gl.TEXTURE_2D, this.#textures[name].it);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, 1, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4));
    this.#textures[name].width = 0;
  }

  /** A light that changes nothing. */
  #neutral(name) {
    const gl = this.#gl;
    this.#aim(name, SIDE, SIDE);
    gl.clearColor(0.5, 0.5, 0.5, 1);
    gl.clear(gl.COLOR_BUFFER_BIT);
  }

  #aim(name, width, height) {
    const gl = this.#gl;
    this.#resize(name, width, height);
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.#target);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, this.#textures[name].it, 0);
  }
}

/** Pixels of the canvas around a crop and a tenth of its size on each side, as `scissor` takes them. */
function box(toFrame, width, height) {
  const [low, high] = [-0.1, 1.1];
  const corners = [[low, low], [low, high], [high, low], [high, high]].map(([u, v]) => [
    (toFrame[0] * u + toFrame[3] * v + toFrame[6]) * width,
    (1 - (toFrame[1] * u + toFrame[4] * v + toFrame[7])) * height,
  ]);
  const bounds = [width, height].map((length, axis) => {
    const places = corners.map((corner) => Math.min(length, Math.max(0, Math.round(corner[axis]))));
    return [Math.min(...places), Math.max(...places)];
  });
  return [bounds[0][0], bounds[1][0], bounds[0][1] - bounds[0][0], bounds[1][1] - bounds[1][0]];
}

/** A column-wise 3×3 matrix of `layer_matrix`: [xx, xy, x, yx, yy, y] row by row. */
function matrix(rows) {
  const [xx, xy, x, yx, yy, y] = rows ?? [1, 0, 0, 0, 1, 0];
  return [xx, yx, 0, xy, yy, 0, x, y, 1];
}

function texture(gl) {
  const created = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D, created);
  for (const [name, value] of [
    [gl.TEXTURE_MIN_FILTER, gl.LINEAR],
    [gl.TEXTURE_MAG_FILTER, gl.LINEAR],
    [gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE],
    [gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE],
  ]) {
    gl.texParameteri(gl.TEXTURE_2D, name, value);
  }
  return created;
}

function build(gl, source) {
  const program = gl.createProgram();
  for (const [kind, text] of [[gl.VERTEX_SHADER, CORNERS], [gl.FRAGMENT_SHADER, source]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost()) {
    throw new Error(`The light's shader does not compile: ${gl.getProgramInfoLog(program)}`);
  }
  const places = {};
  for (let number = 0; number < gl.getProgramParameter(program, gl.ACTIVE_UNIFORMS); number += 1) {
    const { name } = gl.getActiveUniform(program, number);
    places[name] = gl.getUniformLocation(program, name);
  }
  return { program, places };
}
