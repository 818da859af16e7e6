/** The pose of whoever is in the picture: the page's own landmarks, or those of the server's pose model. */

const [LONGEST_PAUSE_MS, AWAY_MS] = [300, 200];

/**
 * Looks at one source until `stop`. `seen` has the frame that was looked at last and its landmarks, so that what is
 * sent fits together.
 */
export class PoseWatch {
  seen = null; // { frame: HTMLCanvasElement, landmarks }

  #source;
  #stopped = false;
  #canvases = [document.createElement("canvas"), document.createElement("canvas")];

  constructor(source) {
    this.#source = source;
  }

  stop() {
    this.#stopped = true;
  }

  /** Draws the source's picture of now. Returns the canvas. */
  picture() {
    const [canvas, other] = this.#canvases;
    this.#canvases = [other, canvas];
    const { element, width, height } = this.#source;
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    canvas.getContext("2d").drawImage(element, 0, 0, width, height);
    return canvas;
  }

  /**
   * Looks again and again, at a photo once. Pauses as long as a look takes, so that a slow machine stays usable.
   *
   * @param tracker see PoseTracker   @param onSeen is called after each look with the landmarks, or null
   */
  async run(tracker, onSeen) {
    while (!this.#stopped) {
      const began = performance.now();
      if (!document.hidden && this.#source.width) {
        const frame = this.picture();
        const landmarks = await tracker.detect(frame);
        if (this.#stopped) return;
        this.seen = { frame, landmarks };
        onSeen(landmarks);
        if (!this.#source.moving) return;
      }
      await pause(document.hidden ? AWAY_MS : Math.min(performance.now() - began, LONGEST_PAUSE_MS));
    }
  }
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
