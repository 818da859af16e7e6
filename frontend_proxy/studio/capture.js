/** The Capture tab: one to four samples of the current picture in full quality, with progress and previews. */

import { counted, el, offer, sentence } from "./dom.js";
import { explain } from "./reasons.js";

export function mount(root, studio) {
  const capture = new Capture(root, studio);
  return { show: () => capture.show(), hide() {} };
}

class Capture {
  #studio;
  #running = null; // an AbortController
  #urls = [];
  #samples = el(
    "select",
    { id: "capture-samples" },
    [1, 2, 3, 4].map((count) => el("option", { value: count }, count)),
  );
  #seed = el("input", {
    id: "capture-seed",
    type: "number",
    min: 0,
    max: Number.MAX_SAFE_INTEGER,
    step: 1,
    placeholder: "random",
  });
  #strength = el("input", {
    id: "capture-strength",
    type: "number",
    min: 0.05,
    max: 1,
    step: 0.05,
    placeholder: "the model's default",
  });
  #start = el("button", { class: "primary" }, "Capture");
  #cancel = el("button", { type: "button", disabled: true, onclick: () => this.#running?.abort() }, "Cancel");
  #bar = el("progress", { id: "capture-progress", max: 1, value: 0, "aria-label": "Progress of the capture" });
  #state = el("p", { class: "capture-state", role: "status" });
  #problem = el("p", { class: "problem", role: "alert", hidden: true });
  #frame = el("img", { alt: "The picture to capture", class: "capture-frame" });
  #overlay = el("img", { alt: "", class: "capture-overlay" });
  #preview = el("img", { alt: "Preview of the result", class: "capture-preview", hidden: true });
  #stage = el("figure", { class: "capture-stage", hidden: true }, this.#frame, this.#overlay, this.#preview);
  #results = el("ul", { class: "capture-results", "aria-label": "Results" });
  #dressed = null; // fabric and landmarks of the last result
  #bust = el(
    "p",
    { class: "row", hidden: true },
    el("button", { type: "button", onclick: () => this.#takeBust("glb") }, "Dressed bust (glTF)"),
    el("button", { type: "button", onclick: () => this.#takeBust("usdz") }, "Dressed bust (USD)"),
  );

  constructor(root, studio) {
    this.#studio = studio;
    const field = (input, label) => el("div", {}, el("label", { for: input.id }, label), input);
    const form = el(
      "form",
      { class: "card capture-form", onsubmit: (event) => this.#submit(event) },
      el(
        "div",
        {},
        el("h2", {}, "Premium capture"),
        el(
          "p",
          { class: "note" },
          "The current picture of “Try on”, in full size and best quality. You can watch it being made.",
        ),
      ),
      field(this.#samples, "Samples"),
      field(this.#seed, "Seed"),
      field(this.#strength, "Strength"),
      el("div", { class: "row" }, this.#start, this.#cancel),
      this.#bar,
      this.#state,
    );
    root.classList.add("capture");
    root.append(form, el("div", { class: "capture-view" }, this.#problem, this.#stage, this.#results, this.#bust));
  }

  /** Shows the picture that would be captured now. If there is none, the capture itself reports why. */
  async show() {
    this.#problem.hidden = true;
    const picture = await this.#studio.capture().catch(() => null);
    if (picture && !this.#running && !this.#results.children.length) this.#showPicture(picture);
  }

  async #submit(event) {
    event.preventDefault();
    if (this.#running) return;
    const running = (this.#running = new AbortController());
    this.#begin();
    try {
      const picture = await this.#studio.capture();
      this.#showPicture(picture);
      this.#say("Sent. Waiting for the model …");
      const result = await this.#studio.client.capture(this.#request(picture), {
        onProgress: (progress) => this.#showProgress(progress),
        signal: running.signal,
      });
      this.#showResult(result);
      this.#dressed = { fabric: this.#studio.fabric, landmarks: picture.landmarks };
      this.#bust.hidden = !this.#dressed.fabric || !this.#dressed.landmarks || this.#studio.garment !== null;
    } catch (error) {
      this.#showFailure(error, running.signal.aborted);
    } finally {
      this.#running = null;
      this.#swap(this.#cancel, this.#start);
    }
  }

  #request({ cameraImage, landmarks, ...worn }) {
    const number = (input) => (input.value === "" ? null : Number(input.value));
    return {
      user_image: cameraImage,
      ...this.#studio.garmentFields(worn),
      pose: landmarks && { landmarks },
      fabric_id: this.#studio.fabric?.id ?? null,
      num_samples: Number(this.#samples.value),
      seed: number(this.#seed),
      strength: number(this.#strength),
    };
  }

  /** The jacket on a mannequin with the shopper's proportions, for other programs. Made in the browser. */
  async #takeBust(format) {
    const { fabric, landmarks } = this.#dressed;
    this.#say("Making the bust …");
    try {
      const { bustFile } = await import("./jacket_file.js");
      const { naturalWidth: width, naturalHeight: height } = this.#frame;
      const file = await bustFile(fabric, format, landmarks, { width, height });
      if (file) offer(file);
      this.#say(file ? `${fabric.name}: ${file.name}` : "Both shoulders must be seen for a bust.");
    } catch (error) {
      this.#say(sentence(error.message));
    }
  }

  /** One button takes the other's place, and the keyboard's focus. */
  #swap(from, to) {
    const focused = document.activeElement === from;
    to.disabled = false;
    if (focused) to.focus();
    from.disabled = true;
  }

  #begin() {
    this.#swap(this.#start, this.#cancel);
    this.#bust.hidden = true;
    this.#problem.hidden = true;
    this.#preview.hidden = true;
    this.#bar.value = 0;
    this.#say("Taking the picture …");
  }

  #showPicture({ cameraImage, overlayImage }) {
    this.#urls.forEach((url) => URL.revokeObjectURL(url));
    this.#urls = [cameraImage, overlayImage].map((blob) => URL.createObjectURL(blob));
    [this.#frame.src, this.#overlay.src] = this.#urls;
    this.#overlay.hidden = this.#studio.garment !== null;
    this.#results.replaceChildren();
    this.#stage.hidden = false;
  }

  #showProgress({ step, steps, preview }) {
    this.#bar.max = steps;
    this.#bar.value = step;
    this.#say(`Step ${step} of ${steps}`);
    if (!preview) return;
    this.#preview.src = preview;
    this.#preview.hidden = false;
  }

  #showResult({ images, mode, mode_reason: reason, latency_ms: latency, steps }) {
    this.#stage.hidden = true;
    this.#bar.value = this.#bar.max;
    this.#results.dataset.count = images.length;
    this.#results.replaceChildren(...images.map(drawSample));
    const seconds = latency.total ? ` in ${(latency.total / 1000).toFixed(1)} s` : "";
    const plain = mode === "fallback" ? ` The model was not used: ${explain(reason)}.` : "";
    this.#say(`Done: ${counted(steps ?? 0, "step")}${seconds}.${plain}`);
  }

  #showFailure(error, cancelled) {
    this.#bar.value = 0;
    if (cancelled) {
      this.#say("Cancelled. The server has stopped, too.");
      this.#preview.hidden = true;
      return;
    }
    this.#say("");
    const again = error.retryAfter ? ` Try again in ${error.retryAfter} s.` : "";
    this.#problem.textContent = sentence(error.message) + again;
    this.#problem.hidden = false;
  }

  #say(text) {
    this.#state.textContent = text;
  }
}

function drawSample({ url, seed }, index) {
  const name = `capture-${seed}.${url.split(".").pop()}`;
  return el(
    "li",
    {},
    el(
      "figure",
      {},
      el("img", { src: url, alt: `Sample ${index + 1}` }),
      el(
        "figcaption",
        {},
        el("span", {}, `Seed ${seed}`),
        el(
          "a",
          { class: "button", href: url, download: name, "aria-label": `Download sample ${index + 1}` },
          "Download",
        ),
      ),
    ),
  );
}
