/** Types of live_try_on.js. */

import type {
  CaptureProgress,
  CaptureRequest,
  CaptureResult,
  Category,
  KeyframeResult,
  Landmark,
  RenderFit,
  SessionState,
} from "./client.js";

/** The garment's render, transparent around it. A canvas is drawn where the garment belongs; a picture need not be. */
export type Jacket = HTMLCanvasElement | OffscreenCanvas | HTMLImageElement | ImageBitmap | Blob | string;

export interface LiveTryOnOptions {
  /** The server's base URL; by default the page's own origin. */
  server?: string | null;
  apiKey?: string | null;
  jacket?: Jacket | null;
  /** A photo of the garment, for checkpoints that take one. */
  garment?: Blob | string | null;
  /** `light`, the default: the server's light on the live garment. `picture`: the server's whole pictures. */
  mode?: "light" | "picture" | null;
  /** By default `body` for a picture and `auto` for a canvas. */
  fit?: RenderFit | null;
  fabricId?: string | null;
  category?: Category | null;
  /** `auto`, the default: the server's pose model, 12 MB. `none`: without a pose. */
  pose?: "auto" | "none" | null;
  /** MediaPipe's 33 points of the page's own tracker; null, the default: see `pose`. */
  landmarks?: Landmark[] | null;
}

export interface LiveTryOnState {
  readonly status: "idle" | "starting" | "live";
  readonly connection: SessionState;
  /** Whether the pose model looks for somebody for the first time. */
  readonly looking: boolean;
  /** Whether somebody is in the picture; null: not known. */
  readonly person: boolean | null;
  /** `mode_reason` of the last answer, if the model was not used. */
  readonly reason: string | null;
  readonly mirrored: boolean;
  readonly width: number;
  readonly height: number;
  readonly capturing: boolean;
  readonly progress: CaptureProgress | null;
  /** Of the last capture, until `dismiss` or the next start. */
  readonly result: CaptureResult | null;
  readonly error: (Error & { code?: string; retryAfter?: number | null }) | null;
}

/** A source of the person's pictures of one's own. */
export interface PersonSource {
  readonly element: HTMLVideoElement | HTMLCanvasElement | HTMLImageElement | ImageBitmap;
  readonly width: number;
  readonly height: number;
  readonly moving: boolean;
  readonly mirrored: boolean;
  onEnd?: (() => void) | null;
  close(): void;
}

export type CaptureOptions = Partial<
  Pick<CaptureRequest, "num_samples" | "output_format" | "seed" | "steps" | "strength" | "guidance_scale">
>;

interface LiveTryOnEvents {
  change: Event;
  answer: CustomEvent<KeyframeResult>;
  progress: CustomEvent<CaptureProgress>;
  result: CustomEvent<CaptureResult>;
  error: CustomEvent<Error & { code?: string }>;
}

export class LiveTryOn extends EventTarget {
  constructor(options?: LiveTryOnOptions);
  readonly state: LiveTryOnState;
  configure(options: LiveTryOnOptions): void;
  attach(canvas: HTMLCanvasElement | null): void;
  /** Resolves with whether the person's picture could be opened; if not, `state.error` says why. */
  start(from?: "camera" | Blob | string | PersonSource): Promise<boolean>;
  stop(): void;
  /** Resolves with null if it failed (`state.error`) or was cancelled. */
  capture(options?: CaptureOptions): Promise<CaptureResult | null>;
  cancel(): void;
  dismiss(): void;
  subscribe(listener: () => void): () => void;
  close(): void;
  addEventListener<Name extends keyof LiveTryOnEvents>(
    name: Name,
    listener: (event: LiveTryOnEvents[Name]) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    name: string,
    listener: EventListenerOrEventListenerObject,
    options?: boolean | AddEventListenerOptions,
  ): void;
}
