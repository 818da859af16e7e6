/** Fits the jacket, and trousers under it, to the person in a source's current frame. */

import { openSource } from "./camera.js";
import { lightKeyframe } from "./light_keyframe.js";

const JPEG_QUALITY = 0.9;
const AGAIN_MS = 1500; // after a fit that failed

export class Fitting {
  source = null;
  landmarks = null; // of the last fitted frame
  fitted = false; // whether a frame of this source has been fitted
  version = 0; // counts the fits
  poseMs = null; // duration of the pose detection; null if the pose is known beforehand
  error = null; // why the last fit failed; null if it did not

  #jacket = null;
  #dressed = false; // whether it got its fabrics
  #tracker = null;
  #frame = document.createElement("canvas");
  #next = document.createElement("canvas");
  #overlay = document.createElement("canvas");
  #layers = { trousers: document.createElement("canvas"), jacket: document.createElement("canvas") };
  #trousers = null; // their fabric
  #legs = false; // whether the last fitted frame wears them
  #running = null; // a Symbol for each run
  #stale = true;
  #fabric = null;
  #opening = null; // a promise of the source that was requested last
  #last = Promise.resolve(); // the fit that was started last

  /** The render of what is worn for the last fitted frame, on a transparent background. */
  get overlay() {
    return this.#overlay;
  }

  /**
   * Takes frames from a kind of source of camera.js from now on. Resolves with false if another one was requested
   * meanwhile. Throws an Error with the reason if it cannot.
   */
  async open(kind) {
    const opening = (this.#opening = openSource(kind));
    const source = await opening.catch((error) => {
      if (opening === this.#opening) throw error;
    });
    if (opening !== this.#opening) {
      source?.close();
      return false;
    }
    this.close();
    this.source = source;
    this.landmarks = null;
    this.fitted = false;
    this.error = null;
    this.#overlay.getContext("2d").clearRect(0, 0, this.#overlay.width, this.#overlay.height);
    this.#stale = true;
    return true;
  }

  close() {
    this.source?.close();
    this.source = null;
  }

  /** Resolves when the jacket shows the fabric. */
  async setFabric(fabric) {
    this.#fabric = fabric;
    await this.#jacket?.setFabric(fabric);
    this.#stale = true;
  }

  /** Trousers of a fabric, or none for null. Resolves when they show it. */
  async setTrousers(fabric) {
    this.#trousers = fabric;
    if (fabric) await this.#jacket?.setFabric(fabric, "trousers");
    this.#stale = true;
  }

  /** Whether the last fitted frame shows legs, and wears the trousers. */
  get wearsTrousers() {
    return this.#legs;
  }

  /** Finds the person in the current frame and dresses them. Fits run one after the other. Rejects with `error`. */
  fit() {
    this.#last = this.#last
      .catch(() => {})
      .then(() => this.#fit())
      .then(
        () => (this.error = null),
        (error) => {
          this.error = error;
          throw error;
        },
      );
    return this.#last;
  }

  async #fit() {
    const { source } = this;
    if (!this.#jacket) {
      const { Jacket } = await import("./jacket.js");
      this.#jacket ??= new Jacket();
    }
    if (!this.#dressed) {
      if (this.#fabric) await this.#jacket.setFabric(this.#fabric);
      if (this.#trousers) await this.#jacket.setFabric(this.#trousers, "trousers");
      this.#dressed = true;
    }
    const next = this.#next;
    const { width, height } = source;
    size(next, width, height);
    next.getContext("2d").drawImage(source.element, 0, 0, width, height);
    const landmarks = await this.#look(source, next);
    if (source !== this.source) return; // another source was opened meanwhile
    this.landmarks = landmarks;
    [this.#frame, this.#next] = [next, this.#frame];
    const worn = this.#trousers ? ["trousers", "jacket"] : ["jacket"];
    this.#legs = false;
    size(this.#overlay, width, height);
    const context = this.#overlay.getContext("2d");
    context.clearRect(0, 0, width, height);
    for (const name of worn) {
      if (name === "trousers") this.#legs = this.#jacket.renderTrousers(landmarks, width, height);
      else this.#jacket.render(landmarks, width, height);
      const layer = this.#layers[name];
      size(layer, width, height);
      layer.getContext("2d").clearRect(0, 0, width, height);
      layer.getContext("2d").drawImage(this.#jacket.canvas, 0, 0);
      context.drawImage(layer, 0, 0);
    }
    this.#stale = false;
    this.fitted = true;
    this.version += 1;
  }

  async #look(source, picture) {
    if (source.landmarks) {
      this.poseMs = null;
      return source.landmarks();
    }
    if (!this.#tracker) {
      const { PoseTracker } = await import("./pose.js");
      this.#tracker = await PoseTracker.load();
    }
    const began = performance.now();
    const landmarks = await this.#tracker.detect(picture);
    this.poseMs = performance.now() - began;
    return landmarks;
  }

  /** Fits frame after frame until `stop`. Pauses as long as a fit takes, so that a slow machine stays usable. */
  async run() {
    if (this.#running) return;
    const running = (this.#running = Symbol("running"));
    while (running === this.#running) {
      const began = performance.now();
      if (this.source && (this.source.moving || this.#stale)) await this.fit().catch(() => {}); // `error` tells
      const pause = this.error ? AGAIN_MS : Math.min(performance.now() - began, 500);
      await new Promise((resolve) => setTimeout(resolve, pause));
      await new Promise(requestAnimationFrame);
    }
  }

  stop() {
    this.#running = null;
  }

  /**
   * The last fitted frame and what it wears, as input of a keyframe or a capture. `garments` are the jacket and the
   * trousers, each with its own render; null if the jacket is all.
   */
  async snapshot() {
    const { landmarks } = this;
    const { width, height } = this.#frame;
    const [cameraImage, overlayImage, jacket, trousers] = await Promise.all([
      toBlob(this.#frame, "image/jpeg", JPEG_QUALITY),
      toBlob(this.#overlay, "image/png"),
      ...(this.#legs ? [toBlob(this.#layers.jacket, "image/png"), toBlob(this.#layers.trousers, "image/png")] : []),
    ]);
    const garments = jacket
      ? [
          { jacket_render: jacket, layer: 1, category: "tops", fabric_id: idOf(this.#fabric) },
          { jacket_render: trousers, layer: 0, category: "bottoms", fabric_id: idOf(this.#trousers) },
        ]
      : null;
    return { cameraImage, overlayImage, garments, landmarks, width, height };
  }

  /** The same as input of a keyframe that asks for a light. */
  async smallSnapshot() {
    const { landmarks } = this;
    return { ...(await lightKeyframe(this.#frame, this.#overlay)), pose: { landmarks } };
  }
}

function idOf(fabric) {
  return fabric?.id ?? fabric?.fabric_id ?? null;
}

function size(canvas, width, height) {
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
}

function toBlob(canvas, type, quality) {
  return new Promise((resolve) => canvas.toBlob(resolve, type, quality));
}
