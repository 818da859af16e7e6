/** A keyframe's answer that is a light, with its images decoded. docs/websocket.md describes the fields. */

/**
 * Resolves with a light, or null if the answer has none: a picture, or a fallback.
 *
 * map, occlusion: ImageBitmaps over `crop`; occlusion may be null.
 * crop: [x, y, width, height], anchor: the shoulders or null; both in shares of the frame.
 * layer: six numbers, see `layer_matrix` in docs/websocket.md; null for a canvas that is stretched over the frame.
 * range, floor, sigma, detailGain: numbers of the formula; sigma is a share of the crop's height.
 */
export async function readLight({ light, occlusion, crop, anchor, layer_matrix: layer, light_coding: coding }) {
  if (!light) return null;
  const [map, hidden] = await Promise.all([bitmap(light), occlusion ? bitmap(occlusion) : null]);
  return {
    map,
    occlusion: hidden,
    crop,
    anchor: anchor ?? null,
    layer: layer ?? null,
    range: coding.range,
    floor: coding.floor,
    sigma: coding.sigma,
    detailGain: coding.detail_gain,
  };
}

/** Takes a Blob, or a data URI as in JSON. The numbers as they are in the file: no colour profile, no multiplication by alpha. */
async function bitmap(picture) {
  const blob = typeof picture === "string" ? await (await fetch(picture)).blob() : picture;
  return createImageBitmap(blob, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
}
