/** A live session: sends the newest keyframe, receives pictures, and reconnects when the connection is lost. */

import { CODECS } from "./codec.js";

const FIRST_WAIT_MS = 500; // exponential backoff with jitter
const LONGEST_WAIT_MS = 15_000;
const ANSWER_WITHIN_MS = 30_000; // the server promises 5 s; after this time the connection counts as dead

/**
 * Latest wins: one keyframe is in flight, the newest one waits, and a newer one replaces it. After a lost
 * connection the session reconnects with exponential backoff, until `close`.
 *
 * `state`: "connecting", "open", "waiting" (to connect again), "closed".
 */
export class LiveSession {
  sent = 0;
  answered = 0;
  dropped = 0; // keyframes that a newer one replaced before they were sent

  #client;
  #codec;
  #listeners;
  #socket = null;
  #state = "closed";
  #attempt = 0;
  #frameId = 0;
  #inFlight = null; // { frameId, sentAt, fabric }
  #newest = null;
  #retry = null;
  #watchdog = null;

  /** Connects at once. Call `LucyClient.connect` instead of this constructor. */
  constructor(client, { protocol, onResult, onState, onError }) {
    if (!CODECS[protocol]) throw new TypeError(`protocol must be ${Object.keys(CODECS).join(" or ")}, not ${protocol}`);
    this.#client = client;
    this.#codec = CODECS[protocol];
    this.#listeners = { onResult, onState, onError };
    this.#open();
  }

  get state() {
    return this.#state;
  }

  /** Whether a keyframe waits to be sent. */
  get waiting() {
    return this.#newest !== null;
  }

  /** Sends a keyframe as soon as the previous one is answered. Until then a newer one replaces it. */
  send(keyframe) {
    if (this.#state === "closed") return;
    if (this.#newest) this.dropped += 1;
    this.#newest = keyframe;
    this.#flush();
  }

  /** Ends the session. No listener is called afterwards. */
  close() {
    this.#listeners = {};
    this.#end();
  }

  #open() {
    const auth = this.#client.apiKey ? [`lucy.auth.${this.#client.apiKey}`] : [];
    const socket = new WebSocket(`${this.#client.baseUrl.replace(/^http/, "ws")}/ws`, [
      this.#codec.subprotocol,
      ...auth,
    ]);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.#enter("open");
      this.#flush();
    };
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.onclose = () => this.#lost();
    this.#socket = socket;
    this.#enter("connecting");
  }

  async #flush() {
    if (this.#state !== "open" || this.#inFlight || !this.#newest) return;
    const keyframe = this.#newest;
    const socket = this.#socket;
    const frameId = (this.#frameId += 1);
    this.#newest = null;
    this.#inFlight = { frameId, sentAt: performance.now(), fabric: keyframe.fabric_id ?? null };
    let message;
    try {
      message = await this.#codec.encode({ type: "keyframe", timestamp: Date.now(), ...keyframe, frame_id: frameId });
    } catch (error) {
      this.#inFlight = null; // one unreadable picture must not stop the session
      this.#listeners.onError?.(error);
      this.#flush();
      return;
    }
    if (socket.readyState !== WebSocket.OPEN) return; // `#lost` has reset the keyframe in flight
    socket.send(message);
    this.sent += 1;
    this.#watchdog = setTimeout(() => socket.close(), ANSWER_WITHIN_MS);
  }

  async #receive(data) {
    const answer = await this.#codec.decode(data);
    this.#attempt = 0; // not before: a server may accept a connection and hang up at once
    const settled = this.#settle(answer.frame_id);
    if (answer.type === "keyframe_result") {
      this.answered += 1;
      this.#listeners.onResult?.({ ...answer, ...settled });
    } else if (answer.type === "error") {
      this.#listeners.onError?.(Object.assign(new Error(answer.error), { code: answer.code, requestId: answer.request_id }));
    }
    this.#flush();
  }

  /** What is known of the keyframe that was answered. */
  #settle(frameId) {
    if (this.#inFlight?.frameId !== frameId) return { round_trip_ms: null };
    clearTimeout(this.#watchdog);
    const { sentAt, fabric } = this.#inFlight;
    this.#inFlight = null;
    return { round_trip_ms: performance.now() - sentAt, fabric_id: fabric };
  }

  #lost() {
    if (this.#state === "closed") return;
    clearTimeout(this.#watchdog);
    this.#inFlight = null;
    if (this.#state === "connecting") this.#explain();
    const longest = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.#attempt++);
    const wait = longest * (0.5 + Math.random() / 2);
    this.#enter("waiting", wait);
    this.#retry = setTimeout(() => this.#open(), wait);
  }

  /** Browsers do not tell why a WebSocket was refused, so ask with an ordinary request. */
  async #explain() {
    try {
      await this.#client.catalog({ tag: "none" });
    } catch (error) {
      this.#listeners.onError?.(error);
      if (error.status === 401 || error.status === 403) this.#end(); // waiting does not help here
    }
  }

  #end() {
    clearTimeout(this.#retry);
    clearTimeout(this.#watchdog);
    this.#newest = null;
    this.#enter("closed");
    this.#socket.close();
  }

  #enter(state, retryInMs = null) {
    this.#state = state;
    this.#listeners.onState?.(state, { retryInMs });
  }
}
