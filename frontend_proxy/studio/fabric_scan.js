/** The scan form: a photo of cloth (chosen, dropped or taken), its corners, and the kind of cloth. */

import { Corners } from "./corners.js";
import { el, sentence } from "./dom.js";

const QUICK_SIZE = 512; // of the preview's maps; those in the catalog are larger
const SAVED_SIZE = 1024;

export class FabricScan {
  #studio;
  #photo = null;
  #url = null;
  #moved = false; // whether the user moved the corners
  #running = null; // an AbortController
  #corners = new Corners(() => this.#touched());
  #name = el("input", { id: "scan-name", maxlength: 120, placeholder: "My fabric" });
  #cloth = el("select", { id: "scan-cloth", onchange: () => this.#offer() });
  #width = el("input", { id: "scan-width", type: "number", min: 1, max: 10000, step: "any", placeholder: "unknown" });
  #scan = el("button", { type: "button", onclick: () => this.#look() }, "Scan again");
  #save = el("button", { type: "button", class: "primary", onclick: () => this.#keep() }, "Save to the catalog");
  #state = el("p", { class: "scan-state", role: "status" });
  #photoView = el(
    "div",
    {},
    this.#corners.element,
    el(
      "p",
      { class: "note", id: "corner-keys" },
      "Drag each corner to a corner of the cloth, or select it and use the arrow keys (Shift moves it faster).",
    ),
  );
  #work;

  constructor(studio) {
    this.#studio = studio;
    const file = (attributes) => {
      const input = el("input", { type: "file", accept: "image/*", class: "unseen", tabindex: -1, ...attributes });
      input.addEventListener("change", () => {
        if (input.files[0]) this.open(input.files[0]);
        input.value = ""; // so that the same photo can be chosen again
      });
      return input;
    };
    const choose = file({ id: "scan-file", "aria-label": "A photo of the fabric" });
    const take = file({ id: "scan-camera", "aria-label": "Take a photo of the fabric", capture: "environment" });
    this.#work = el(
      "div",
      { class: "scan-work", hidden: true },
      this.#photoView,
      el(
        "div",
        { class: "scan-form" },
        el("div", {}, el("label", { for: "scan-name" }, "Name"), this.#name),
        el("div", {}, el("label", { for: "scan-cloth" }, "Kind of cloth"), this.#cloth),
        el("div", {}, el("label", { for: "scan-width" }, "Width of the piece, in mm"), this.#width),
        el("div", { class: "row" }, this.#scan, this.#save),
        this.#state,
      ),
    );
    this.element = el(
      "section",
      { class: "card fabric-scan", "aria-labelledby": "scan-title" },
      el(
        "div",
        { class: "scan-head" },
        el(
          "div",
          {},
          el("h2", { id: "scan-title" }, "Scan a fabric"),
          el(
            "p",
            { class: "note" },
            "Turn a photo of cloth into a material. Lay the cloth flat, in even light.",
            el("span", { class: "for-mouse" }, " Drop the photo here, or:"),
          ),
        ),
        el(
          "div",
          { class: "row" },
          el("button", { type: "button", onclick: () => choose.click() }, "Choose a photo"),
          el("button", { type: "button", onclick: () => take.click() }, "Take a photo"),
        ),
        choose,
        take,
      ),
      this.#work,
    );
    this.#acceptDrops();
  }

  /** Scans `photo` and shows the corners that were found and the material. */
  async open(photo) {
    this.#photo = photo;
    this.#moved = false;
    this.#name.value = photo.name?.replace(/\.\w+$/, "").replace(/[_-]+/g, " ") ?? "";
    this.#work.hidden = false;
    URL.revokeObjectURL(this.#url);
    this.#url = URL.createObjectURL(photo);
    const shown = await this.#corners.load(this.#url).then(
      () => true,
      () => false,
    );
    if (photo !== this.#photo) return; // another one was chosen meanwhile
    this.#photoView.hidden = !shown;
    await this.#look();
  }

  /** Lists the kinds of cloth that the server's OpenAPI description names; next time, if it cannot be reached now. */
  async #listCloths() {
    if (this.#cloth.options.length) return;
    const api = await fetch("/openapi.json").then((answer) => answer.json(), () => null);
    const classes = api?.components?.schemas.ScanRequest.properties.fabric_class.enum.filter(Boolean) ?? [];
    this.#cloth.replaceChildren(...classes.map((name) => el("option", { value: name }, name)));
  }

  async #look() {
    await this.#listCloths();
    const answer = await this.#run("Scanning …", (options, request) =>
      this.#studio.client.scan(this.#photo, { ...options, size: QUICK_SIZE }, request),
    );
    if (!answer) return;
    const { outline } = answer.quality;
    if (!this.#moved) this.#corners.points = outline;
    this.#scan.classList.remove("primary");
    const found = this.#moved
      ? "Scanned within your corners."
      : outline
        ? "The cloth's corners were found."
        : "The cloth fills the photo.";
    this.#say(this.#photoView.hidden ? `${found} This browser cannot show the photo.` : found);
    this.#studio.selectFabric({ ...answer, id: answer.fabric_id });
  }

  async #keep() {
    const answer = await this.#run("Saving …", (options, request) =>
      this.#studio.client.saveFabric(this.#photo, { ...options, size: SAVED_SIZE }, request),
    );
    if (!answer) return;
    const fabrics = await this.#studio.reloadFabrics();
    this.#studio.selectFabric(fabrics.find(({ id }) => id === answer.fabric_id) ?? { ...answer, id: answer.fabric_id });
    this.#say(`“${answer.name}” is in the catalog.`);
  }

  /** The result of `work`; null if it failed, which is shown, or if a newer run replaced it. */
  async #run(doing, work) {
    this.#running?.abort();
    const running = (this.#running = new AbortController());
    const options = {
      name: this.#name.value.trim() || null,
      fabric_class: this.#cloth.value || null,
      physical_width_mm: this.#width.value || null,
      corners: this.#moved ? this.#corners.points : null,
    };
    this.#say(doing);
    this.#save.disabled = true;
    try {
      return await work(options, { signal: running.signal });
    } catch (error) {
      if (running.signal.aborted) return null;
      const again = error.retryAfter ? ` Try again in ${error.retryAfter} s.` : "";
      this.#say(sentence(error.message) + again, true);
      return null;
    } finally {
      if (running === this.#running) this.#save.disabled = false;
    }
  }

  #touched() {
    this.#moved = true;
    this.#offer();
  }

  #offer() {
    this.#scan.classList.add("primary");
  }

  #say(text, wrong = false) {
    this.#state.textContent = text;
    this.#state.classList.toggle("problem", wrong);
  }

  #acceptDrops() {
    const zone = this.element;
    const over = (on) => zone.classList.toggle("over", on);
    zone.addEventListener("dragover", (event) => {
      event.preventDefault();
      over(true);
    });
    zone.addEventListener("dragleave", () => over(false));
    zone.addEventListener("drop", (event) => {
      event.preventDefault();
      over(false);
      const [photo] = event.dataTransfer.files;
      if (photo) this.open(photo);
    });
  }
}
