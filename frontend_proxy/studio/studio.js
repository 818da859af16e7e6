/** State that the page's panels share: the client, the chosen fabric, the current picture. */

export class Studio extends EventTarget {
  /** @param {{ client: import("./client.js").LucyClient, banner: HTMLElement, status: HTMLElement }} parts */
  constructor({ client, banner, status }) {
    super();
    this.client = client;
    this.fabric = null; // from the catalog, or a scan's answer
    this.fabrics = [];
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

  /** Fetches the catalog. Dispatches `fabrics`. */
  async reloadFabrics() {
    this.fabrics = await this.client.catalog();
    this.dispatchEvent(new CustomEvent("fabrics", { detail: this.fabrics }));
    return this.fabrics;
  }

  /**
   * The current frame, the jacket's render over it (a transparent PNG) and the pose.
   *
   * @returns {Promise<{ cameraImage: Blob, overlayImage: Blob, landmarks: object[] | null, width: number, height: number }>}
   */
  capture() {
    if (!this.tryon) return Promise.reject(new Error("Please open “Try on” first: it starts the camera or the sample."));
    return this.tryon.capture();
  }

  /** Tells screen readers. */
  announce(text) {
    this.status.textContent = text;
  }

  /** Shows the error in the banner. Dispatches `error`. */
  fail(error) {
    this.banner.show(error);
    this.dispatchEvent(new CustomEvent("error", { detail: error }));
  }
}
