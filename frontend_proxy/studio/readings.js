/** Facts about the last answer and the session, as a definition list. */

import { counted, el } from "./dom.js";
import { explain } from "./reasons.js";

const STATES = { connecting: "connecting …", open: "connected", waiting: "reconnecting …", closed: "not connected" };

export class Readings {
  #values = {};
  #answers = { all: 0, reused: 0 };

  constructor() {
    this.element = el("dl", { class: "readings" });
    for (const [name, title] of [
      ["state", "Connection"],
      ["mode", "Mode"],
      ["roundTrip", "Latency"],
      ["stages", "In the server"],
      ["rate", "Displayed"],
      ["count", "Answers"],
      ["alignment", "Alignment"],
      ["pose", "Pose"],
    ]) {
      this.#values[name] = el("dd", { "data-reading": name }, "–");
      this.element.append(el("div", {}, el("dt", {}, title), this.#values[name]));
    }
  }

  /** Call it when answers to earlier keyframes no longer count. */
  clear() {
    for (const name of ["mode", "roundTrip", "stages", "alignment", "pose"]) this.#set(name, "–");
  }

  showState(state) {
    this.#set("state", STATES[state]);
  }

  showResult(result) {
    this.#answers.all += 1;
    if (result.reused) this.#answers.reused += 1;
    const { preprocess, denoise, postprocess } = result.latency_ms;
    const stages = [preprocess, denoise, postprocess].filter((value) => value !== undefined);
    const score = result.mode === "fallback" ? null : result.alignment?.score;
    this.#set("mode", `${result.mode === "ai_enhanced" ? "model" : "fallback"}${reason(result)}`);
    this.#set("roundTrip", result.round_trip_ms === null ? "–" : `${Math.round(result.round_trip_ms)} ms`);
    this.#set("stages", stages.length ? `${stages.map(Math.round).join(" + ")} ms` : "–");
    this.#values.stages.title = "preparing + the model + finishing";
    this.#set("alignment", Number.isFinite(score) ? `${Math.round(score * 100)} %` : "–");
    const { all, reused } = this.#answers;
    this.#set("count", `${all}${reused ? `, ${reused} of them reused` : ""}`);
  }

  /** @param count of frames in the last second   @param moving whether the source's picture moves */
  showRate(count, moving) {
    this.#set("rate", moving ? `${counted(count, "frame")} a second` : "a still picture");
  }

  /** @param landmarks of the last frame   @param milliseconds null if the landmarks were known beforehand */
  showPose(landmarks, milliseconds) {
    if (!landmarks) this.#set("pose", "nobody found");
    else this.#set("pose", milliseconds === null ? "marked by hand" : `MediaPipe, ${Math.round(milliseconds)} ms`);
  }

  #set(name, text) {
    if (this.#values[name].textContent !== text) this.#values[name].textContent = text;
  }
}

function reason({ reused, steps, mode_reason: why }) {
  if (reused) return ", reused because nothing has changed";
  if (why) return `: ${explain(why)}`;
  return steps ? `, ${counted(steps, "step")}` : "";
}
