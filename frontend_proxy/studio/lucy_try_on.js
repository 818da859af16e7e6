/**
 * `<lucy-try-on>`: a try-on for any page, without a build step.
 *
 *     <script type="module" src="https://tryon.example.com/studio/lucy_try_on.js"></script>
 *     <lucy-try-on jacket="coat.png"></lucy-try-on>
 *
 * docs/client.md has its attributes, properties, events, parts and custom properties.
 */

import { sentence } from "./dom.js";
import { LiveTryOn } from "./live_try_on.js";
import { TEXTS } from "./lucy_try_on_texts.js";
import { TryOnView } from "./lucy_try_on_view.js";
import { explain } from "./reasons.js";

// Options of LiveTryOn as attributes; `photo` is where the person's picture comes from.
const OPTIONS = ["server", "api-key", "jacket", "garment", "mode", "fit", "fabric-id", "category", "pose"];
const PROPERTIES = ["jacket", "garment", "landmarks", "texts"]; // what no attribute can hold: canvases, Blobs, points
const EVENTS = ["answer", "progress", "result", "error"];
const OWN = /\/studio\/lucy_try_on\.js$/; // where a server has this file
const Base = globalThis.HTMLElement ?? class {}; // a page that is made on a server imports it, too

export class LucyTryOn extends Base {
  static observedAttributes = [...OPTIONS, "photo"];

  #live = null;
  #view = null;
  #texts = TEXTS;
  #properties = {}; // those that were set
  #cancelled = false;

  /** The state; see LiveTryOn. */
  get state() {
    return this.#live?.state ?? null;
  }

  get texts() {
    return this.#texts;
  }

  /** Replaces some of the texts, for another language. */
  set texts(texts) {
    this.#texts = { ...TEXTS, ...texts };
    this.#view?.label(this.#texts);
    if (this.#live) this.#show();
  }

  /** Shows the person: "camera", or a photo (a Blob or a URL). Resolves with whether that could be done. */
  start(from = this.getAttribute("photo") ?? "camera") {
    this.#cancelled = false;
    return this.#live ? this.#live.start(from) : Promise.resolve(false);
  }

  stop() {
    this.#cancelled = false;
    this.#live?.stop();
  }

  /** Resolves with the capture's answer, or null: it failed, as the event `lucy-error` says, or was cancelled. */
  capture(options) {
    this.#cancelled = false;
    return this.#live ? this.#live.capture(options) : Promise.resolve(null);
  }

  cancel() {
    this.#cancelled = Boolean(this.state?.capturing);
    this.#live?.cancel();
  }

  connectedCallback() {
    PROPERTIES.forEach((name) => this.#upgrade(name));
    this.#build();
    this.#live = new LiveTryOn(this.#options());
    this.#live.attach(this.#view.canvas);
    this.#live.addEventListener("change", () => this.#show());
    for (const name of EVENTS) this.#live.addEventListener(name, ({ detail }) => this.#tell(name, detail));
    this.#show();
    if (this.hasAttribute("photo") || this.hasAttribute("autostart")) this.start();
  }

  disconnectedCallback() {
    this.#live.close();
    this.#live = null;
  }

  attributeChangedCallback(name, before, now) {
    if (before === now) return;
    delete this.#properties[optionOf(name)];
    if (!this.#live) return;
    if (name !== "photo") this.#live.configure({ [optionOf(name)]: this.#attribute(name) });
    else if (now) this.start(now);
    else this.stop();
  }

  get jacket() {
    return this.#properties.jacket ?? this.getAttribute("jacket");
  }

  set jacket(jacket) {
    this.#property({ jacket });
  }

  get garment() {
    return this.#properties.garment ?? this.getAttribute("garment");
  }

  set garment(garment) {
    this.#property({ garment });
  }

  get landmarks() {
    return this.#properties.landmarks ?? null;
  }

  set landmarks(landmarks) {
    this.#property({ landmarks });
  }

  #property(given) {
    Object.assign(this.#properties, given);
    this.#live?.configure(given);
  }

  /** A property that the page has set before this file was there. */
  #upgrade(name) {
    if (!Object.hasOwn(this, name)) return;
    const value = this[name];
    delete this[name];
    this[name] = value;
  }

  #options() {
    const given = OPTIONS.map((name) => [optionOf(name), this.#attribute(name)]);
    return { ...Object.fromEntries(given), ...this.#properties };
  }

  #attribute(name) {
    return this.getAttribute(name) ?? (name === "server" ? ownServer() : undefined);
  }

  #build() {
    if (this.#view) return; // the element was moved
    const view = (this.#view = new TryOnView(this.attachShadow({ mode: "open" })));
    view.label(this.#texts);
    view.start.onclick = () => (this.state.status === "idle" ? this.start("camera") : this.stop());
    view.capture.onclick = () => this.capture();
    view.cancel.onclick = () => this.cancel();
    view.back.onclick = () => {
      this.#live.dismiss();
      view.capture.focus();
    };
    view.file.onchange = () => {
      const [photo] = view.file.files;
      view.file.value = ""; // so that the same photo can be chosen again
      if (photo) this.start(photo);
    };
  }

  #show() {
    const { state } = this.#live;
    this.#view.show(state, this.#texts, { status: this.#status(state), problem: this.#problem(state) });
  }

  #status({ status, connection, capturing, progress, result, looking, person, reason, error }) {
    const texts = this.#texts;
    const unused = (why) => texts.unused(explain(why));
    if (status === "idle") return "";
    if (status === "starting") return texts.starting;
    if (capturing) return progress ? texts.step(progress) : texts.waiting;
    if (result) return result.mode === "fallback" ? unused(result.mode_reason) : texts.done;
    if (this.#cancelled) return texts.cancelled;
    if (connection === "waiting") return texts.away;
    if (connection === "connecting") return texts.connecting;
    if (looking) return texts.looking;
    if (error) return "";
    if (!this.jacket && !this.garment) return texts.bare;
    if (reason) return unused(reason);
    return person === false ? texts.nobody : texts.live;
  }

  #problem({ error }) {
    if (!error) return "";
    const again = error.retryAfter ? ` ${this.#texts.again(error.retryAfter)}` : "";
    return sentence(error.message) + again;
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(`lucy-${name}`, { detail, bubbles: true, composed: true }));
  }
}

/** "fabric-id" is the option fabricId. */
function optionOf(attribute) {
  return attribute.replace(/-(.)/g, (_, letter) => letter.toUpperCase());
}

/** The server that this file comes from; undefined where a bundler has moved it. */
function ownServer() {
  const [path] = String(import.meta.url).split("?"); // undefined in a bundle of another format
  return OWN.test(path) ? path.replace(OWN, "") : undefined;
}

if (globalThis.customElements && !customElements.get("lucy-try-on")) customElements.define("lucy-try-on", LucyTryOn);
