/** Reads server-sent events from a fetched body, because EventSource can neither POST nor send headers. */

/**
 * Yields each `{ event, data }` when it arrives; comments are ignored.
 * https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
 *
 * @param {ReadableStream<Uint8Array>} body
 */
export async function* readEvents(body) {
  const reader = body.getReader();
  const decoder = new TextDecoder(); // no pipe: Chromium's can be garbage-collected while it is being read
  let text = "";
  try {
    for (;;) {
      const { done, value } = await reader.read().catch(lost);
      if (done) return; // an event without its blank line is not dispatched
      text += decoder.decode(value, { stream: true });
      const blocks = text.split(/\r?\n\r?\n/);
      text = blocks.pop();
      for (const block of blocks) {
        const event = parse(block);
        if (event) yield event;
      }
    }
  } finally {
    reader.cancel().catch(() => {}); // the caller stopped reading, or the request was aborted
  }
}

/** A lost connection ends the events, as the server's end of them does: the caller misses the last one. */
function lost(error) {
  if (error.name === "AbortError") throw error;
  return { done: true };
}

function parse(block) {
  let event = "message";
  const data = [];
  for (const line of block.split(/\r?\n/)) {
    const [, field, value] = line.match(/^([^:]*):? ?(.*)$/);
    if (field === "event") event = value;
    else if (field === "data") data.push(value);
  }
  return data.length ? { event, data: data.join("\n") } : null;
}
