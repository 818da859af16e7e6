/** The garment of a try-on: a render that is drawn over the person, or a photo of it that the server puts on. */

import { lightKeyframe } from "./light_keyframe.js";
import { bitmapOf, blobOf, heightOf, jpeg, png, widthOf } from "./picture_file.js";

export class WornGarment {
  #picture; // a still one, of any shape
  #layer; // what is drawn: the page's canvas, or the picture
  #png = null; // of the layer, where it stands still
  #photo;

  /** Whether the page may draw it anew at any time. */
  moving;

  /** `render_fit`, undefined for the server's default. A canvas is drawn where the garment belongs, a picture is not. */
  fit;

  /**
   * Resolves with the garment. Throws an Error if a picture cannot be loaded.
   *
   * @param jacket the render with transparency: a canvas, an image, a Blob or a URL; or null
   * @param garment the photo: a Blob or a URL; or null
   */
  static async load({ jacket, garment, fit }) {
    const file = typeof jacket === "string" || jacket instanceof Blob;
    const [layer, photo] = await Promise.all([
      file ? blobOf(jacket).then(bitmapOf) : jacket,
      garment ? blobOf(garment) : null,
    ]);
    return new WornGarment(layer, photo, fit);
  }

  constructor(layer = null, photo = null, fit = null) {
    this.moving = layer !== null && "getContext" in layer;
    this.fit = fit ?? (layer && !this.moving ? "body" : undefined);
    this.#picture = this.moving ? null : layer;
    this.#layer = layer;
    this.#photo = photo;
  }

  /** What is drawn over the person; null: only the server can put it on. A canvas of size 0 holds nothing yet. */
  get layer() {
    return this.#layer && widthOf(this.#layer) && heightOf(this.#layer) ? this.#layer : null;
  }

  get exists() {
    return this.layer !== null || this.#photo !== null;
  }

  /** Gives a picture that is laid onto the body the frame's shape, so that nobody stretches it to that. */
  shape(width, height) {
    const picture = this.#picture;
    if (!picture || !widthOf(picture) || this.fit !== "body") return;
    const [inner, outer] = [widthOf(picture) / heightOf(picture), width / height];
    const columns = Math.round(outer > inner ? heightOf(picture) * outer : widthOf(picture));
    const rows = Math.round(outer > inner ? heightOf(picture) : widthOf(picture) / outer);
    if (widthOf(this.#layer) === columns && heightOf(this.#layer) === rows) return;
    this.#layer = new OffscreenCanvas(columns, rows);
    this.#png = null;
    const [x, y] = [(columns - widthOf(picture)) / 2, (rows - heightOf(picture)) / 2];
    this.#layer.getContext("2d").drawImage(picture, x, y);
  }

  /** A keyframe's pictures: small copies for a light, which is laid on what is drawn; else whole ones. */
  async pictures(frame, light) {
    if (light && this.layer) return lightKeyframe(frame, this.layer);
    // The frame as it is now, not after the garment's file is made.
    const [camera_frame, worn] = await Promise.all([jpeg(frame, 0.85), this.fields()]);
    return { ...worn, camera_frame };
  }

  /** The garment's fields of a keyframe or capture. */
  async fields() {
    const { layer } = this;
    if (layer && (this.moving || !this.#png)) this.#png = png(layer);
    return { ...(layer && { jacket_render: await this.#png }), ...(this.#photo && { garment_image: this.#photo }) };
  }
}
