/** A thin layer over WebGL 2: textures by name, programs that are compiled when they are first needed, and passes. */

import { defined } from "./light_shaders.js";

export class Surface {
  #gl;
  #textures = new Map();
  #programs = new Map();
  #target;

  constructor(gl) {
    this.#gl = gl;
    this.reset();
  }

  /** Forgets what a lost context held. */
  reset() {
    this.#textures.clear();
    this.#programs.clear();
    this.#target = this.#gl.createFramebuffer();
  }

  /**
   * Runs a program.
   *
   * @param program { name, vertex, fragment, defines }
   * @param target a texture's name with the size to make it, { name, width, height }, or null for the canvas
   * @param textures uniforms' names and those of their textures   @param values numbers, booleans, and lists of 2 or 9 numbers
   * @param tiles how many squares; by default one over the whole target
   */
  pass(program, target, textures, values, tiles = null) {
    const gl = this.#gl;
    const { it, places } = this.#program(program);
    gl.useProgram(it);
    if (target) this.aim(target);
    else this.#aimAtCanvas();
    Object.entries(textures).forEach(([uniform, name], unit) => {
      if (!places[uniform]) return; // its part of the shader is not defined
      gl.activeTexture(gl.TEXTURE0 + unit);
      gl.bindTexture(gl.TEXTURE_2D, this.#texture(name).it);
      gl.uniform1i(places[uniform].at, unit);
    });
    for (const [uniform, value] of Object.entries(values)) if (places[uniform]) set(gl, places[uniform], value);
    if (tiles) gl.drawArrays(gl.TRIANGLES, 0, 6 * tiles);
    else gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
  }

  /** Draws into a texture from now on. */
  aim({ name, width, height }) {
    const gl = this.#gl;
    const known = this.#texture(name);
    if (known.width !== width || known.height !== height) {
      gl.bindTexture(gl.TEXTURE_2D, known.it);
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB10_A2, width, height, 0, gl.RGBA, gl.UNSIGNED_INT_2_10_10_10_REV, null);
      Object.assign(known, { width, height });
    }
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.#target);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, known.it, 0);
    gl.viewport(0, 0, width, height);
  }

  /** Makes a texture, or the canvas if `target` is null, of one colour. */
  fill(target, ...colour) {
    const gl = this.#gl;
    if (target) this.aim(target);
    else this.#aimAtCanvas();
    gl.clearColor(...colour);
    gl.clear(gl.COLOR_BUFFER_BIT);
  }

  /** Takes a canvas, an image or a video. */
  upload(name, picture, { premultiplied = false } = {}) {
    const gl = this.#gl;
    gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, premultiplied);
    const known = this.#texture(name);
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, known.it);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, picture);
    known.width = 0; // it has another format than `aim` makes
  }

  swap(one, other) {
    const first = this.#texture(one);
    this.#textures.set(one, this.#texture(other));
    this.#textures.set(other, first);
  }

  #aimAtCanvas() {
    const gl = this.#gl;
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    gl.viewport(0, 0, gl.canvas.width, gl.canvas.height);
  }

  #texture(name) {
    let known = this.#textures.get(name);
    if (!known) {
      known = { it: texture(this.#gl), width: 0, height: 0 };
      this.#textures.set(name, known);
    }
    return known;
  }

  #program({ name, vertex, fragment, defines = [] }) {
    const key = [name, ...defines].join(" ");
    let known = this.#programs.get(key);
    if (!known) {
      known = build(this.#gl, defined(vertex, defines), defined(fragment, defines));
      this.#programs.set(key, known);
    }
    return known;
  }
}

function set(gl, { at, type }, value) {
  if (type === gl.INT || type === gl.BOOL) gl.uniform1i(at, value);
  else if (type === gl.FLOAT) gl.uniform1f(at, value);
  else if (type === gl.FLOAT_VEC2) gl.uniform2fv(at, value);
  else gl.uniformMatrix3fv(at, false, value);
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

function build(gl, ...sources) {
  const it = gl.createProgram();
  sources.forEach((source, number) => {
    const shader = gl.createShader(number ? gl.FRAGMENT_SHADER : gl.VERTEX_SHADER);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(it, shader);
  });
  gl.linkProgram(it);
  if (!gl.getProgramParameter(it, gl.LINK_STATUS) && !gl.isContextLost()) {
    throw new Error(`The light's shader does not compile: ${gl.getProgramInfoLog(it)}`);
  }
  const places = {};
  for (let number = 0; number < gl.getProgramParameter(it, gl.ACTIVE_UNIFORMS); number += 1) {
    const { name, type } = gl.getActiveUniform(it, number);
    places[name] = { at: gl.getUniformLocation(it, name), type };
  }
  return { it, places };
}
