/**
 * A client of Lucy Serve for browsers: live keyframes, captures, fabrics, health and metrics.
 *
 * It does not depend on this page or on a DOM: it uses fetch, WebSocket, Blob and TextDecoder. Import it from the
 * server itself, /studio/client.js, or from the npm package that clients/javascript makes of these files.
 *
 *     const lucy = new LucyClient({ baseUrl: "https://tryon.example.com", apiKey });
 *     const session = lucy.connect({ protocol: "msgpack", onResult: ({ image, mode }) => draw(image, mode) });
 *     setInterval(() => session.send({ camera_frame, jacket_render, pose: { landmarks }, fabric_id }), 1500);
 *
 * Fields have the same names as in the API (docs/websocket.md, /openapi.json); pictures are Blobs.
 */

import { readEvents } from "./event_stream.js";
import { LiveSession } from "./live_session.js";
import { parseMetrics } from "./metrics_text.js";

export { LightCompositor } from "./light_compositor.js";
export { lightKeyframe } from "./light_keyframe.js";

/** An error that the server answered, or `code` "UNREACHABLE" if it could not be reached. */
export class LucyError extends Error {
  constructor({ code, message, status = null, retryAfter = null, requestId = null }) {
    super(message);
    this.name = "LucyError";
    this.code = code;
    this.status = status; // HTTP status
    this.retryAfter = retryAfter; // seconds
    this.requestId = requestId; // to find the request in the server's log
  }
}

export class LucyClient {
  constructor({ baseUrl = globalThis.location?.origin, apiKey = null } = {}) {
    this.baseUrl = baseUrl.replace(/\/+$/, "");
    this.apiKey = apiKey;
  }

  /** A live session over the WebSocket; see LiveSession. */
  connect({ protocol = "json", onResult, onState, onError } = {}) {
    return new LiveSession(this, { protocol, onResult, onState, onError });
  }

  /**
   * A picture in best quality. Resolves with the answer of `POST /virtual-tryon`; `images[].url` has each sample.
   * Aborting `signal` also cancels the capture on the server, and rejects with an AbortError.
   */
  async capture(request, { onProgress, signal } = {}) {
    const response = await this.#fetch("/virtual-tryon", {
      method: "POST",
      body: form(request),
      headers: { Accept: "text/event-stream" },
      signal,
    });
    for await (const { event, data } of readEvents(response.body)) {
      if (event === "progress") onProgress?.(JSON.parse(data));
      else if (event === "result") return JSON.parse(data);
      else if (event === "error") throw refusal(JSON.parse(data));
    }
    throw new LucyError({ code: "UNREACHABLE", message: "The connection was lost before the picture was finished. Please try again." });
  }

  /** The catalog's fabrics that have the tag and every word of the text `q`. */
  async catalog({ tag, q } = {}) {
    const query = new URLSearchParams(Object.entries({ tag, text: q }).filter(([, value]) => value));
    return (await this.#json(`/api/fabric/catalog?${query}`)).fabrics;
  }

  /** One fabric of the catalog. */
  async fabric(id) {
    return (await this.#json(fabricPath(id))).fabric;
  }

  /**
   * Makes a material from a photo of cloth. Its maps are data URIs.
   *
   * @param {Blob} photo
   * @param options name, corners (four [x, y], each 0 to 1 of the photo's width and height),
   *   fabric_class, size, physical_width_mm, format
   */
  scan(photo, options = {}, { signal } = {}) {
    return this.#json("/api/fabric/scan", { method: "POST", body: form({ image: photo, ...options }), signal });
  }

  /** Like `scan`, and saves the material in the catalog. The answer has the fabric's id and URLs. */
  saveFabric(photo, options = {}, { signal } = {}) {
    return this.scan(photo, { ...options, save: true }, { signal });
  }

  /** A fabric of the catalog as one file for other programs: `gltf`, `usdz`, `mtlx`, `zip`, `blend-ready`. */
  async fabricPack(id, format = "gltf") {
    const response = await this.#fetch(`${fabricPath(id)}/pack?${new URLSearchParams({ format })}`);
    const [, name] = /filename="(.+)"/.exec(response.headers.get("Content-Disposition")) ?? [null, id];
    return new File([await this.#body(response, "blob")], name, { type: response.headers.get("Content-Type") });
  }

  /** Replaces the details of a saved fabric by those of `fabric`, which may be what `fabric(id)` answered. */
  async changeFabric({ id, ...details }) {
    const init = { method: "PUT", body: JSON.stringify(details), headers: { "Content-Type": "application/json" } };
    return (await this.#json(fabricPath(id), init)).fabric;
  }

  async deleteFabric(id) {
    await this.#json(fabricPath(id), { method: "DELETE" });
  }

  health() {
    return this.#json("/health");
  }

  /** The current metrics: [{ name, labels, value }]. */
  async metrics() {
    return parseMetrics(await this.#body(await this.#fetch("/metrics"), "text"));
  }

  async #json(path, init) {
    return this.#body(await this.#fetch(path, init), "json");
  }

  async #body(response, kind) {
    try {
      return await response[kind]();
    } catch (error) {
      if (error.name === "AbortError") throw error;
      // The connection was lost, or a page of something else answered.
      throw new LucyError({ code: "UNREACHABLE", message: `The answer of ${this.baseUrl} cannot be read.` });
    }
  }

  async #fetch(path, { headers = {}, ...init } = {}) {
    const credentials = this.apiKey ? { Authorization: `Bearer ${this.apiKey}` } : {};
    let response;
    try {
      response = await fetch(this.baseUrl + path, { ...init, headers: { ...credentials, ...headers } });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new LucyError({ code: "UNREACHABLE", message: `The server at ${this.baseUrl} cannot be reached.` });
    }
    if (response.ok) return response;
    const body = await response.json().catch(() => ({ error: `The server answered ${response.status}.` }));
    const retryAfter = Number(response.headers.get("Retry-After")) || null;
    throw refusal({ ...body, status: response.status, retry_after: retryAfter });
  }
}

function refusal({ code = "INTERNAL", error, status, retry_after: retryAfter, request_id: requestId }) {
  return new LucyError({ code, message: error, status, retryAfter, requestId });
}

function fabricPath(id) {
  return `/api/fabric/${encodeURIComponent(id)}`;
}

/** A form: pictures as files, lists and objects as JSON; null and undefined are left out. A garment's fields are
 *  `garments.0.layer`. */
function form({ garments, ...fields }) {
  const data = new FormData();
  const ofGarments = (garments ?? []).flatMap((garment, place) =>
    Object.entries(garment).map(([name, value]) => [`garments.${place}.${name}`, value]),
  );
  for (const [name, value] of [...Object.entries(fields), ...ofGarments]) {
    if (value === null || value === undefined) continue;
    if (value instanceof Blob) data.append(name, value, name);
    else data.append(name, typeof value === "object" ? JSON.stringify(value) : String(value));
  }
  return data;
}
