/** The Try on tab: fits jacket and trousers to a source of frames, sends keyframes, shows the answers. */

import { choice } from "./choice.js";
import { el } from "./dom.js";
import { Fitting } from "./fitting.js";
import { GarmentChoice } from "./garment_choice.js";
import { KeyframeLoop } from "./keyframe_loop.js";
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
  #keyframes = new KeyframeLoop({
    compose: () => this.#compose(),
    onAnswer: (result) => this.#answer(result),
    onState: (state) => this.#connected(state),
    onError: (error) => this.#refused(error),
  });
  #connection = "closed"; // the session's state
  #refusal = null; // the session's last error, until the next answer
  #kind = 0; // counts the keyframes, whose kinds take turns
  #shown = false;
  #paused = false;
  #drawing = 0; // the animation frame's request
  #note = ""; // why there is not the chosen source
  #why = null; // why the last answer did without the model
  #opened = null; // a promise: the source is open; null if it could not be opened
  #source = choice("Source", SOURCES, () => this.#choose());
  #pace = choice("Keyframes", PACES);
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
    this.#fitting.run();
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

  /** Opens a source. If another one is chosen meanwhile, that one. */
  async #open(kind) {
    this.#note = "";
    try {
      if (!(await this.#fitting.open(kind))) return this.#ready();
    } catch (error) {
      if (kind !== "camera") throw error;
      return this.#doWithout(error.message);
    }
    const { source } = this.#fitting;
    source.onEnd = () => this.#doWithout("The camera has stopped.");
    this.#studio.source = source;
    this.#stage.open(source, this.#fitting.overlay);
    this.#begin();
    if (this.#shown) this.#fitting.run();
  }

  /** Without a camera the sample portrait is shown. */
  #doWithout(why) {
    this.#source.value = "portrait";
    const opened = this.#choose();
    this.#note = `${why} Showing the sample portrait instead.`;
    return opened;
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
    this.#why = null;
    this.#stage.clear();
    this.#readings.clear();
    this.#keyframes.changed({ forget: true });
  }

  /** Another kind of answer, or another garment. */
  #change() {
    this.#stage.view = this.#studio.garment ? "garment" : this.#answers.value;
    this.#answers.element.hidden = this.#studio.garment !== null; // a photo has no live layer to lay a light on
    this.#begin();
    this.#connect();
  }

  #draw() {
    this.#drawing = requestAnimationFrame(() => this.#draw()); // first: a frame that cannot be drawn must not be the last
    const { source, overlay, landmarks, fitted, poseMs, version } = this.#fitting;
    const worn = this.#studio.garment ? null : overlay;
    if (source) this.#count(this.#stage.draw(source, worn, landmarks, version, this.#fabricId));
    if (fitted) this.#readings.showPose(landmarks, poseMs);
    this.#stage.note(this.#note || tryOnNote(this.#fitting, this.#connection, this.#why));
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
    this.#keyframes.open(this.#studio.client, this.#protocol.value);
  }

  #disconnect() {
    this.#keyframes.close();
    this.#connected("closed");
  }

  #connected(state) {
    if (state === "connecting" && this.#connection === "waiting") return; // one more attempt; a screen reader would read it
    this.#connection = state;
    this.#readings.showState(state);
    if (state === "waiting" || state === "closed") this.#stage.clearPicture(); // it gets older; a light goes with what is live
  }

  #toggle() {
    this.#paused = !this.#paused;
    this.#live.textContent = this.#paused ? RESUME : PAUSE;
    if (this.#paused) this.#disconnect();
    else this.#connect();
  }

  /** What to send next, or null; see KeyframeLoop. */
  #compose() {
    if (!this.#fitting.source || !this.#fitting.landmarks || document.hidden) return null;
    const kinds = this.#kinds;
    const kind = kinds[(this.#kind += 1) % kinds.length];
    const every = this.#pace.value === "interval" ? INTERVAL_MS / kinds.length : 0;
    const pictures = () => (kind === "light" ? this.#fitting.smallSnapshot() : this.#picture());
    return { make: async () => ({ ...(await pictures()), fabric_id: this.#fabricId }), every };
  }

  async #picture() {
    const { cameraImage, landmarks, ...worn } = await this.#fitting.snapshot();
    return { camera_frame: cameraImage, ...this.#studio.garmentFields(worn), pose: { landmarks } };
  }

  async #answer(result) {
    if (this.#refusal) this.#studio.settle(this.#refusal);
    this.#refusal = null;
    this.#why = result.mode_reason;
    this.#readings.showResult(result);
    if (result.answer === "light") await this.#stage.showLight(result);
    else await this.#stage.showPicture(result.image);
  }

  #refused(error) {
    if (error.code === "UNREACHABLE") return; // the note on the stage says it, as long as it is so
    this.#refusal = error;
    this.#studio.fail(error);
  }
}
