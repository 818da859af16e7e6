/** Sources of frames: the camera, a sample portrait, that portrait moving, or a drawn figure. */

import { openFigure } from "./figure.js";
import { openCamera } from "./person_source.js";

const PORTRAIT = "/studio/portrait.jpg"; // NASA's portrait of Eileen Collins, in the public domain
const LANDMARKS = "/studio/portrait.json"; // marked by hand: the space suit's collar misleads the pose tracker
const SWAY = { degrees: 2, shift: 0.025, zoom: 1.14, drop: 0.04, seconds: 7 }; // shares of width and height

/**
 * Opens a source. It has `kind`, `element` (the image to draw), `width` and `height` in pixels, `moving`,
 * `mirrored` (shown like in a mirror), `landmarks()` if they are known beforehand (else null), and `close()`.
 */
export async function openSource(kind) {
  return { camera: openCamera, portrait: openPortrait, clip: openClip, figure: openFigure }[kind]();
}

async function openPortrait() {
  const { image, width, height, marked } = await loadPortrait();
  const landmarks = () => marked;
  return { kind: "portrait", element: image, width, height, moving: false, mirrored: false, landmarks, close() {} };
}

/** The portrait swaying on a canvas, instead of a video file. Its landmarks sway with it. */
async function openClip() {
  const { image, width, height, marked } = await loadPortrait();
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  let transform;
  let request;
  const draw = (milliseconds) => {
    request = requestAnimationFrame(draw);
    transform = sway((milliseconds / 1000 / SWAY.seconds) * 2 * Math.PI, width, height);
    context.setTransform(transform);
    context.drawImage(image, 0, 0);
  };
  draw(performance.now());
  return {
    kind: "clip",
    element: canvas,
    width,
    height,
    moving: true,
    mirrored: false,
    landmarks: () => marked.map((point) => moved(point, transform, width, height)),
    close: () => cancelAnimationFrame(request),
  };
}

/** Rotates about the picture's lower middle, and enlarges it a little so that its edges stay out of view. */
function sway(phase, width, height) {
  const degrees = SWAY.degrees * Math.sin(phase);
  const shift = SWAY.shift * width * Math.sin(phase * 2);
  const [x, y] = [width / 2, height * 0.9];
  return new DOMMatrix().translate(x + shift, y + SWAY.drop * height).rotate(degrees).scale(SWAY.zoom).translate(-x, -y);
}

function moved(point, transform, width, height) {
  const { x, y } = transform.transformPoint({ x: point.x * width, y: point.y * height });
  return { ...point, x: x / width, y: y / height };
}

async function loadPortrait() {
  const image = new Image();
  image.src = PORTRAIT;
  const [response] = await Promise.all([fetch(LANDMARKS), image.decode()]).catch((error) => {
    throw new Error("The sample portrait could not be loaded.", { cause: error });
  });
  return { image, width: image.naturalWidth, height: image.naturalHeight, marked: await response.json() };
}
