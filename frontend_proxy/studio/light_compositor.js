/**
 * Lays the newest light on what is drawn now: the live video and the live jacket, at the display's own rate.
 *
 *     const compositor = new LightCompositor(canvas);
 *     session.onResult = (result) => compositor.take(result);                    // answers with `answer: "light"`
 *     requestAnimationFrame(() => compositor.draw({ frame: video, layer: jacketCanvas, landmarks }));
 *
 * It never shows an old picture of the person: without a light it shows the plain render, and between two answers the
 * last light moves with the person. It uses WebGL 2 where there is a GPU, and else the processor and a 2D canvas.
 */

import { readLight } from "./light_answer.js";
import { STILL, body, motion } from "./light_geometry.js";
import { PixelLight } from "./light_pixels.js";
import { WebGLLight } from "./light_webgl.js";

const LONGEST_EASE_MS = 400;
const MOST_BODIES = 600; // some seconds at a display's rate
const SAME = 1e-4; // anchors have five digits
const SHORTEST_EASE_MS = 60;

export class LightCompositor {
  #painter;
  #clock;
  #context; // of the canvas, where the frame is drawn, too
  #garment; // the canvas that holds the jacket alone
  #light = null; // the newest, as readLight gives it
  #since = 0; // when #light came
  #ease = LONGEST_EASE_MS;
  #body = null; // where it was seen last
  #bodies = []; // the last ones, of which a keyframe's is one
  #aspect = 1; // of the last frame
  #taken = 0; // answers that have begun to be read
  #shown = 0; // the newest of them that was shown
  #timestamp = -Infinity; // its keyframe's
  #fabric = null; // of the jacket that was drawn last

  /**
   * @param canvas gets the frame's size at each draw
   * @param {{ over?: boolean, webgl?: boolean, clock?: () => number }} options over: the canvas lies over the page's own
   *   video of the person, and gets the jacket alone, which costs less. webgl: by default where a GPU computes it; true
   *   and false choose
   */
  constructor(canvas, { over = false, webgl, clock = () => performance.now() } = {}) {
    this.canvas = canvas;
    this.#clock = clock;
    this.#garment = over ? canvas : document.createElement("canvas");
    this.#context = over ? null : canvas.getContext("2d", { alpha: false });
    const painter = webgl === false ? null : WebGLLight.on(this.#garment, { kept: !over, slow: webgl === true });
    this.#painter = painter ?? new PixelLight(this.#garment);
  }

  /** "webgl2" or "2d". */
  get kind() {
    return this.#painter.kind;
  }

  /** Whether drawing again would show the same, as long as frame, layer and pose stay as they are. */
  get settled() {
    return this.#share(this.#clock()) === 1 && this.#painter.settled;
  }

  /** Whether there is a light to lay on the jacket. */
  get lit() {
    return this.#light !== null;
  }

  /**
   * Takes an answer of a session. Resolves with whether it brought a newer light for the jacket that is drawn. An
   * answer without a light (a fallback) leaves the last light as it is; one to an older keyframe, or to a keyframe with
   * another fabric than is drawn now, changes nothing.
   */
  async take(result) {
    const number = (this.#taken += 1);
    if (this.#isOld(result)) return false;
    const light = await readLight(result);
    if (!light || number < this.#shown || this.#isOld(result)) return false;
    this.#shown = number;
    if (Number.isFinite(result.timestamp)) this.#timestamp = result.timestamp;
    const now = this.#clock();
    const earlier = this.#light;
    light.body = this.#bodyAt(light.anchor);
    const move = motion(earlier?.body, light.body, this.#aspect) ?? STILL;
    this.#painter.take(light, earlier && { crop: earlier.crop, move, share: this.#share(now) }, this.#aspect);
    this.#ease = Math.min(LONGEST_EASE_MS, Math.max(SHORTEST_EASE_MS, now - this.#since));
    this.#since = now;
    this.#light = light;
    return true;
  }

  /** Forgets the lights, also those that are still being read: for another source, or another person. */
  clear() {
    this.#body = null;
    this.#bodies = [];
    this.#forget();
  }

  /**
   * Draws one frame. Returns whether the canvas has changed.
   *
   * @param frame the video, canvas or image of the person, now
   * @param layer a canvas or image with the jacket, transparent around it; null draws the frame alone
   * @param fresh false if the layer is as at the last draw, which saves its upload
   * @param landmarks the pose now: MediaPipe's 33 points, or null while nobody is found
   * @param fabric_id the jacket's fabric. A light belongs to one fabric: with the next one the light is forgotten, and
   *   the plain render is shown until that fabric's own light comes
   */
  draw({ frame, layer = null, landmarks = null, fresh = true, fabric_id = null }) {
    const [width, height] = sizeOf(frame);
    if (!width || !height) return false; // a video that has not begun
    if (fabric_id !== this.#fabric) {
      if (this.#fabric !== null) this.#forget();
      this.#fabric = fabric_id;
    }
    for (const canvas of [this.canvas, this.#garment]) {
      if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    }
    this.#aspect = width / height;
    this.#see(body(landmarks));
    const move = motion(this.#light?.body, this.#body, this.#aspect) ?? STILL;
    const now = this.#clock();
    const changed = this.#painter.draw({ layer, fresh, move, aspect: this.#aspect, share: this.#share(now), now });
    if (!this.#context) return changed;
    this.#context.drawImage(frame, 0, 0, width, height);
    if (layer) this.#context.drawImage(this.#garment, 0, 0);
    return true;
  }

  #see(body) {
    if (!body) return;
    this.#body = body;
    this.#bodies.push(body);
    if (this.#bodies.length > MOST_BODIES) this.#bodies.shift();
  }

  /** The body that a keyframe was sent with, found again by its shoulders, the anchor; else the shoulders alone. */
  #bodyAt(anchor) {
    if (!anchor) return null;
    const apart = ({ shoulders }) => Math.max(...shoulders.flat().map((value, index) => Math.abs(value - anchor.flat()[index])));
    return this.#bodies.findLast((it) => apart(it) < SAME) ?? { shoulders: anchor, hips: null, ears: null };
  }

  #forget() {
    this.#shown = this.#taken + 1;
    this.#taken += 1;
    this.#timestamp = -Infinity;
    this.#light = null;
    this.#painter.clear();
  }

  /** Whether an answer came after a newer one, as it can over several connections, or belongs to another fabric. */
  #isOld({ timestamp, fabric_id: fabric }) {
    if (this.#fabric !== null && fabric !== undefined && fabric !== this.#fabric) return true;
    return Number.isFinite(timestamp) && timestamp < this.#timestamp;
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
