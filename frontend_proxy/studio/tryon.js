/** The Try on tab: fits jacket and trousers to a source of frames, sends keyframes, shows the answers. */

import { choice } from "./choice.js";
import { el } from "./dom.js";
import { Fitting } from "./fitting.js";
import { GarmentChoice } from "./garment_choice.js";
import { Readings } from "./readings.js";
import { Stage } from "./stage.js";
import { Swatches } from "./swatches.js";
import { TrousersChoice } from "./trousers_choice.js";
import { tryOnNote } from "./tryon_note.js";

const SOURCES = { camera: "Camera", portrait: "Sample portrait", clip: "Sample clip", figure: "Drawn figure" };
const PACES = { interval: "every 1.5 s", live: "live, one after the other" };
const INTERVAL_MS = 1500;
const ANSWERS = { light: "light on the live jacket", picture: "a whole picture", both: "picture beside light" };
const [PAUSE, RESUME] = ["Pause keyframes", "Send keyframes again"];
const PROTOCOLS = { msgpack: "MessagePack", json: "JSON" };
const NO_LEGS = "The picture shows no legs: a drawn figure wears the trousers.";

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
  #paused = false;
  #drawing = 0; // the animation frame's request
  #note = ""; // the last problem with the picture
  #why = null; // why the last answer did without the model
  #opened = null; // a promise: the source is open; null if it could not be opened
  #since = 0; // Date.now() at the last change of jacket or source
  #wake = () => {}; // ends the pause before the next keyframe
  #source = choice("Source", SOURCES, () => this.#choose());
  #pace = choice("Keyframes", PACES, () => this.#wake());
  #answers = choice("Answer", ANSWERS, () => this.#change());
  #rate = { since: 0, frames: 0 }; // of the display
  #protocol = choice("Sent as", PROTOCOLS, () => this.#connect());
  #live = el("button", { class: "primary", onclick: () => this.#toggle() }, PAUSE);

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
        this.#answers.element,
        this.#protocol.element,
        new TrousersChoice(studio).element,
        new GarmentChoice(studio).element,
        this.#live,
        this.#readings.element,
      ),
    );
    studio.tryon = this;
    studio.addEventListener("fabric", () => this.#wear());
    studio.addEventListener("trousers", () => this.#wearTrousers());
    studio.addEventListener("garment", () => this.#change());
    studio.addEventListener("key", () => this.#connect());
    this.#wear();
  }

  show() {
    this.#shown = true;
    this.#ready();
    this.#fitting.run((error) => this.#fault(error));
    this.#draw();
    this.#connect();
  }

  hide() {
    this.#shown = false;
    cancelAnimationFrame(this.#drawing);
    this.#fitting.stop();
    this.#disconnect();
  }

  /** Implements Studio.capture. */
  async capture() {
    await this.#ready();
    await this.#fitting.fit();
    return this.#fitting.snapshot();
  }

  /** Resolves when the chosen source is open. One that could not be opened is tried again. */
  #ready() {
    return this.#opened ?? this.#choose();
  }

  #choose() {
    const opened = (this.#opened = this.#open(this.#source.value));
    opened.catch((error) => {
      if (opened !== this.#opened) return;
      this.#opened = null;
      this.#note = error.message;
      this.#studio.fail(error);
    });
    return opened;
  }

  /** Opens a source; without a camera the sample portrait. If another one is chosen meanwhile, that one. */
  async #open(kind) {
    this.#note = "";
    try {
      if (!(await this.#fitting.open(kind))) return this.#ready();
    } catch (error) {
      if (kind !== "camera") throw error;
      this.#note = `${error.message} Showing the sample portrait instead.`;
      this.#source.value = "portrait";
      if (!(await this.#fitting.open("portrait"))) return this.#ready();
    }
    this.#studio.source = this.#fitting.source;
    this.#stage.open(this.#fitting.source, this.#fitting.overlay);
    this.#begin();
    if (this.#shown) this.#fitting.run((error) => this.#fault(error));
  }

  async #wear() {
    const { fabric } = this.#studio;
    if (!fabric) return;
    try {
      await this.#fitting.setFabric(fabric);
      if (this.#fitting.fitted) await this.#fitting.fit();
    } catch (error) {
      this.#studio.fail(error);
    }
    this.#begin();
  }

  /** Where the picture shows no legs, a drawn figure wears the trousers. */
  async #wearTrousers() {
    const fabric = this.#studio.trousers;
    try {
      await this.#opened;
      await this.#fitting.setTrousers(fabric);
      if (this.#fitting.fitted) await this.#fitting.fit();
      if (fabric && this.#fitting.fitted && !this.#fitting.wearsTrousers) {
        this.#source.value = "figure";
        await this.#choose();
        this.#studio.announce(NO_LEGS);
      }
    } catch (error) {
      this.#studio.fail(error);
    }
    this.#begin();
  }

  /** Ignores answers to earlier keyframes: they show another jacket or another source. */
  #begin() {
    this.#since = Date.now();
    this.#why = null;
    this.#stage.clear();
    this.#readings.clear();
    this.#wake();
  }

  /** Another kind of answer, or another garment. */
  #change() {
    this.#stage.view = this.#studio.garment ? "garment" : this.#answers.value;
    this.#answers.element.hidden = this.#studio.garment !== null; // a photo has no live layer to lay a light on
    this.#begin();
    this.#connect();
  }

  #draw() {
    const { source, overlay, landmarks, fitted, poseMs, version } = this.#fitting;
    const worn = this.#studio.garment ? null : overlay;
    if (source) this.#count(this.#stage.draw(source, worn, landmarks, version, this.#fabricId));
    if (fitted) this.#readings.showPose(landmarks, poseMs);
    this.#stage.note(this.#note || tryOnNote(this.#fitting, this.#session?.state, this.#why));
    this.#drawing = requestAnimationFrame(() => this.#draw());
  }

  /** What the next keyframes ask for, in turn. */
  get #kinds() {
    if (this.#studio.garment) return ["picture"];
    return this.#answers.value === "both" ? ["picture", "light"] : [this.#answers.value];
  }

  get #fabricId() {
    return this.#studio.fabric?.id ?? this.#studio.fabric?.fabric_id ?? null;
  }

  /** Counts the displayed frames of each second: those that differ from the one before. */
  #count(changed) {
    if (changed) this.#rate.frames += 1;
    const passed = performance.now() - this.#rate.since;
    if (passed < 1000) return;
    this.#readings.showRate(Math.round((1000 * this.#rate.frames) / passed), this.#fitting.source.moving);
    this.#stage.element.dataset.frames = Number(this.#stage.element.dataset.frames ?? 0) + this.#rate.frames; // in all
    this.#rate = { since: performance.now(), frames: 0 };
  }

  #connect() {
    if (!this.#shown || this.#paused) return;
    this.#disconnect();
    const session = this.#studio.client.connect({
      protocol: this.#protocol.value,
      onState: (state) => {
        this.#readings.showState(state);
        if (state === "waiting") this.#stage.clearPicture(); // it gets older; a light goes with what is live
        if (state === "open") this.#since = Date.now(); // a keyframe that waited for the connection is old
      },
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
    this.#stage.clearPicture();
    this.#readings.showState("closed");
    this.#wake();
  }

  #toggle() {
    this.#paused = !this.#paused;
    this.#live.textContent = this.#paused ? RESUME : PAUSE;
    if (this.#paused) this.#disconnect();
    else this.#connect();
  }

  /** Sends keyframes at the chosen pace, while `session` is the current one. */
  async #send(session) {
    while (session === this.#session) {
      const { source, landmarks } = this.#fitting;
      if (source && landmarks && !document.hidden && session.state === "open") {
        const began = performance.now();
        try {
          for (const kind of this.#kinds) {
            const timestamp = Date.now();
            const pictures = await (kind === "light" ? this.#fitting.smallSnapshot() : this.#picture());
            session.send({ timestamp, ...pictures, fabric_id: this.#fabricId });
            this.#readings.showSession(session);
            await this.#untilSent(session);
          }
        } catch (error) {
          this.#studio.fail(error); // a picture that cannot be made must not stop the next
          await this.#pause(INTERVAL_MS);
        }
        if (this.#pace.value === "interval") await this.#pause(INTERVAL_MS - (performance.now() - began));
      } else {
        await this.#pause(100);
      }
    }
  }

  async #picture() {
    const { cameraImage, landmarks, ...worn } = await this.#fitting.snapshot();
    return { camera_frame: cameraImage, ...this.#studio.garmentFields(worn), pose: { landmarks } };
  }

  /** The keyframe in flight is answered, and the next one has been sent: it was ready when the answer came. */
  async #untilSent(session) {
    while (session.waiting && session === this.#session) await this.#pause(10);
  }

  async #answer(result, session) {
    if (result.timestamp >= this.#since) {
      if (result.answer === "light") await this.#stage.showLight(result);
      else await this.#stage.showPicture(result.image);
      this.#why = result.mode_reason;
    }
    this.#readings.showResult(result, session);
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
    this.#note = error.message;
    this.#studio.fail(error);
  }
}
