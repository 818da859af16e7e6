/** The jacket on the person of a source's present frame. */

import { openSource } from "./camera.js";

const JPEG_QUALITY = 0.9;

export class Fitting {
  source = null;
  landmarks = null; // of the frame that was fitted last
  fitted = false; // whether one of this source's frames was
  poseMs = null; // what looking for the pose took; null where it is known

  #jacket = null;
  #tracker = null;
  #frame = document.createElement("canvas");
  #next = document.createElement("canvas");
  #overlay = document.createElement("canvas");
  #running = null; // which run it is
  #stale = true;
  #fabric = null;
  #wanted = null; // the kind of source
  #last = Promise.resolve(); // the fit that was begun last

  /** The jacket's render for the frame that was fitted last, transparent. */
  get overlay() {
    return this.#overlay;
  }

  /** Takes frames from there from now on: "camera", "portrait" or "clip". Throws an Error that says why not. */
  async open(kind) {
    this.#wanted = kind;
    const source = await openSource(kind);
    if (this.#wanted !== kind) {
      source.close(); // another was chosen meanwhile
      return;
    }
    this.close();
    this.source = source;
    this.landmarks = null;
    this.fitted = false;
    for (const canvas of [this.#frame, this.#next, this.#overlay]) {
      Object.assign(canvas, { width: source.width, height: source.height });
    }
    this.#stale = true;
  }

  close() {
    this.source?.close();
    this.source = null;
  }

  /** Resolves once the jacket is of it. */
  async setFabric(fabric) {
    this.#fabric = fabric;
    await this.#jacket?.setFabric(fabric);
    this.#stale = true;
  }

  /** Looks for the person in the present frame and draws the jacket on them; one frame after the other. */
  fit() {
    this.#last = this.#last.catch(() => {}).then(() => this.#fit());
    return this.#last;
  }

  async #fit() {
    const { source } = this;
    if (!this.#jacket) {
      const { Jacket } = await import("./jacket.js");
      this.#jacket ??= new Jacket();
      if (this.#fabric) await this.#jacket.setFabric(this.#fabric);
    }
    const next = this.#next;
    next.getContext("2d").drawImage(source.element, 0, 0, source.width, source.height);
    const landmarks = await this.#look(source, next);
    if (source !== this.source) return; // another was opened meanwhile
    this.landmarks = landmarks;
    [this.#frame, this.#next] = [next, this.#frame];
    this.#jacket.render(landmarks, source.width, source.height);
    const context = this.#overlay.getContext("2d");
    context.clearRect(0, 0, source.width, source.height);
    context.drawImage(this.#jacket.canvas, 0, 0);
    this.#stale = false;
    this.fitted = true;
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

  /** Fits frame after frame until `stop`; rests as long as a fit takes, so that a slow machine stays usable. */
  async run(onError) {
    if (this.#running) return;
    const running = (this.#running = Symbol("running"));
    while (running === this.#running) {
      const began = performance.now();
      if (this.source && (this.source.moving || this.#stale)) await this.fit().catch(onError);
      const took = performance.now() - began;
      await new Promise((resolve) => setTimeout(resolve, Math.min(took, 500)));
      await new Promise(requestAnimationFrame);
    }
  }

  stop() {
    this.#running = null;
  }

  /** The frame that was fitted last and its jacket, as a keyframe or a capture takes them. */
  async snapshot() {
    const { width, height } = this.#frame;
    const [cameraImage, overlayImage] = await Promise.all([
      toBlob(this.#frame, "image/jpeg", JPEG_QUALITY),
      toBlob(this.#overlay, "image/png"),
    ]);
    return { cameraImage, overlayImage, landmarks: this.landmarks, width, height };
  }
}

function toBlob(canvas, type, quality) {
  return new Promise((resolve) => canvas.toBlob(resolve, type, quality));
}
