"""The loop that sends keyframes, of the studio and of a live try-on, before a session that the test plays."""

import pytest


def test_a_keyframe_that_cannot_be_made_does_not_stop_the_next(run):
    """A canvas that may not be read, say: nothing was sent any more, and nobody was told."""
    errors, answers = run(
        """
        const { KeyframeLoop } = await import("/studio/keyframe_loop.js");
        const faults = ["not drawn", "not read", "not sent", "not shown"], errors = [];
        let answers = 0;
        const fail = (fault) => { if (faults[0] === fault) throw new Error(faults.shift()); };
        const make = async () => { fail("not read"); fail("not sent"); return {}; };
        const loop = new KeyframeLoop({
          compose: () => { fail("not drawn"); return { make, every: 0 }; },
          onAnswer: () => { fail("not shown"); answers += 1; },
          onState: () => {},
          onError: ({ message }) => errors.push(message),
        });
        const send = (listeners) => setTimeout(() => listeners.onResult({ mode: "ai_enhanced" }));
        const connect = (listeners) => ({ state: "open", send: () => send(listeners), close: () => {} });
        loop.open({ connect });
        const deadline = performance.now() + 30_000;
        while (!answers && performance.now() < deadline) await new Promise((done) => setTimeout(done, 20));
        loop.close();
        return [errors, answers];
        """
    )
    assert errors == ["not drawn", "not read", "not sent", "not shown"]
    assert answers


@pytest.mark.nightly
def test_what_stands_still_is_sent_once_and_a_late_answer_does_not_count(run):
    sent, counted = run(
        """
        const { KeyframeLoop } = await import("/studio/keyframe_loop.js");
        const sent = [], counted = [];
        let listeners;
        let number = 0;
        const until = async (holds) => { while (!holds()) await new Promise((done) => setTimeout(done, 5)); };
        const loop = new KeyframeLoop({
          compose: () => ({ make: async () => (number += 1), every: 0, still: true }),
          onAnswer: ({ number }) => counted.push(number),
          onState: () => {},
          onError: () => {},
        });
        loop.open({
          connect: (given) => {
            listeners = given;
            return { state: "open", send: (keyframe) => sent.push(keyframe), close: () => {} };
          },
        });
        await until(() => sent.length === 1);
        loop.changed({ forget: true }); // another jacket, before the answer to the first
        listeners.onResult({ number: 1 });
        await until(() => sent.length === 2);
        listeners.onResult({ number: 2 });
        await new Promise((done) => setTimeout(done, 400));
        loop.close();
        return [sent, counted];
        """
    )
    assert (sent, counted) == ([1, 2], [2])


@pytest.mark.nightly
def test_after_a_failure_of_the_pose_model_the_frames_are_those_of_now(run):
    """A capture took the frame that had been looked at last."""
    red, green = run(
        """
        Worker = class {
          times = 0;
          constructor() { setTimeout(() => this.onmessage({ data: { ready: true } })); }
          postMessage({ id }) {
            this.times += 1;
            const answer = this.times < 3 ? { landmarks: null } : { error: "it failed" };
            setTimeout(() => this.onmessage({ data: { id, ...answer } }));
          }
          terminate() { window.ended = true; }
        };
        const { LiveTryOn } = await import("/studio/live_try_on.js");
        const element = document.createElement("canvas");
        Object.assign(element, { width: 64, height: 64 });
        const context = element.getContext("2d");
        const paint = (colour) => { context.fillStyle = colour; context.fillRect(0, 0, 64, 64); };
        paint("red");
        let request;
        globalThis.fetch = async (url, { body }) => { request = body; return new Response("{}"); };
        const live = new LiveTryOn({ jacket: element });
        live.addEventListener("error", () => paint("lime"));
        await live.start({ element, width: 64, height: 64, moving: true, mirrored: false, close() {} });
        while (!live.state.error) await new Promise((done) => setTimeout(done, 20));
        await live.capture();
        live.close();
        if (!window.ended) throw new Error("the worker goes on");
        context.drawImage(await createImageBitmap(request.get("user_image")), 0, 0);
        return [...context.getImageData(32, 32, 1, 1).data];
        """
    )[:2]
    assert red < 60
    assert green > 200
