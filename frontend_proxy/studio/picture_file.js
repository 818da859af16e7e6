/** Pictures as files: from a URL or a Blob to pixels, and from pixels to a JPEG or PNG. */

/** A picture's pixels, at most so many a side. Throws an Error if the Blob is no picture. */
export async function bitmapOf(blob, longest = Infinity) {
  const whole = await createImageBitmap(blob).catch(() => {
    throw new Error("This file is not a picture that the browser can show.");
  });
  const scale = longest / Math.max(whole.width, whole.height);
  if (scale >= 1) return whole;
  const small = await createImageBitmap(whole, {
    resizeWidth: Math.round(whole.width * scale),
    resizeHeight: Math.round(whole.height * scale),
    resizeQuality: "high",
  });
  whole.close();
  return small;
}

/** A picture's bytes: the Blob itself, or what a URL has. Throws an Error with the reason. */
export async function blobOf(picture) {
  if (picture instanceof Blob) return picture;
  const response = await fetch(picture).catch(() => {
    throw new Error(`The picture ${picture} cannot be loaded; a server of another origin must allow it by CORS.`);
  });
  if (!response.ok) throw new Error(`The picture ${picture} cannot be loaded: its server answered ${response.status}.`);
  return response.blob();
}

export function jpeg(canvas, quality) {
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", quality));
}

/** Of a canvas, image or bitmap, with its transparency. */
export function png(picture) {
  const canvas = new OffscreenCanvas(widthOf(picture), heightOf(picture));
  canvas.getContext("2d").drawImage(picture, 0, 0);
  return canvas.convertToBlob({ type: "image/png" });
}

export function widthOf(picture) {
  return picture.naturalWidth ?? picture.width;
}

export function heightOf(picture) {
  return picture.naturalHeight ?? picture.height;
}
