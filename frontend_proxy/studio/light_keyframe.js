/** Small copies of what is drawn, since a light needs no more: a tenth of the bytes, and less work for the server. */

export const LIGHT_SIDE = 384; // pixels of the longer side; docs/websocket.md has what other sizes lose

/**
 * Resolves with the pictures of a keyframe that asks for a light: { answer, camera_frame, jacket_render }.
 *
 * @param frame a video, canvas or image   @param layer a canvas or image with the jacket
 */
export async function lightKeyframe(frame, layer, side = LIGHT_SIDE) {
  const [camera_frame, jacket_render] = await Promise.all([copy(frame, side, 0.9), copy(layer, side, 0.9)]);
  return { answer: "light", camera_frame, jacket_render };
}

/** A WebP, with alpha. Browsers that write none write a PNG instead. */
async function copy(picture, side, quality) {
  const width = picture.videoWidth ?? picture.naturalWidth ?? picture.width;
  const height = picture.videoHeight ?? picture.naturalHeight ?? picture.height;
  const scale = Math.min(1, side / Math.max(width, height));
  const canvas = new OffscreenCanvas(Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale)));
  const context = canvas.getContext("2d", { willReadFrequently: true }); // it is read at once, so it stays in memory
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  return canvas.convertToBlob({ type: "image/webp", quality });
}
