/** The shadow DOM of `<lucy-try-on>`. Its parts and custom properties are in docs/client.md. */

import { el } from "./dom.js";

const STYLE = `
  :host { display: block; position: relative; font: 16px/1.4 var(--lucy-font, system-ui, sans-serif); color: var(--lucy-text, inherit); }
  :host([hidden]) { display: none; }
  [hidden] { display: none !important; }
  .frame { position: relative; overflow: hidden; aspect-ratio: 16 / 9; border-radius: var(--lucy-radius, 12px);
    background: var(--lucy-surface, color-mix(in srgb, currentColor 8%, transparent)); display: grid; place-items: center; }
  .frame > canvas, .frame > img { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: contain; }
  canvas.mirrored { transform: scaleX(-1); }
  .empty { margin: 1rem; text-align: center; }
  .status { min-height: 1.4em; margin: .5rem 0 0; }
  .problem { margin: .5rem 0 0; padding: .5rem .75rem; border-radius: var(--lucy-radius, 12px); background: #fdecea; color: #8c1d18; }
  progress { width: 100%; margin-top: .5rem; accent-color: var(--lucy-accent, #3b3bd1); }
  .controls { display: flex; flex-wrap: wrap; gap: .5rem; margin-top: .75rem; }
  button, .button { font: inherit; min-height: 44px; padding: 0 1rem; border-radius: var(--lucy-radius, 12px);
    border: 1px solid currentColor; background: transparent; color: inherit;
    display: inline-flex; align-items: center; text-decoration: none; cursor: pointer; box-sizing: border-box; }
  button.primary { background: var(--lucy-accent, #3b3bd1); border-color: transparent; color: var(--lucy-on-accent, #fff); }
  button:disabled { opacity: .45; cursor: default; }
  :is(button, .button):focus-visible, .button:focus-within { outline: auto; outline-offset: 2px; }
  .button input { position: absolute; width: 1px; height: 1px; opacity: 0; }
`;

let sheet = null; // one for all elements of the page

export class TryOnView {
  canvas = el("canvas", { part: "canvas", role: "img", hidden: true });
  preview = el("img", { part: "preview", hidden: true });
  result = el("img", { part: "result", hidden: true });
  empty = el("p", { part: "empty", class: "empty" });
  status = el("p", { part: "status", class: "status", role: "status" });
  problem = el("p", { part: "error", class: "problem", role: "alert", hidden: true });
  progress = el("progress", { part: "progress", hidden: true });
  start = el("button", { part: "button start", type: "button" });
  capture = el("button", { part: "button capture", type: "button", class: "primary" });
  cancel = el("button", { part: "button cancel", type: "button", hidden: true });
  back = el("button", { part: "button back", type: "button", hidden: true });
  download = el("a", { part: "button download", class: "button", hidden: true });
  file = el("input", { type: "file", accept: "image/*" });
  #photoText = el("span");
  #frame;
  #root;

  constructor(root) {
    this.#root = root;
    if (!sheet) {
      sheet = new CSSStyleSheet(); // a page may forbid inline styles
      sheet.replaceSync(STYLE);
    }
    root.adoptedStyleSheets = [sheet];
    const photo = el("label", { part: "button photo", class: "button" }, this.#photoText, this.file);
    this.#frame = el("div", { part: "frame", class: "frame" }, this.empty, this.canvas, this.preview, this.result);
    root.append(
      this.#frame,
      this.problem,
      this.status,
      this.progress,
      el("div", { part: "controls", class: "controls" }, this.start, photo, this.capture, this.cancel, this.back, this.download),
    );
  }

  /** Writes what does not change with the state. */
  label(texts) {
    this.canvas.setAttribute("aria-label", texts.canvas);
    this.preview.alt = texts.preview;
    this.result.alt = texts.result;
    this.progress.setAttribute("aria-label", texts.progress);
    for (const name of ["capture", "cancel", "back", "download", "empty"]) write(this[name], texts[name]);
    write(this.#photoText, texts.photo);
  }

  /** Shows a state of LiveTryOn. */
  show(state, texts, { status, problem }) {
    const live = state.status === "live";
    const focused = this.#root.activeElement;
    this.#shape(state);
    write(this.start, live || state.status === "starting" ? texts.stop : texts.start);
    write(this.status, status);
    write(this.problem, problem);
    this.problem.hidden = !problem;
    this.empty.hidden = live;
    this.canvas.hidden = !live;
    this.canvas.classList.toggle("mirrored", state.mirrored);
    this.capture.disabled = !live || state.capturing;
    this.cancel.hidden = !state.capturing;
    this.capture.hidden = Boolean(state.result);
    this.progress.hidden = !state.capturing;
    // Without a value it shows that something is going on.
    if (state.progress) Object.assign(this.progress, { max: state.progress.steps, value: state.progress.step });
    else this.progress.removeAttribute("value");
    this.#image(this.preview, state.progress?.preview ?? (state.capturing ? this.preview.getAttribute("src") : null));
    const picture = state.result?.result_image ?? null; // a data URI, which can be downloaded from any origin
    this.#image(this.result, picture);
    for (const button of [this.back, this.download]) button.hidden = !picture;
    if (picture) Object.assign(this.download, { href: picture, download: `try-on.${/^data:image\/(\w+)/.exec(picture)[1]}` });
    this.#keepFocus(focused);
  }

  /** The picture's own shape. */
  #shape({ width, height }) {
    if (width && height) this.#frame.style.setProperty("aspect-ratio", `${width} / ${height}`);
  }

  /** A button that goes takes the keyboard's focus along. */
  #keepFocus(focused) {
    if (!focused?.hidden && !focused?.disabled) return;
    [this.cancel, this.back, this.capture, this.start].find((button) => !button.hidden && !button.disabled)?.focus();
  }

  #image(image, url) {
    image.hidden = !url;
    if (!url) image.removeAttribute("src");
    else if (image.getAttribute("src") !== url) image.src = url;
  }
}

/** A screen reader reads every change. */
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
