/** Types of lucy_try_on.js. */

import type { CaptureProgress, CaptureResult, KeyframeResult, Landmark } from "./client.js";
import type { CaptureOptions, Jacket, LiveTryOnState } from "./live_try_on.js";

/** What the element says; docs/client.md has a list. */
export type Texts = Record<string, string | ((value: never) => string)>;

export interface LucyTryOnEvents {
  "lucy-answer": CustomEvent<KeyframeResult>;
  "lucy-progress": CustomEvent<CaptureProgress>;
  "lucy-result": CustomEvent<CaptureResult>;
  "lucy-error": CustomEvent<Error & { code?: string }>;
}

export class LucyTryOn extends HTMLElement {
  readonly state: LiveTryOnState | null;
  texts: Texts;
  jacket: Jacket | null;
  garment: Blob | string | null;
  landmarks: Landmark[] | null;
  start(from?: "camera" | Blob | string): Promise<boolean>;
  stop(): void;
  capture(options?: CaptureOptions): Promise<CaptureResult | null>;
  cancel(): void;
  addEventListener<Name extends keyof LucyTryOnEvents>(
    name: Name,
    listener: (event: LucyTryOnEvents[Name]) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    name: string,
    listener: EventListenerOrEventListenerObject,
    options?: boolean | AddEventListenerOptions,
  ): void;
}

declare global {
  interface HTMLElementTagNameMap {
    "lucy-try-on": LucyTryOn;
  }
}
