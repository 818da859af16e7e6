/** Pose detection by MediaPipe Pose: https://ai.google.dev/edge/mediapipe/solutions/vision/pose_landmarker */

/** Loads and compiles about 12 MB, so create it only when a frame needs it. */
export class PoseTracker {
  #worker;
  #waiting = new Map();
  #id = 0;

  constructor(server) {
    this.#worker = workerOf(server);
  }

  /** @param server the base URL of the server that has the model. Throws an Error if the model does not start. */
  static async load(server = location.origin) {
    const tracker = new PoseTracker(server);
    const worker = tracker.#worker;
    try {
      await new Promise((resolve, reject) => {
        worker.onerror = ({ message }) => reject(new Error(`The pose model could not be started: ${message}`));
        worker.onmessage = ({ data }) => (data.ready ? resolve() : reject(new Error(data.error)));
      });
    } catch (error) {
      tracker.close();
      throw error;
    }
    worker.onmessage = ({ data }) => tracker.#settle(data);
    worker.onerror = ({ message }) => [...tracker.#waiting.keys()].forEach((id) => tracker.#settle({ id, error: message }));
    return tracker;
  }

  /** The 33 landmarks of the person in a picture (a canvas, video or image), or null. */
  async detect(picture) {
    const bitmap = await createImageBitmap(picture);
    const id = (this.#id += 1);
    this.#worker.postMessage({ id, picture: bitmap }, [bitmap]);
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  close() {
    this.#worker.terminate();
  }

  #settle({ id, landmarks, error }) {
    const { resolve, reject } = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error) reject(new Error(`The pose model failed: ${error}`));
    else resolve(landmarks);
  }
}

/** Browsers start a worker only from a script of the page's own origin, so for another server it is a script that loads one. */
function workerOf(server) {
  const folder = `${server}/studio/`;
  if (new URL(folder).origin === location.origin) return new Worker(`${folder}pose_worker.js`);
  const script = `self.poseFolder = ${JSON.stringify(`${folder}vendor/pose/`)}; importScripts(${JSON.stringify(`${folder}pose_worker.js`)});`;
  const url = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
  const worker = new Worker(url);
  worker.addEventListener("message", () => URL.revokeObjectURL(url), { once: true }); // it has begun
  return worker;
}
