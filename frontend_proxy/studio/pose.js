/** MediaPipe Pose in the browser: https://ai.google.dev/edge/mediapipe/solutions/vision/pose_landmarker */

const FOLDER = "/studio/vendor/pose/";

/** Loads about 12 MB and compiles them: once, and only when a frame needs it. */
export class PoseTracker {
  #pose;
  #found = null;

  static async load() {
    await loadScript(`${FOLDER}pose.js`);
    const tracker = new PoseTracker();
    const pose = new globalThis.Pose({ locateFile: (name) => FOLDER + name });
    pose.setOptions({ modelComplexity: 0, smoothLandmarks: true, minDetectionConfidence: 0.5, minTrackingConfidence: 0.5 });
    pose.onResults(({ poseLandmarks }) => (tracker.#found = poseLandmarks ?? null));
    tracker.#pose = pose;
    await pose.initialize();
    return tracker;
  }

  /** The 33 landmarks of the person in a picture (a canvas, video or image), or null. */
  async detect(picture) {
    await this.#pose.send({ image: picture });
    return this.#found?.map(({ x, y, z, visibility }) => ({ x, y, z, visibility })) ?? null;
  }

  /** Forgets the person of the frames before. */
  reset() {
    this.#pose.reset();
  }
}

function loadScript(url) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = url;
    script.onload = resolve;
    script.onerror = () => reject(new Error(`${url} does not load`));
    document.head.append(script);
  });
}
