/** Sends keyframes one after the other, as long as there is something new to send. */

import { lightKeyframe } from "./light_keyframe.js";
import { jpeg } from "./picture_file.js";

const PAUSES_MS = { light: 100, picture: 1000, nothing: 100, again: 1500 };
const PASSING = ["model_unavailable", "deadline", "overloaded"]; // a still picture is sent again after these

export class KeyframeLoop {
  #compose;
  #listeners;
  #session = null;
  #flying = null; // { version, epoch } of the keyframe that waits for its answer
  #failed = false; // whether it must be sent again
  #version = 0; // of what is to be sent, where it stands still
  #epoch = 0; // answers to keyframes of an earlier one are out of date

  /**
   * @param compose returns the next keyframe's parts, { frame, garment, fields, light, still }, or null
   * @param listeners onAnswer, onState, onError: as a session's, but for answers that are out of date
   */
  constructor({ compose, ...listeners }) {
    this.#compose = compose;
    this.#listeners = listeners;
  }

  open(client) {
    this.close();
    const session = client.connect({
      protocol: "msgpack",
      onResult: (result) => this.#take(result),
      onState: (state) => {
        if (state !== "open") this.#fail();
        this.#listeners.onState(state);
      },
      onError: (error) => {
        this.#fail();
        this.#listeners.onError(error);
      },
    });
    this.#session = session;
    this.#run(session);
  }

  close() {
    this.#session?.close();
    this.#session = this.#flying = null;
  }

  /** What stands still is sent again. @param forget: answers to earlier keyframes do not count */
  changed({ forget = false } = {}) {
    this.#version += 1;
    if (forget) this.#epoch += 1;
  }

  async #run(session) {
    let answered = null; // the version that the last answer was for
    while (session === this.#session && session.state !== "closed") {
      const flying = { version: this.#version, epoch: this.#epoch };
      let parts = null;
      let keyframe = null;
      try {
        parts = session.state === "open" ? this.#compose() : null;
        if (parts && !(parts.still && answered === flying.version)) keyframe = await whole(parts);
      } catch (error) {
        if (session !== this.#session) return;
        this.#listeners.onError(error); // a picture that cannot be made must not stop the next
        await pause(PAUSES_MS.again);
        continue;
      }
      if (session !== this.#session) return;
      if (!keyframe) {
        await pause(PAUSES_MS.nothing);
        continue;
      }
      this.#flying = flying;
      this.#failed = false;
      session.send(keyframe);
      while (this.#flying === flying) await pause(10);
      if (!this.#failed) answered = flying.version;
      await pause(this.#failed ? PAUSES_MS.again : PAUSES_MS[parts.light ? "light" : "picture"]);
    }
  }

  async #take(result) {
    this.#failed = PASSING.includes(result.mode_reason);
    try {
      if (this.#flying?.epoch === this.#epoch) await this.#listeners.onAnswer(result);
    } finally {
      this.#flying = null;
    }
  }

  #fail() {
    this.#failed = true;
    this.#flying = null;
  }
}

async function whole({ frame, garment, fields, light }) {
  if (light && garment.layer) return { ...fields, ...(await lightKeyframe(frame, garment.layer)) };
  // The frame as it is now, not after the garment's file is made.
  const [camera_frame, worn] = await Promise.all([jpeg(frame, 0.85), garment.fields()]);
  return { ...fields, ...worn, camera_frame };
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
