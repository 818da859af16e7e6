/** The chosen fabric, and the jacket in it, as files for other programs; on an iPhone or iPad also in the room. */

import { el, offer, sentence } from "./dom.js";

const FORMATS = {
  gltf: ["GLB", "Blender, Unreal, Three.js"],
  usdz: ["USDZ", "iPhone, iPad, USD"],
  mtlx: ["MaterialX", "Unreal, Houdini, Maya"],
  zip: ["Maps", "a ZIP, named as Poly Haven does"],
};
const JACKETS = {
  glb: ["Jacket (glTF)", "Blender, Unreal, Three.js"],
  usdz: ["Jacket (USD)", "iPhone, iPad, USD"],
};

/** Whether the browser shows a USDZ in the room (AR Quick Look). */
const showsInRoom = () => document.createElement("a").relList.supports("ar");

/**
 * The link by which Android shows a GLB in the room (Google's Scene Viewer, "intent" in its documentation); null where
 * it could not. Scene Viewer is another app and fetches the file by itself: only by https, and without an API key.
 */
export function sceneViewerLink({ file, title, page, userAgent, apiKey = null }) {
  if (!/Android/.test(userAgent) || new URL(file).protocol !== "https:" || apiKey) return null;
  const query = new URLSearchParams({ file, mode: "ar_preferred", title });
  return (
    `intent://arvr.google.com/scene-viewer/1.0?${query}#Intent;scheme=https;package=com.google.ar.core;` +
    `action=android.intent.action.VIEW;S.browser_fallback_url=${encodeURIComponent(page)};end;`
  );
}

export class FabricPacks {
  #studio;
  #fabric = null;
  #list = el("ul", { class: "packs" });
  #jackets = el("ul", { class: "packs" });
  #scene = el("p", { hidden: true });
  #state = el("p", { class: "note", role: "status" });

  constructor(studio) {
    this.#studio = studio;
    const pack = (format) => studio.client.fabricPack(this.#fabric.id, format);
    this.#fill(this.#list, FORMATS, pack, "In your room");
    this.#fill(this.#jackets, JACKETS, (format) => this.#sew(format), "Jacket in your room");
    this.element = el("div", {}, el("h3", {}, "Take it away"), this.#scene, this.#list, this.#jackets, this.#state);
  }

  /** A scan that is not saved has no pack: the server does not know it any more. */
  show(fabric, saved) {
    this.#fabric = fabric;
    for (const button of this.#list.querySelectorAll("button")) button.disabled = !saved;
    const link = saved && this.#sceneViewer(fabric);
    this.#scene.hidden = !link;
    this.#scene.replaceChildren(...(link ? [el("a", { href: link }, "In your room, life-size")] : []));
    this.#state.textContent = saved ? "" : "Save it to the catalog first; then the cloth itself can be taken away, too.";
  }

  /** Only of the cloth: the jacket is made in this browser, where no other app can fetch it. */
  #sceneViewer({ id, name }) {
    const { baseUrl, apiKey } = this.#studio.client;
    const file = new URL(`/api/fabric/${encodeURIComponent(id)}/pack?format=gltf`, baseUrl).href;
    return sceneViewerLink({ file, title: name, page: location.href, userAgent: navigator.userAgent, apiKey });
  }

  /** A button for each format, and one for the room. `make` resolves to a File. */
  #fill(list, formats, make, room) {
    const entry = ([name, about], onclick) =>
      el("li", {}, el("button", { type: "button", onclick }, el("strong", {}, name), el("span", {}, about)));
    const entries = Object.entries(formats).map(([format, texts]) =>
      entry(texts, () => this.#follow(make(format), (file) => ({ download: file.name }))),
    );
    if (showsInRoom()) {
      entries.unshift(entry([room, "life-size, by the camera"], () => this.#follow(make("usdz"), () => ({ rel: "ar" }))));
    }
    list.append(...entries);
  }

  /** Made in the browser, which has the jacket's pattern: a scan need not be saved for it. */
  async #sew(format) {
    const { jacketFile } = await import("./jacket_file.js");
    return jacketFile(this.#fabric, format);
  }

  /** Waits for the file, since a link to it could not send the API key. */
  async #follow(making, attributes) {
    const { name } = this.#fabric;
    this.#state.textContent = "One moment …";
    try {
      const file = await making;
      offer(file, attributes(file));
      this.#state.textContent = `${name}: ${file.name}`;
    } catch (error) {
      this.#state.textContent = sentence(error.message);
    }
  }
}
