/** The catalog as pictures to choose from, with search by text and tag. Saved fabrics can be deleted. */

import { el } from "./dom.js";

const TYPING_MS = 200; // debounce of the search field

/** Whether the fabric was scanned here. Built-in fabrics cannot be deleted. */
export const isOwn = (fabric) => fabric.tags?.includes("scanned");

export class CatalogGrid {
  #studio;
  #search = el("input", {
    type: "search",
    id: "fabric-search",
    maxlength: 64,
    placeholder: "denim, wool, red …",
    oninput: () => this.#soon(),
  });
  #tag = el("select", { id: "fabric-tag", onchange: () => this.#find() });
  #list = el("ul", { class: "fabric-grid" });
  #count = el("p", { class: "note", role: "status" });
  #question = el("h3", { id: "delete-title" });
  #dialog;
  #timer = null;
  #asked = 0;

  constructor(studio) {
    this.#studio = studio;
    this.#dialog = el(
      "dialog",
      { "aria-labelledby": "delete-title" },
      el(
        "form",
        { method: "dialog" },
        this.#question,
        el("p", {}, "The fabric and its maps are removed from this server. This cannot be undone."),
        el(
          "div",
          { class: "row end" },
          el("button", { class: "quiet", value: "keep" }, "Keep it"),
          el("button", { class: "primary", value: "delete" }, "Delete it"),
        ),
      ),
    );
    this.element = el(
      "section",
      { class: "card fabric-catalog", "aria-labelledby": "catalog-title" },
      el("h2", { id: "catalog-title" }, "Catalog"),
      el(
        "div",
        { class: "fields" },
        el("div", {}, el("label", { for: "fabric-search" }, "Search"), this.#search),
        el("div", {}, el("label", { for: "fabric-tag" }, "Tag"), this.#tag),
      ),
      this.#count,
      this.#list,
      this.#dialog,
    );
    studio.addEventListener("fabrics", () => this.#reload());
    studio.addEventListener("fabric", () => this.#mark());
    this.#reload();
  }

  #reload() {
    const tags = [...new Set(this.#studio.fabrics.flatMap((fabric) => fabric.tags ?? []))].sort();
    const chosen = this.#tag.value;
    this.#tag.replaceChildren(
      el("option", { value: "" }, "any"),
      ...tags.map((tag) => el("option", { value: tag }, tag)),
    );
    this.#tag.value = tags.includes(chosen) ? chosen : "";
    return this.#find();
  }

  #soon() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#find(), TYPING_MS);
  }

  async #find() {
    const asked = (this.#asked += 1);
    const [tag, q] = [this.#tag.value, this.#search.value.trim()];
    let found = this.#studio.fabrics;
    try {
      if (tag || q) found = await this.#studio.client.catalog({ tag, q });
    } catch (error) {
      this.#studio.fail(error);
      return;
    }
    if (asked !== this.#asked) return; // a newer search has begun
    this.#list.replaceChildren(...found.map((fabric) => this.#entry(fabric)));
    this.#count.textContent = found.length === 1 ? "1 fabric" : `${found.length} fabrics`;
    this.#mark();
  }

  #entry(fabric) {
    const about = fabric.weave ?? fabric.tags?.join(", ") ?? "";
    return el(
      "li",
      { "data-fabric": fabric.id },
      el(
        "button",
        { type: "button", class: "fabric", onclick: () => this.#studio.selectFabric(fabric) },
        el("img", { src: fabric.thumbnail, alt: "", loading: "lazy", width: 256, height: 256 }),
        el("strong", {}, fabric.name),
        el("span", {}, about),
      ),
      isOwn(fabric) &&
        el(
          "button",
          {
            type: "button",
            class: "fabric-delete",
            "aria-label": `Delete ${fabric.name}`,
            title: "Delete",
            onclick: () => this.#delete(fabric),
          },
          "✕",
        ),
    );
  }

  #mark() {
    for (const entry of this.#list.children) {
      const chosen = entry.dataset.fabric === this.#studio.fabric?.id;
      entry.querySelector(".fabric").setAttribute("aria-pressed", String(chosen));
    }
  }

  async #delete(fabric) {
    this.#question.textContent = `Delete “${fabric.name}”?`;
    this.#dialog.returnValue = "";
    this.#dialog.showModal();
    await new Promise((resolve) => this.#dialog.addEventListener("close", resolve, { once: true }));
    if (this.#dialog.returnValue !== "delete") return;
    try {
      await this.#studio.client.deleteFabric(fabric.id);
      const left = await this.#studio.reloadFabrics();
      this.#studio.announce(`${fabric.name} was deleted.`);
      if (this.#studio.fabric?.id === fabric.id && left.length) this.#studio.selectFabric(left[0]);
    } catch (error) {
      this.#studio.fail(error);
    }
  }
}
