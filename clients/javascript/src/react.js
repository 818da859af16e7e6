/** The React hook. React comes from the page's own packages. */

import { useCallback, useEffect, useState, useSyncExternalStore } from "react";
import { LiveTryOn } from "./live_try_on.js";

/**
 * A live try-on on the canvas that gets `canvasRef`.
 *
 *     const { canvasRef, status, error, start, capture } = useLucyTryOn({ server, jacket: "/coat.png" });
 *     return <><canvas ref={canvasRef} /><button onClick={() => start()}>Try it on</button></>;
 *
 * @param options those of LiveTryOn; they may change with each rendering
 */
export function useLucyTryOn(options = {}) {
  const [live] = useState(() => new LiveTryOn()); // without options: a server that renders the page loads no jacket
  const state = useSyncExternalStore(live.subscribe, () => live.state, () => live.state);
  const canvasRef = useCallback((canvas) => live.attach(canvas), [live]);
  const start = useCallback((from) => live.start(from), [live]);
  const stop = useCallback(() => live.stop(), [live]);
  const capture = useCallback((fields) => live.capture(fields), [live]);
  const cancel = useCallback(() => live.cancel(), [live]);
  const dismiss = useCallback(() => live.dismiss(), [live]);
  useEffect(() => live.configure(options)); // which does nothing where nothing has changed
  useEffect(() => () => live.close(), [live]); // the camera's light goes out with the component
  return { ...state, canvasRef, start, stop, capture, cancel, dismiss, live };
}
