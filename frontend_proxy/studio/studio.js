/** What the page's panels share: the client, the chosen fabric, the picture of this moment. */

export class Studio extends EventTarget {
  /** @param {{ client: import("./client.js").LucyClient, banner: HTMLElement, status: HTMLElement }} parts */
  constructor({ client, banner, status }) {
    super();
    this.client = client;
    this.fabric = null; // of the catalog, or a scan's answer
    this.fabrics = [];
    this.source = null; // camera.js
    this.tryon = null; // tryon.js, which gives `capture`
    this.banner = banner;
    this.status = status;
  }

  /** The jacket is made of it from now on. Event `fabric`. */
  selectFabric(fabric) {
    this.fabric = fabric;
    this.dispatchEvent(new CustomEvent("fabric", { detail: fabric }));
  }

  /** Fetches the catalog. Event `fabrics`. */
  async reloadFabrics() {
    this.fabrics = await this.client.catalog();
    this.dispatchEvent(new CustomEvent("fabrics", { detail: this.fabrics }));
    return this.fabrics;
  }

  /**
   * The present frame, the jacket's render over it (a transparent PNG) and the pose.
   *
   * @returns {Promise<{ cameraImage: Blob, overlayImage: Blob, landmarks: object[] | null, width: number, height: number }>}
   */
  capture() {
    if (!this.tryon) return Promise.reject(new Error("Open “Try on” first: it starts the camera or the sample."));
    return this.tryon.capture();
  }

  /** For screen readers. */
  announce(text) {
    this.status.textContent = text;
  }

  /** Shows the error to everyone. Event `error`. */
  fail(error) {
    this.banner.show(error);
    this.dispatchEvent(new CustomEvent("error", { detail: error }));
  }
}
