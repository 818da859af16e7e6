/** What stands on the stage while there is no better picture: what the page waits for, or why there is none. */

import { sentence } from "./dom.js";
import { explain } from "./reasons.js";

const AWAY = "There is no connection to the server. Trying again …";
const LASTING = ["no_garment", "unusable_render", "needs_render", "no_region"]; // what the next keyframe does not change
const LOOKING = "Looking for you. Loading the pose model takes a moment the first time.";
const NOBODY = "No person found yet. Step back until both shoulders are in the picture.";

/**
 * @param fitting a Fitting   @param state the session's
 * @param why the last answer's `mode_reason`, null if there is none
 */
export function tryOnNote({ source, landmarks, fitted, error }, state, why) {
  if (error) return sentence(error.message);
  if (state === "waiting") return AWAY;
  if (!source) return "Loading …";
  if (!fitted) return source.landmarks ? "Preparing the jacket …" : LOOKING;
  if (!landmarks) return NOBODY;
  return LASTING.includes(why) ? sentence(`The model was not used: ${explain(why)}`) : "";
}
