/** What a live try-on shows on its canvas: the person, the garment in the server's newest light, or the server's picture. */

import { LightCompositor } from "./light_compositor.js";

export class TryOnDisplay {
  #compositor = null;
  #picture = null; // the server's last, in mode "picture"
  #stale = true; // whether there is something new to draw, in a picture that stands still

  /** Draws on this canvas from now on; null: on none. */
  attach(canvas) {
    if (canvas === (this.#compositor?.canvas ?? null)) return;
    this.#compositor = canvas && new LightCompositor(canvas);
    this.touch();
  }

  /** Something of what is drawn has changed. */
  touch() {
    this.#stale = true;
  }

  /** Forgets the server's answers. */
  clear() {
    this.#compositor?.clear();
    this.#show(null);
  }

  /** Forgets the picture, which gets older; a light goes with what is live. */
  clearPicture() {
    this.#show(null);
  }

  /** Takes an answer. Of a fallback the live picture with the plain garment is shown, which is as good. */
  async take(result) {
    if (result.answer === "light") await this.#compositor?.take(result);
    else this.#show(result.mode === "ai_enhanced" ? await createImageBitmap(result.image) : null);
    this.touch();
  }

  /** @param garment a WornGarment */
  draw({ source, garment, landmarks, fabricId }) {
    const compositor = this.#compositor;
    if (!compositor || (!source.moving && !garment.moving && !this.#stale && compositor.settled)) return;
    const placed = compositor.lit || garment.fit !== "body"; // where it lies on the body, only the server knows
    compositor.draw({
      frame: source.element,
      layer: placed && !this.#picture ? garment.layer : null,
      landmarks,
      fabric_id: fabricId,
    });
    if (this.#picture) {
      const { canvas } = compositor;
      canvas.getContext("2d").drawImage(this.#picture, 0, 0, canvas.width, canvas.height);
    }
    this.#stale = false;
  }

  #show(picture) {
    this.#picture?.close();
    this.#picture = picture;
    this.touch();
  }
}
