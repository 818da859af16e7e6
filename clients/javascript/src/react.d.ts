/** Types of react.js. */

import type { DetailedHTMLProps, HTMLAttributes, RefCallback } from "react";
import type { Landmark } from "./client.js";
import type { Jacket, LiveTryOn, LiveTryOnOptions, LiveTryOnState } from "./live_try_on.js";
import type { LucyTryOn } from "./lucy_try_on.js";

export type UsedLucyTryOn = LiveTryOnState &
  Pick<LiveTryOn, "start" | "stop" | "capture" | "cancel" | "dismiss"> & {
    canvasRef: RefCallback<HTMLCanvasElement>;
    live: LiveTryOn;
  };

export function useLucyTryOn(options?: LiveTryOnOptions): UsedLucyTryOn;

/** The attributes of `<lucy-try-on>`; React 19 sets the properties, too. */
interface LucyTryOnAttributes extends DetailedHTMLProps<HTMLAttributes<LucyTryOn>, LucyTryOn> {
  server?: string;
  "api-key"?: string;
  jacket?: Jacket;
  garment?: Blob | string;
  landmarks?: Landmark[] | null;
  photo?: string;
  mode?: "light" | "picture";
  fit?: LiveTryOnOptions["fit"] & string;
  "fabric-id"?: string;
  category?: LiveTryOnOptions["category"] & string;
  pose?: "auto" | "none";
  autostart?: boolean;
}

declare module "react" {
  namespace JSX {
    interface IntrinsicElements {
      "lucy-try-on": LucyTryOnAttributes;
    }
  }
}
