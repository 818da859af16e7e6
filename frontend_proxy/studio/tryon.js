/** Try on: a source of frames, the jacket on it, keyframes out and photographs in. */

import { el } from "./dom.js";
import { Fitting } from "./fitting.js";
import { Readings } from "./readings.js";
import { Stage } from "./stage.js";
import { Swatches } from "./swatches.js";

const SOURCES = { camera: "Camera", portrait: "Sample portrait", clip: "Sample clip" };
const PACES = { interval: "every 1.5 s", fast: "as fast as they come" };
const INTERVAL_MS = 1500;
const PROTOCOLS = { msgpack: "MessagePack", json: "JSON" };
const LOOKING = "Looking for you. The pose model loads once, which takes a moment.";
const NOBODY = "Nobody to dress yet: step back until both shoulders are in the picture.";
const LONGEST_ANSWER_MS = 6000; // the server promises one within 5 s

export function mount(root, studio) {
  return new TryOn(root, studio);
}

class TryOn {
  #studio;
  #fitting = new Fitting();
  #stage = new Stage();
  #readings = new Readings();
  #session = null;
  #shown = false;
  #note = ""; // why it is the sample portrait
  #opened = null; // a promise: the source is there
  #wake = () => {}; // ends the pause before the next keyframe
  #source = choice("Picture", SOURCES, () => this.#open(this.#source.value));
  #pace = choice("Keyframes", PACES, () => this.#wake());
  #protocol = choice("Sent as", PROTOCOLS, () => this.#connect());
  #live = el("button", { class: "primary", "aria-pressed": "true", onclick: () => this.#toggle() }, "Pause");

  constructor(root, studio) {
    this.#studio = studio;
    this.#source.value = "portrait";
    root.classList.add("tryon");
    root.append(
      el("div", { class: "tryon-view" }, this.#stage.element, new Swatches(studio).element),
      el(
        "div",
        { class: "card tryon-side" },
        el("h2", {}, "Live try-on"),
        this.#source.element,
        this.#pace.element,
        this.#protocol.element,
        this.#live,
        this.#readings.element,
      ),
    );
    studio.tryon = this;
    studio.addEventListener("fabric", () => this.#wear());
    studio.addEventListener("key", () => this.#connect());
    this.#wear();
  }

  show() {
    this.#shown = true;
    this.#opened ??= this.#open(this.#source.value);
    this.#fitting.run((error) => this.#fault(error));
    this.#draw();
    this.#connect();
  }

  hide() {
    this.#shown = false;
    this.#fitting.stop();
    this.#disconnect();
  }

  /** See Studio.capture. */
  async capture() {
    this.#opened ??= this.#open(this.#source.value);
    await this.#opened;
    await this.#fitting.fit();
    return this.#fitting.snapshot();
  }

  /** A camera that is not there leaves the sample portrait. */
  async #open(kind) {
    this.#stage.note(kind === "camera" ? "Starting the camera …" : "Loading …");
    let note = "";
    try {
      await this.#fitting.open(kind);
    } catch (error) {
      if (kind !== "camera") throw error;
      note = `${error.message} This is the sample portrait.`;
      this.#source.value = "portrait";
      await this.#fitting.open("portrait");
    }
    this.#studio.source = this.#fitting.source;
    this.#stage.open(this.#fitting.source);
    this.#note = note;
  }

  async #wear() {
    const { fabric } = this.#studio;
    if (fabric) await this.#fitting.setFabric(fabric).catch((error) => this.#fault(error));
  }

  #draw() {
    if (!this.#shown) return;
    const { source, overlay, landmarks, fitted, poseMs } = this.#fitting;
    if (source) this.#stage.draw(source.element, overlay);
    if (fitted) {
      this.#stage.note(landmarks ? this.#note : NOBODY);
      this.#readings.showPose(landmarks, poseMs);
    } else if (source) {
      this.#stage.note(source.landmarks ? "Sewing the jacket …" : LOOKING);
    }
    requestAnimationFrame(() => this.#draw());
  }

  #connect() {
    if (!this.#shown || this.#live.getAttribute("aria-pressed") !== "true") return;
    this.#disconnect();
    const session = this.#studio.client.connect({
      protocol: this.#protocol.value,
      onState: (state) => this.#readings.showState(state),
      onResult: (result) => this.#answer(result, session),
      onError: (error) => {
        this.#studio.fail(error);
        this.#wake();
      },
    });
    this.#session = session;
    this.#send(session);
  }

  #disconnect() {
    this.#session?.close();
    this.#session = null;
    this.#stage.clear();
    this.#readings.showState("closed");
    this.#wake();
  }

  #toggle() {
    const live = this.#live.getAttribute("aria-pressed") !== "true";
    this.#live.setAttribute("aria-pressed", String(live));
    this.#live.textContent = live ? "Pause" : "Go on";
    if (live) this.#connect();
    else this.#disconnect();
  }

  /** Keyframes at the chosen pace, as long as the session is the present one. */
  async #send(session) {
    while (session === this.#session) {
      const { source, landmarks } = this.#fitting;
      if (source && landmarks && !document.hidden) {
        const { cameraImage, overlayImage } = await this.#fitting.snapshot();
        session.send({
          camera_frame: cameraImage,
          jacket_render: overlayImage,
          pose: { landmarks },
          fabric_id: this.#studio.fabric?.id ?? this.#studio.fabric?.fabric_id ?? null,
        });
        this.#readings.showSession(session);
        await this.#pause(this.#pace.value === "fast" ? LONGEST_ANSWER_MS : INTERVAL_MS);
      } else {
        await this.#pause(100);
      }
    }
  }

  async #answer(result, session) {
    await this.#stage.showResult(result.image);
    this.#readings.showResult(result, session);
    if (this.#pace.value === "fast") this.#wake();
  }

  #pause(milliseconds) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #fault(error) {
    this.#fitting.stop();
    this.#stage.note(error.message);
    this.#studio.fail(error);
  }
}

/** A labelled select; `value` reads and writes it. */
function choice(label, options, onchange) {
  const select = el(
    "select",
    { onchange },
    Object.entries(options).map(([value, text]) => el("option", { value }, text)),
  );
  return {
    element: el("label", { class: "field" }, label, select),
    get value() {
      return select.value;
    },
    set value(value) {
      select.value = value;
    },
  };
}
