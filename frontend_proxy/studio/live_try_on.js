/**
 * A live try-on on a canvas, for any page: the person's picture from the camera or a photo, the garment over it, and what
 * the server makes of them. `<lucy-try-on>` and the React hook are made of it; it builds no page itself.
 *
 *     const live = new LiveTryOn({ server: "https://tryon.example.com", jacket: "/coat.png" });
 *     live.attach(document.querySelector("canvas"));
 *     live.addEventListener("change", () => show(live.state));
 *     await live.start("camera");                            // true, or false and live.state.error
 *     const result = await live.capture();                   // as LucyClient.capture; null and live.state.error
 *
 * The display goes on while the server is away. Events: `change` (of `state`), and with a `detail` `answer`, `progress`,
 * `result` and `error`.
 */

import { LucyClient } from "./client.js";
import { KeyframeLoop } from "./keyframe_loop.js";
import { openPerson } from "./person_source.js";
import { jpeg } from "./picture_file.js";
import { PoseTracker } from "./pose.js";
import { PoseWatch } from "./pose_watch.js";
import { TryOnDisplay } from "./try_on_display.js";
import { DEFAULTS, IDLE } from "./try_on_state.js";
import { WornGarment } from "./worn_garment.js";

export class LiveTryOn extends EventTarget {
  state = IDLE;

  #options = DEFAULTS;
  #client = new LucyClient({ baseUrl: "" });
  #display = new TryOnDisplay();
  #source = null;
  #watch = null;
  #tracker = null; // a promise
  #given = new WornGarment(); // what is worn
  #keyframes = new KeyframeLoop({
    compose: () => this.#compose(),
    onAnswer: (result) => this.#answer(result),
    onState: (connection) => {
      if (connection === "waiting") this.#display.clearPicture();
      this.#set({ connection });
    },
    onError: (error) => this.#sessionFailed(error),
  });
  #sessionError = null; // the next answer shows that it is over
  #drawing = 0; // the animation frame's request
  #turn = null; // of start and stop; a later one replaces an earlier one that still waits
  #dressing = null; // the same for garments
  #capturing = null; // an AbortController

  constructor(options = {}) {
    super();
    this.configure(options);
  }

  /** Changes some options, at any time; undefined is the default. See docs/client.md. */
  configure(options) {
    const before = this.#options;
    const given = Object.entries(options).map(([name, value]) => [name, value ?? DEFAULTS[name]]);
    this.#options = { ...before, ...Object.fromEntries(given) };
    const differs = (...names) => names.some((name) => this.#options[name] !== before[name]);
    const moved = before === DEFAULTS || differs("server", "apiKey");
    if (moved) this.#move();
    if (differs("jacket", "garment", "fit")) this.#dress();
    if (differs("mode", "category", "fabricId")) this.#renew();
    if (differs("landmarks")) this.#keyframes.changed();
    if (this.#source && (differs("pose") || !before.landmarks !== !this.#options.landmarks)) this.#look();
    if (moved && this.#source) this.#keyframes.open(this.#client);
    this.#display.touch();
  }

  /** Draws on this canvas from now on; null: on none. */
  attach(canvas) {
    this.#display.attach(canvas);
    this.#keyframes.changed({ forget: true });
  }

  /**
   * Shows the person: "camera", a photo (a Blob or a URL), or a source of one's own (as person_source.js describes it).
   * Resolves with whether it could be opened; if not, `state.error` says why.
   */
  async start(from = "camera") {
    this.stop();
    const turn = (this.#turn = Symbol("start"));
    this.#set({ status: "starting", error: null });
    if (!this.#given.exists) this.#dress(); // its picture could not be loaded, perhaps
    let source;
    try {
      source = await openPerson(from);
    } catch (error) {
      if (turn === this.#turn) {
        this.#set({ status: "idle" });
        this.#fail(error);
      }
      return false;
    }
    if (turn !== this.#turn) {
      source.close(); // stopped, or another source was chosen meanwhile
      return false;
    }
    source.onEnd = () => {
      this.stop();
      this.#fail(new Error("The camera has stopped. Start it again."));
    };
    this.#source = source;
    this.#renew();
    this.#set({ status: "live", mirrored: source.mirrored });
    this.#look();
    this.#keyframes.open(this.#client);
    this.#drawing = requestAnimationFrame(() => this.#draw());
    return true;
  }

  /** Ends the display, the session and a capture; the camera's light goes out. */
  stop() {
    this.#turn = null;
    cancelAnimationFrame(this.#drawing);
    this.#capturing?.abort();
    this.#keyframes.close();
    this.#watch?.stop();
    this.#source?.close();
    this.#source = this.#watch = null;
    this.#display.clear();
    this.#set({ ...IDLE, error: this.state.error });
  }

  /** A picture in best quality of what is shown now; see LucyClient.capture for the options. */
  async capture(options = {}) {
    if (!this.#source || this.#capturing) return null;
    const { signal } = (this.#capturing = new AbortController());
    this.#set({ capturing: true, progress: null, result: null, error: null });
    try {
      while (this.state.looking && !signal.aborted) { // the pose says where the garment goes
        await new Promise((resolve) => this.addEventListener("change", resolve, { once: true }));
      }
      const { frame, landmarks } = this.#seen();
      const user_image = await jpeg(frame, 0.92);
      const fields = { ...this.#fields(landmarks), ...(await this.#given.fields()), ...options };
      const onProgress = (progress) => this.#report("progress", progress);
      const result = await this.#client.capture({ user_image, ...fields }, { signal, onProgress });
      this.#report("result", result);
      return result;
    } catch (error) {
      if (!signal.aborted) this.#fail(error);
      return null;
    } finally {
      this.#capturing = null;
      this.#set({ capturing: false, progress: null });
    }
  }

  /** Cancels the capture, on the server, too. */
  cancel() {
    this.#capturing?.abort();
    this.dispatchEvent(new Event("change")); // it may still wait for the pose
  }

  /** Back from the capture's result to the live picture. */
  dismiss() {
    this.#set({ result: null });
  }

  /** As React's `useSyncExternalStore` takes it. */
  subscribe = (listener) => {
    this.addEventListener("change", listener);
    return () => this.removeEventListener("change", listener);
  };

  /** Ends everything, for good. */
  close() {
    this.stop();
    this.#forgetTracker();
  }

  #move() {
    const { server, apiKey } = this.#options;
    this.#client = new LucyClient({ baseUrl: server ?? globalThis.location?.origin ?? "", apiKey });
    this.#forgetTracker();
  }

  #forgetTracker() {
    this.#tracker?.then((tracker) => tracker.close()).catch(() => {}); // it may not have started
    this.#tracker = null;
  }

  async #dress() {
    const dressing = (this.#dressing = Symbol("dressing"));
    try {
      const loaded = await WornGarment.load(this.#options);
      if (dressing !== this.#dressing) return;
      this.#given = loaded;
      this.#renew();
    } catch (error) {
      if (dressing === this.#dressing) this.#fail(error);
    }
  }

  /** Finds the person's pose by the server's model, where the page gives none. */
  async #look() {
    const source = this.#source;
    this.#watch?.stop();
    const watch = (this.#watch = new PoseWatch(source));
    const looking = !this.#options.landmarks && this.#options.pose !== "none";
    this.#set({ person: null, looking });
    if (!looking) return;
    try {
      this.#tracker ??= PoseTracker.load(this.#client.baseUrl);
      await watch.run(await this.#tracker, (seen) => {
        this.#set({ person: seen !== null, looking: false });
        this.#display.touch();
        if (!source.moving) this.#keyframes.changed();
      });
    } catch (error) {
      if (watch !== this.#watch) return;
      this.#forgetTracker();
      watch.seen = null; // it goes on without a pose, and with the frames of now
      this.#set({ looking: false });
      this.#fail(error);
    }
  }

  /** The frame that was looked at last with its landmarks, or the frame of now with the page's. */
  #seen() {
    return this.#watch.seen ?? { frame: this.#watch.picture(), landmarks: this.#options.landmarks };
  }

  #fields(landmarks) {
    const { fabricId, category } = this.#options;
    const { fit } = this.#given;
    return {
      pose: landmarks && { landmarks },
      fabric_id: fabricId,
      ...(fit && { render_fit: fit }),
      ...(category && { category }),
    };
  }

  /** What to send next, or null; see KeyframeLoop. */
  #compose() {
    const { result, capturing, looking } = this.state;
    if (document.hidden || !this.#source?.width || !this.#given.exists || looking || result || capturing) return null;
    const { frame, landmarks } = this.#seen();
    const light = this.#options.mode === "light";
    const make = async () => ({ ...this.#fields(landmarks), ...(await this.#given.pictures(frame, light)) });
    return { make, every: light ? 200 : 1000, still: !this.#source.moving && !this.#given.moving };
  }

  #sessionFailed(error) {
    this.#sessionError = error;
    if (error.code === "UNREACHABLE") this.#tell("error", error); // `connection` says it, as long as it is so
    else this.#fail(error);
  }

  async #answer(result) {
    const { error } = this.state;
    const reason = result.mode === "ai_enhanced" ? null : result.mode_reason;
    this.#set({ reason, error: error === this.#sessionError ? null : error });
    this.#tell("answer", result);
    await this.#display.take(result);
  }

  #draw() {
    this.#drawing = requestAnimationFrame(() => this.#draw());
    const { fabricId, landmarks } = this.#options;
    const source = this.#source;
    const { width, height } = source; // a phone that is turned changes them
    this.#set({ width, height });
    this.#given.shape(width, height);
    this.#display.draw({
      source,
      garment: this.#given,
      landmarks: landmarks ?? this.#watch.seen?.landmarks ?? null,
      fabricId,
    });
  }

  /** Answers to earlier keyframes count no longer. */
  #renew() {
    this.#display.clear();
    this.#keyframes.changed({ forget: true });
  }

  #fail(error) {
    this.#report("error", error);
  }

  #report(name, detail) {
    this.#set({ [name]: detail });
    this.#tell(name, detail);
  }

  #set(changes) {
    if (Object.entries(changes).every(([name, value]) => this.state[name] === value)) return;
    this.state = Object.freeze({ ...this.state, ...changes });
    this.dispatchEvent(new Event("change"));
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
