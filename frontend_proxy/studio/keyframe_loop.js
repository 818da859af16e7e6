/** Sends keyframes one after the other, as long as there is something new to send. */

const NOTHING_MS = 100; // until it is asked again what to send
const AGAIN_MS = 1500; // after a keyframe that could not be made, was refused, or was answered without the model
const PASSING = ["model_unavailable", "deadline", "overloaded"]; // a still picture is sent again after these

export class KeyframeLoop {
  #compose;
  #listeners;
  #session = null;
  #settle = () => {}; // ends the wait for the answer: whether the keyframe need not be sent again
  #wake = () => {}; // ends the pause before the next keyframe
  #version = 0; // of what is to be sent, where it stands still
  #epoch = 0; // answers to keyframes of an earlier one are out of date
  #sent = 0; // the epoch of the keyframe that waits for its answer

  /**
   * @param compose returns what to send next, or null: { make, every, still }. `make` resolves with the keyframe; `every`
   *   is the least time from one keyframe to the next, in milliseconds; a `still` one is sent once, until `changed`
   * @param listeners onAnswer, onState, onError: as a session's, but for answers that are out of date
   */
  constructor({ compose, ...listeners }) {
    this.#compose = compose;
    this.#listeners = listeners;
  }

  /** @param protocol as of LucyClient.connect */
  open(client, protocol = "msgpack") {
    this.close();
    const session = client.connect({
      protocol,
      onResult: (result) => this.#take(result),
      onState: (state) => {
        if (state !== "open") this.#settle(false);
        this.#listeners.onState(state);
      },
      onError: (error) => {
        this.#settle(false);
        this.#listeners.onError(error);
      },
    });
    this.#session = session;
    this.#run(session);
  }

  close() {
    this.#session?.close();
    this.#session = null;
    this.#settle(false);
    this.#wake();
  }

  /** What stands still is sent again. @param forget: answers to earlier keyframes do not count; the next one is sent at once */
  changed({ forget = false } = {}) {
    this.#version += 1;
    if (!forget) return;
    this.#epoch += 1;
    this.#wake();
  }

  async #run(session) {
    let answered = null; // the version that the last answer was for
    while (session === this.#session && session.state !== "closed") {
      const began = performance.now();
      const version = this.#version;
      try {
        const next = session.state === "open" ? this.#compose() : null;
        if (!next || (next.still && answered === version)) {
          await this.#pause(NOTHING_MS);
          continue;
        }
        const epoch = this.#epoch;
        const keyframe = await next.make();
        if (session !== this.#session) return;
        const done = await this.#send(session, keyframe, epoch);
        if (session !== this.#session) return;
        if (done) answered = version;
        await this.#pause(done ? next.every - (performance.now() - began) : AGAIN_MS);
      } catch (error) {
        if (session !== this.#session) return;
        this.#listeners.onError(error); // a picture that cannot be made must not stop the next
        await this.#pause(AGAIN_MS);
      }
    }
  }

  #send(session, keyframe, epoch) {
    return new Promise((resolve) => {
      this.#settle = resolve;
      this.#sent = epoch;
      session.send(keyframe);
    });
  }

  async #take(result) {
    const settle = this.#settle;
    try {
      if (this.#sent === this.#epoch) await this.#listeners.onAnswer(result);
    } catch (error) {
      this.#listeners.onError(error); // an answer that cannot be shown
    } finally {
      settle(!PASSING.includes(result.mode_reason));
    }
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
}
