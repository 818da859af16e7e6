/** A flat area of three by three tiles under a moving light, which shows seams and relief. */

import { dress, loadMaps } from "./cloth.js";
import {
  HemisphereLight,
  Mesh,
  MeshPhysicalMaterial,
  OrthographicCamera,
  PlaneGeometry,
  PointLight,
  Scene,
  WebGLRenderer,
} from "./vendor/three.module.js";

const TILES = 3;
const SIDE = 480; // pixels
const FRAME_MS = 40; // the light moves slowly
const TURN_MS = 7000; // for one turn of the light around the cloth
const LIGHT = { radius: 0.9, height: 0.8, start: 2.2 }; // the cloth is 2 wide; radians

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

export class TileView {
  #renderer;
  #scene = new Scene();
  #camera = new OrthographicCamera(-1, 1, 1, -1, 0.1, 10);
  #material = new MeshPhysicalMaterial();
  #light = new PointLight(0xfff4e5, 4.5, 0, 1.4);
  #maps = {};
  #wanted = null;
  #angle = LIGHT.start;
  #moving = false;

  /** Throws an Error if there is no WebGL. */
  constructor() {
    try {
      this.#renderer = new WebGLRenderer({ antialias: true, powerPreference: "low-power" });
    } catch (error) {
      throw new Error("This browser does not support WebGL, which is needed to draw the fabric.", { cause: error });
    }
    this.#renderer.setSize(SIDE, SIDE, false);
    this.#camera.position.z = 3;
    this.#scene.add(
      new Mesh(new PlaneGeometry(2, 2), this.#material),
      this.#light,
      new HemisphereLight(0xffffff, 0x9a938c, 1.4),
    );
  }

  get canvas() {
    return this.#renderer.domElement;
  }

  /** Resolves when the fabric is drawn; the newest call wins. */
  async show(fabric) {
    this.#wanted = fabric;
    const maps = await loadMaps(fabric, TILES);
    const unused = this.#wanted === fabric ? this.#maps : maps;
    for (const texture of Object.values(unused)) texture.dispose();
    if (this.#wanted !== fabric) return;
    this.#maps = maps;
    dress(this.#material, fabric, maps);
    this.#draw();
  }

  get moving() {
    return this.#moving;
  }

  /** Starts the light's movement, or stops it where it is. */
  set moving(moving) {
    if (moving === this.#moving) return;
    this.#moving = moving;
    if (moving) this.#turn();
  }

  /** Moves the light over a point of the cloth: (0, 0) is its centre, (1, 1) its upper right corner. */
  lightAt(x, y) {
    this.#angle = Math.atan2(y, x);
    this.#draw(x, y);
  }

  /** Pauses twice as long as a frame takes, so that a machine without a GPU stays usable. */
  async #turn() {
    while (this.#moving) {
      const began = performance.now();
      await new Promise(requestAnimationFrame);
      this.#draw();
      await this.#drawn();
      const took = performance.now() - began;
      await pause(Math.max(FRAME_MS - took, 2 * took));
      this.#angle -= (2 * Math.PI * (performance.now() - began)) / TURN_MS;
    }
  }

  async #drawn() {
    const gl = this.#renderer.getContext();
    const fence = gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0);
    gl.flush();
    do await pause(5);
    while (!gl.isContextLost() && gl.getSyncParameter(fence, gl.SYNC_STATUS) !== gl.SIGNALED);
    gl.deleteSync(fence);
  }

  #draw(x = LIGHT.radius * Math.cos(this.#angle), y = LIGHT.radius * Math.sin(this.#angle)) {
    this.#light.position.set(x, y, LIGHT.height);
    this.#renderer.render(this.#scene, this.#camera);
  }
}
