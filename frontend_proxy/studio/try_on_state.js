/** What a live try-on can be told, and what it tells. */

/** The options, and what each is by default. */
export const DEFAULTS = Object.freeze({
  server: undefined, // the base URL; the page's own origin
  apiKey: null,
  jacket: null, // the garment's render: a canvas, an image, a Blob or a URL
  garment: null, // a photo of the garment, for checkpoints that take one: a Blob or a URL
  mode: "light", // or "picture": the server's whole pictures
  fit: null, // `render_fit`; by default "body" for a picture, and "auto" for a canvas
  fabricId: null,
  category: null,
  pose: "auto", // the server's pose model, 12 MB that are loaded when a source is opened; "none" does without
  landmarks: null, // of the page's own tracker, which then are used instead
});

/** The state before the start, and after the end. */
export const IDLE = Object.freeze({
  status: "idle", // "idle", "starting", "live"
  connection: "closed", // as of a session: "connecting", "open", "waiting", "closed"
  looking: false, // whether the pose model looks for somebody for the first time; it may have to be loaded
  person: null, // whether somebody is in the picture; null: not known yet
  reason: null, // `mode_reason` of the last answer, if the model was not used
  mirrored: false,
  width: 0, // of the person's picture, in pixels
  height: 0,
  capturing: false,
  progress: null, // of the capture: { step, steps, preview }
  result: null, // of the last capture, until `dismiss` or the next start
  error: null,
});
