/** Pose detection by MediaPipe Pose: https://ai.google.dev/edge/mediapipe/solutions/vision/pose_landmarker */

/** Loads and compiles about 12 MB, so create it only when a frame needs it. */
export class PoseTracker {
  #worker = new Worker("/studio/pose_worker.js");
  #waiting = new Map();
  #id = 0;

  /** Throws an Error if the model does not start. */
  static async load() {
    const tracker = new PoseTracker();
    await new Promise((resolve, reject) => {
      tracker.#worker.onerror = ({ message }) => reject(new Error(`The pose model could not be started: ${message}`));
      tracker.#worker.onmessage = ({ data }) => (data.ready ? resolve() : reject(new Error(data.error)));
    });
    tracker.#worker.onmessage = ({ data }) => tracker.#settle(data);
    return tracker;
  }

  /** The 33 landmarks of the person in a picture (a canvas, video or image), or null. */
  async detect(picture) {
    const bitmap = await createImageBitmap(picture);
    const id = (this.#id += 1);
    this.#worker.postMessage({ id, picture: bitmap }, [bitmap]);
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  #settle({ id, landmarks, error }) {
    const { resolve, reject } = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error) reject(new Error(`The pose model failed: ${error}`));
    else resolve(landmarks);
  }
}
