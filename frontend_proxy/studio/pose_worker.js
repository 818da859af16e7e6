/**
 * Runs MediaPipe Pose in its own thread: a frame takes 10 ms to seconds, which must not block the page.
 *
 * Receives `{ id, picture }` with an ImageBitmap and answers `{ id, landmarks }` or `{ id, error }`. Its first
 * message is `{ ready: true }` or `{ error }`.
 */

const FOLDER = self.poseFolder ?? "/studio/vendor/pose/"; // pose.js tells a page of another origin

// The library expects a page, but creates only script elements and canvases.
self.window = self;
self.document = {
  createElement: (tag) => (tag === "canvas" ? new OffscreenCanvas(1, 1) : new ScriptElement()),
  body: { appendChild: (script) => script.run() },
  addEventListener() {},
};

class ScriptElement extends EventTarget {
  setAttribute(name, value) {
    this[name] = value;
  }

  run() {
    importScripts(this.src);
    this.dispatchEvent(new Event("load"));
  }
}

importScripts(`${FOLDER}pose.js`);

let found = null;
const canvas = new OffscreenCanvas(1, 1);
const context = canvas.getContext("2d");
const pose = new Pose({ locateFile: (name) => FOLDER + name });
// On the CPU: it starts without compiling shaders, and leaves the GPU to the jacket.
pose.setOptions({
  modelComplexity: 0,
  smoothLandmarks: true,
  useCpuInference: true,
  minDetectionConfidence: 0.5,
  minTrackingConfidence: 0.5,
});
pose.onResults(({ poseLandmarks }) => {
  found = poseLandmarks?.map(({ x, y, z, visibility }) => ({ x, y, z, visibility })) ?? null;
});

self.onmessage = async ({ data: { id, picture } }) => {
  try {
    Object.assign(canvas, { width: picture.width, height: picture.height });
    context.drawImage(picture, 0, 0);
    picture.close();
    await pose.send({ image: canvas });
    postMessage({ id, landmarks: found });
  } catch (error) {
    postMessage({ id, error: error.message });
  }
};

pose.initialize().then(
  () => postMessage({ ready: true }),
  (error) => postMessage({ error: error.message }),
);
