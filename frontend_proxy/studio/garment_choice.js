/** The choice between the jacket and a photo of another garment, with the garment's category. */

import { choice } from "./choice.js";
import { el } from "./dom.js";
import { bitmapOf } from "./picture_file.js";

const CATEGORIES = { auto: "not said", tops: "top", bottoms: "trousers or skirt", "one-pieces": "dress or overall" };
const LONGEST_PX = 1536; // no checkpoint takes a larger picture, and every keyframe carries it
const HEIC = /hei[cf]$/i; // of a type or a name: most browsers cannot show an iPhone's photo, but the server can read it

export class GarmentChoice {
  #studio;
  #chosen = null; // a Symbol for each choice
  #problem = new Error(); // with the last file
  #url = null; // of the preview
  #file = el("input", { type: "file", accept: "image/*", id: "garment-file", class: "unseen", tabindex: -1 });
  #choose = el("button", { type: "button", onclick: () => this.#file.click() }, "Choose a photo");
  #back = el("button", { type: "button", class: "quiet", hidden: true, onclick: () => this.#wear(null) }, "Wear the jacket");
  #preview = el("img", { class: "garment-photo", alt: "The garment", hidden: true });
  #category = choice("It is a", CATEGORIES, () => this.#changed());

  /** @param {import("./studio.js").Studio} studio */
  constructor(studio) {
    this.#studio = studio;
    this.#file.addEventListener("change", () => {
      if (this.#file.files[0]) this.#wear(this.#file.files[0]);
      this.#file.value = ""; // so that the same photo can be chosen again
    });
    this.#category.element.hidden = true; // until there is a photo
    this.element = el(
      "fieldset",
      { class: "garment-choice" },
      el("legend", {}, "A garment of your own"),
      el("label", { class: "unseen", for: this.#file.id }, "A photo of the garment"),
      this.#file,
      el("div", { class: "row" }, this.#preview, this.#choose, this.#back),
      this.#category.element,
    );
  }

  /** Wears the garment of a photo, or the jacket again for null. */
  async #wear(photo) {
    const chosen = (this.#chosen = Symbol("chosen"));
    let smaller;
    try {
      smaller = photo && (await shrunk(photo));
    } catch (error) {
      this.#studio.fail((this.#problem = error)); // what was worn stays
      return;
    }
    if (chosen !== this.#chosen) return; // another photo was chosen meanwhile
    this.#studio.settle(this.#problem);
    if (this.#url) URL.revokeObjectURL(this.#url);
    this.#url = smaller && smaller !== photo ? URL.createObjectURL(smaller) : null;
    if (this.#url) this.#preview.src = this.#url;
    this.#preview.hidden = !this.#url;
    this.#back.hidden = this.#category.element.hidden = !smaller;
    this.#choose.textContent = smaller ? "Choose another" : "Choose a photo";
    this.#studio.wear(smaller && { photo: smaller, category: this.#category.value });
  }

  #changed() {
    const { garment } = this.#studio;
    if (garment) this.#studio.wear({ ...garment, category: this.#category.value });
  }
}

/**
 * The photo upright, as a JPEG over white of at most LONGEST_PX; as it is if only the server can read it. Throws an Error
 * if it is no picture.
 */
async function shrunk(photo) {
  let bitmap;
  try {
    bitmap = await bitmapOf(photo, LONGEST_PX);
  } catch (error) {
    if (photo.size && (HEIC.test(photo.type) || HEIC.test(photo.name))) return photo;
    throw error;
  }
  const canvas = el("canvas", { width: bitmap.width, height: bitmap.height });
  const context = canvas.getContext("2d");
  context.fillStyle = "white";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.92));
}
