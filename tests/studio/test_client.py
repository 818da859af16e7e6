"""client.js before a server that the test plays: what a frontend that imports it may rely on."""

import json

import pytest

COLLECT = """
    const results = [], states = [];
    const session = new LucyClient().connect({
      onResult: ({ frame_id, timestamp }) => results.push([frame_id, timestamp]),
      onState: (state) => states.push(state),
    });
    const until = async (holds) => { while (!holds()) await new Promise((done) => setTimeout(done, 5)); };
    const send = (timestamp) => session.send({ timestamp, camera_frame: new Blob(["frame"]) });
"""


class Socket:
    """The server's end of `/ws`: it answers each keyframe, or hangs up at the first, or at each."""

    def __init__(self, drop_first=False, hang_up=False):
        self.received = []
        self.connections = 0
        self._drop_first = drop_first
        self._hang_up = hang_up

    def route(self, page):
        page.route_web_socket("**/ws", self._open)

    def _open(self, socket):
        self.connections += 1
        number = self.connections
        socket.on_message(lambda text: self._answer(socket, json.loads(text), number))

    def _answer(self, socket, keyframe, connection):
        self.received.append(keyframe)
        if self._hang_up or (self._drop_first and connection == 1):
            socket.close(code=1012, reason="the server restarts")
            return
        answer = {"type": "keyframe_result", "mode": "ai_enhanced", "image": "data:image/jpeg;base64,/9g="}
        socket.send(json.dumps(answer | {name: keyframe[name] for name in ("timestamp", "frame_id")}))


@pytest.mark.nightly
def test_the_newest_keyframe_waits_and_the_others_are_dropped(run):
    socket = Socket()
    results, dropped, sent = run(
        f"""{COLLECT}
        await until(() => session.state === "open");
        for (const timestamp of [1, 2, 3, 4, 5]) send(timestamp);
        await until(() => results.length === 2);
        return [results, session.dropped, session.sent];
        """,
        socket,
    )
    assert results == [[1, 1], [2, 5]]
    assert (dropped, sent) == (3, 2)
    assert [keyframe["timestamp"] for keyframe in socket.received] == [1, 5]
    assert socket.received[0]["camera_frame"].startswith("data:")


def test_after_a_lost_connection_it_connects_again(run):
    socket = Socket(drop_first=True)
    states, results = run(
        f"""{COLLECT}
        send(1);
        await until(() => states.includes("waiting"));
        send(2);
        await until(() => results.length === 1);
        session.close();
        send(3);
        return [states, results];
        """,
        socket,
    )
    assert states == ["connecting", "open", "waiting", "connecting", "open"]
    assert results == [[2, 2]]
    assert socket.connections == 2


def test_a_picture_that_cannot_be_read_does_not_stop_the_next(run):
    results, errors = run(
        """
        const results = [], errors = [];
        const session = new LucyClient().connect({
          onResult: ({ timestamp }) => results.push(timestamp),
          onError: ({ message }) => errors.push(message),
        });
        const until = async (holds) => { while (!holds()) await new Promise((done) => setTimeout(done, 5)); };
        await until(() => session.state === "open");
        session.send({ timestamp: 1, camera_frame: { toJSON() { throw new Error("no pixels"); } } });
        session.send({ timestamp: 2, camera_frame: new Blob(["frame"]) });
        await until(() => results.length === 1);
        session.close();
        return [results, errors];
        """,
        Socket(),
    )
    assert (results, errors) == ([2], ["no pixels"])


@pytest.mark.nightly
def test_a_server_that_hangs_up_at_once_is_asked_less_and_less_often(run):
    """It was asked three times a second, since its accepting the connection counted as success."""
    socket = Socket(hang_up=True)
    run(
        """
        const session = new LucyClient().connect({
          onState: (state) => { if (state === "open") session.send({ camera_frame: new Blob(["frame"]) }); },
        });
        await new Promise((done) => setTimeout(done, 5000));
        session.close();
        """,
        socket,
    )
    assert 2 <= socket.connections <= 6


def test_a_connection_that_is_lost_during_a_capture(run):
    """It was a bare TypeError of the browser's. What the page itself throws stays what it is."""
    found = run(
        """
        const step = new TextEncoder().encode('event: progress\\ndata: {"step": 1, "steps": 2}\\n\\n');
        const ended = async (error, onProgress) => {
          const chunks = [step];
          const pull = (body) => (chunks.length ? body.enqueue(chunks.pop()) : body.error(error));
          globalThis.fetch = async () => new Response(new ReadableStream({ pull }));
          const caught = await new LucyClient().capture({}, { onProgress }).catch((caught) => caught);
          return [caught.name, caught.code];
        };
        return [
          await ended(new TypeError("network error")),
          await ended(new DOMException("", "AbortError")),
          await ended(null, () => { throw new RangeError("of the page"); }),
        ];
        """
    )
    assert found == [["LucyError", "UNREACHABLE"], ["AbortError", 20], ["RangeError", None]]


def test_an_answer_that_breaks_off_or_is_of_something_else(run):
    found = run(
        """
        const ended = async (body) => {
          globalThis.fetch = async () => new Response(body);
          const caught = await new LucyClient().health().catch((caught) => caught);
          return [caught.name, caught.code];
        };
        const pull = (body) => body.error(new TypeError("network error"));
        return [await ended(new ReadableStream({ pull })), await ended("<html>Please log in</html>")];
        """
    )
    assert found == [["LucyError", "UNREACHABLE"]] * 2


def test_events_are_read_however_the_network_cuts_them(run):
    """A preview is larger than a packet."""
    events = run(
        """
        const { readEvents } = await import("/studio/event_stream.js");
        const text = ": alive\\n\\nevent: progress\\ndata: {\\"step\\":\\ndata: 1}\\n\\n" +
          "event: result\\r\\ndata: ü\\r\\n\\r\\nevent: cut";
        const bytes = new TextEncoder().encode(text);
        const events = [];
        for (let size = 1; size <= bytes.length; size += 5) {
          const chunks = [];
          for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.slice(at, at + size));
          const body = new ReadableStream({
            pull: (controller) => (chunks.length ? controller.enqueue(chunks.shift()) : controller.close()),
          });
          const read = [];
          for await (const { event, data } of readEvents(body)) read.push([event, data]);
          events.push(read);
        }
        return events;
        """
    )
    assert events
    for read in events:
        assert read == [["progress", '{"step":\n1}'], ["result", "ü"]]


def test_metrics_are_numbers_with_labels(run):
    samples = run(
        r"""
        const { parseMetrics } = await import("/studio/metrics_text.js");
        return parseMetrics('# HELP a b\n# TYPE a counter\na_total 3.0\n' +
          'a_bucket{le="+Inf",path="/a\\"b\\\\c\\n}"} 1e3\nup{} 1 1700000000\n')
          .map(({ name, labels, value }) => [name, labels, value]);
        """
    )
    assert samples == [
        ["a_total", {}, 3],
        ["a_bucket", {"le": "+Inf", "path": '/a"b\\c\n}'}, 1000],
        ["up", {}, 1],
    ]


def test_a_refusal_says_what_the_server_says(run):
    error = run(
        """
        try { await new LucyClient().deleteFabric("denim-blue"); } catch (error) {
          return [error.name, error.code, error.status, error.message, error.requestId];
        }
        """,
        forgiven="403",
    )
    assert error[:3] == ["LucyError", "READ_ONLY", 403]
    assert "denim-blue" in error[3]
    assert error[4]
