/** Where the person's picture comes from: the camera, or a photo. */

import { bitmapOf, blobOf } from "./picture_file.js";

const WHY_NO_CAMERA = {
  NotAllowedError: "The browser does not let this page use the camera. Allow it in the address bar, then start it again.",
  NotFoundError: "No camera was found.",
  NotReadableError: "Another program is using the camera. Close it, then start it again.",
};
const LONGEST_SIDE = 1920; // of a photo: a phone's has more than anybody sees on a page

/**
 * Opens the camera. Throws an Error with the reason if there is none.
 *
 * A source has `element` (what to draw), `width` and `height` in pixels, `moving`, `mirrored` (shown like in a mirror),
 * and `close()`. If it ends by itself, it calls its `onEnd`.
 */
export async function openCamera() {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new Error("The camera works only on pages of https:// or localhost.");
  }
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({
      video: { width: { ideal: 1280 }, height: { ideal: 720 }, facingMode: "user" },
    });
  } catch (error) {
    throw new Error(WHY_NO_CAMERA[error.name] ?? `The camera could not be started: ${error.message}`, { cause: error });
  }
  const video = document.createElement("video");
  Object.assign(video, { srcObject: stream, muted: true, playsInline: true });
  const [track] = stream.getVideoTracks();
  try {
    await video.play();
  } catch (error) {
    track.stop(); // or the camera's light stays on
    throw new Error("The browser does not show the camera's picture. Start the camera again.", { cause: error });
  }
  const source = {
    kind: "camera",
    element: video,
    get width() {
      return video.videoWidth; // a phone that is turned changes it
    },
    get height() {
      return video.videoHeight;
    },
    moving: true,
    mirrored: track.getSettings().facingMode !== "environment",
    landmarks: null,
    onEnd: null,
    close: () => track.stop(),
  };
  track.onended = () => source.onEnd?.(); // unplugged, or forbidden meanwhile; not by close()
  return source;
}

/** Opens a photo: a Blob, or the URL of one. Throws an Error with the reason if it is none. */
export async function openPhoto(photo) {
  const element = await bitmapOf(await blobOf(photo), LONGEST_SIDE);
  return {
    kind: "photo",
    element,
    width: element.width,
    height: element.height,
    moving: false,
    mirrored: false,
    landmarks: null,
    onEnd: null,
    close: () => element.close(),
  };
}

/** @param from "camera", a photo (a Blob or a URL), or a source that the page has made itself */
export async function openPerson(from) {
  if (from === "camera") return openCamera();
  return typeof from === "string" || from instanceof Blob ? openPhoto(from) : from;
}
