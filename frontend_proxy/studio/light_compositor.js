/**
 * Lays the newest light on what is drawn now: the live video and the live jacket, at the display's own rate.
 *
 *     const compositor = new LightCompositor(canvas);
 *     session.onResult = (result) => compositor.take(result);                    // answers with `answer: "light"`
 *     requestAnimationFrame(() => compositor.draw({ frame: video, layer: jacketCanvas, landmarks }));
 *
 * It never shows an old picture of the person: without a light it shows the plain render, and between two answers the
 * last light moves with the shoulders. It uses WebGL 2, and without it a 2D canvas, which leaves out the detail's gain.
 */

import { CanvasLight } from "./light_canvas.js";
import { readLight } from "./light_answer.js";
import { STILL, motion, shoulders } from "./light_geometry.js";
import { WebGLLight } from "./light_webgl.js";

const LONGEST_EASE_MS = 400;
const SHORTEST_EASE_MS = 60;

export class LightCompositor {
  #painter;
  #clock;
  #light = null; // the newest, as readLight gives it
  #since = 0; // when #light came
  #ease = LONGEST_EASE_MS;
  #shoulders = null; // where they were seen last
  #aspect = 1; // of the last frame
  #taken = 0; // answers that have begun to be read
  #shown = 0; // the newest of them that was shown

  /**
   * @param canvas gets the frame's size at each draw
   * @param {{ webgl?: boolean, clock?: () => number }} options webgl: false uses the 2D canvas
   */
  constructor(canvas, { webgl = true, clock = () => performance.now() } = {}) {
    this.canvas = canvas;
    this.#clock = clock;
    this.#painter = (webgl && WebGLLight.on(canvas)) || new CanvasLight(canvas);
  }

  /** "webgl2" or "2d". */
  get kind() {
    return this.#painter.kind;
  }

  /** Whether the newest light has fully replaced the one before. */
  get settled() {
    return this.#share(this.#clock()) === 1;
  }

  /** Whether there is a light to lay on the jacket. */
  get lit() {
    return this.#light !== null;
  }

  /**
   * Takes an answer of a session. Resolves with whether it brought a light that is newer than the shown one. One
   * without a light (a fallback) leaves the last light as it is.
   */
  async take(result) {
    const number = (this.#taken += 1);
    const light = await readLight(result);
    if (!light || number < this.#shown) return false;
    this.#shown = number;
    const now = this.#clock();
    const earlier = this.#light;
    const move = motion(earlier?.anchor, light.anchor, this.#aspect) ?? STILL;
    this.#painter.take(light, earlier && { crop: earlier.crop, move, share: this.#share(now) }, this.#aspect);
    this.#ease = Math.min(LONGEST_EASE_MS, Math.max(SHORTEST_EASE_MS, now - this.#since));
    this.#since = now;
    this.#light = light;
    return true;
  }

  /** Forgets the lights, also those that are still being read: for another source, or another person. */
  clear() {
    this.#shown = this.#taken + 1;
    this.#taken += 1;
    this.#light = this.#shoulders = null;
    this.#painter.clear();
  }

  /**
   * Draws one frame.
   *
   * @param frame the video, canvas or image of the person, now
   * @param layer a canvas or image with the jacket, transparent around it; null draws the frame alone
   * @param fresh false if the layer is as at the last draw, which saves its upload
   * @param landmarks the pose now: MediaPipe's 33 points, or null while nobody is found
   */
  draw({ frame, layer = null, landmarks = null, fresh = true }) {
    const [width, height] = sizeOf(frame);
    if (!width || !height) return; // a video that has not begun
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    this.#aspect = width / height;
    this.#shoulders = shoulders(landmarks) ?? this.#shoulders;
    const move = motion(this.#light?.anchor, this.#shoulders, this.#aspect) ?? STILL;
    this.#painter.draw({ frame, layer, fresh, move, aspect: this.#aspect, share: this.#share(this.#clock()) });
  }

  /** How far the newest light has replaced the one before, 0 to 1. */
  #share(now) {
    const passed = Math.min(1, (now - this.#since) / this.#ease);
    return passed * passed * (3 - 2 * passed);
  }
}

function sizeOf(picture) {
  return [picture.videoWidth ?? picture.naturalWidth ?? picture.width, picture.videoHeight ?? picture.naturalHeight ?? picture.height];
}
