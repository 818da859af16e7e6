/** State that the page's panels share: the client, the chosen fabric, the current picture. */

export class Studio extends EventTarget {
  /** @param {{ client: import("./client.js").LucyClient, banner: HTMLElement, status: HTMLElement }} parts */
  constructor({ client, banner, status }) {
    super();
    this.client = client;
    this.fabric = null; // from the catalog, or a scan's answer
    this.fabrics = [];
    this.trousers = null; // their fabric, worn under the jacket
    this.garment = null; // { photo, category } worn instead of the jacket
    this.source = null; // see camera.js
    this.tryon = null; // see tryon.js; it implements `capture`
    this.banner = banner;
    this.status = status;
  }

  /** Chooses the jacket's fabric. Dispatches `fabric`. */
  selectFabric(fabric) {
    this.fabric = fabric;
    this.dispatchEvent(new CustomEvent("fabric", { detail: fabric }));
  }

  /** Wears trousers of a fabric under the jacket, or none for null. Dispatches `trousers`. */
  wearTrousers(fabric) {
    this.trousers = fabric;
    this.dispatchEvent(new CustomEvent("trousers", { detail: fabric }));
  }

  /** Wears a garment of a photo, or the jacket again for null. Dispatches `garment`. */
  wear(garment) {
    this.garment = garment;
    this.dispatchEvent(new CustomEvent("garment", { detail: garment }));
  }

  /** What a request says about what is worn: the photo, the jacket's render, or jacket and trousers. */
  garmentFields({ overlayImage, garments }) {
    if (!this.garment) return garments ? { garments } : { jacket_render: overlayImage };
    return { garment_image: this.garment.photo, category: this.garment.category };
  }

  /** Fetches the catalog. Dispatches `fabrics`. */
  async reloadFabrics() {
    this.fabrics = await this.client.catalog();
    this.dispatchEvent(new CustomEvent("fabrics", { detail: this.fabrics }));
    return this.fabrics;
  }

  /**
   * The current frame, the render over it (a transparent PNG), the single garments if there are several, and the pose.
   *
   * @returns {Promise<{ cameraImage: Blob, overlayImage: Blob, garments: object[] | null, landmarks: object[] | null,
   *   width: number, height: number }>}
   */
  capture() {
    if (!this.tryon) return Promise.reject(new Error("Please open “Try on” first: it starts the camera or the sample."));
    return this.tryon.capture();
  }

  /** Tells screen readers. */
  announce(text) {
    this.status.textContent = text;
  }

  /** Shows the error in the banner. */
  fail(error) {
    this.banner.show(error);
  }

  /** The error is over: the banner need not show it any more. */
  settle(error) {
    this.banner.hide(error);
  }
}
