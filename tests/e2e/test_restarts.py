"""Parts of the real stack that end: what clients hear meanwhile, what comes back, and what is lost."""

import asyncio
import json
from contextlib import ExitStack

import cv2
import httpx
import numpy as np
import psutil
import pytest

from tests.e2e.test_captures import ASYNC, EVENTS, events
from tests.e2e.test_faults import FRAME, answer, dial, keyframe
from tests.e2e.test_http import capture
from tests.frontend_proxy.captures.test_local_captures import ended
from tests.receiver import receiving
from tests.stack import running_stack
from tests.tryon_client import Tryon

SETTINGS = {
    "SHUTDOWN_TIMEOUT_S": "2",
    "CAPTURE_TIMEOUT_S": "150",
    "WEBHOOK_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "WEBHOOK_PRIVATE_HOSTS": "localhost",
}


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """Returns the running stack, or a new one if a test has ended it: a start takes seconds."""
    with ExitStack() as started:
        running = []

        def start():
            if not running or running[-1].process.poll() is not None:
                folder = tmp_path_factory.mktemp("stack")
                running.append(started.enter_context(running_stack(folder, **SETTINGS)))
            stack = running[-1]
            stack.wait_until(lambda health: health["ai_model_loaded"] and "Ready: " in stack.log.read_text())
            return stack

        yield start


@pytest.fixture
def own_stack(start):
    """A stack that the test may hurt."""
    return start()


async def until(stack, loaded):
    await asyncio.to_thread(stack.wait_until, lambda health: health["ai_model_loaded"] == loaded)


async def test_triton_killed_in_mid_keyframe(own_stack):
    async with dial(own_stack) as socket:
        await socket.send(keyframe(timestamp=0))
        assert (await answer(socket))["mode"] == "ai_enhanced"
        async with Tryon.connect(own_stack.triton_grpc) as tryon:
            before, _ = await tryon.statistics("unet")
            await socket.send(keyframe(timestamp=1, steps=50))
            while (await tryon.statistics("unet"))[0] < before + 3:
                await asyncio.sleep(0.02)
        own_stack.triton.kill()
        fallback = await answer(socket)
        assert (fallback["timestamp"], fallback["mode"]) == (1, "fallback")
        assert fallback["mode_reason"] == "model_unavailable"
        composite = cv2.imdecode(np.frombuffer(fallback["image"], np.uint8), cv2.IMREAD_COLOR)
        frame = cv2.imdecode(np.frombuffer(FRAME, np.uint8), cv2.IMREAD_COLOR)
        assert composite.shape == frame.shape
        assert np.abs(composite.astype(int) - frame).mean() > 3, "the jacket is drawn"

        # /health notices the death at the next probe.
        await until(own_stack, loaded=False)
        await until(own_stack, loaded=True)
        timestamp, found = 1, {}
        async with asyncio.timeout(20):
            while found.get("mode") != "ai_enhanced":
                timestamp += 1
                await socket.send(keyframe(timestamp=timestamp))
                found = await answer(socket)
                assert found["timestamp"] == timestamp


@pytest.mark.nightly
async def test_triton_killed_in_mid_capture(own_stack):
    """The waiting clients hear it, the accepted capture is made once Triton is back, nothing is lost."""
    async with httpx.AsyncClient(base_url=own_stack.url, timeout=60) as client:
        body = capture("transparent_no_pose", steps=50)

        async def streamed():
            async with client.stream("POST", "/virtual-tryon", json=body, headers=EVENTS) as response:
                return [event async for event in events(response)]

        accepted = await client.post("/virtual-tryon", json=body, headers=ASYNC)
        waiting = asyncio.create_task(client.post("/virtual-tryon", json=body))
        watching = asyncio.create_task(streamed())
        while not (await client.get(accepted.headers["Location"])).json()["progress"]:
            await asyncio.sleep(0.01)
        own_stack.triton.kill()
        name, error = (await watching)[-1]
        assert (name, error["code"]) == ("error", "MODEL_UNAVAILABLE")
        refused = await waiting
        await until(own_stack, loaded=False)
        for found in (refused, await client.post("/virtual-tryon", json=body)):
            assert (found.status_code, found.json()["code"]) == (503, "MODEL_UNAVAILABLE")
            assert int(found.headers["Retry-After"]) > 0
        await until(own_stack, loaded=True)
        assert "starting Triton again" in own_stack.log.read_text()
        status = await ended(client, accepted.headers["Location"], within_s=60)
        assert status["state"] == "succeeded", status


@pytest.mark.nightly
async def test_a_triton_is_started_again_if_a_models_process_dies(own_stack):
    """Triton still reports a decoupled model as ready when its process is dead, and does not restart it."""
    stubs = own_stack.triton.children(recursive=True)
    next(stub for stub in stubs if any("/tryon/" in word for word in stub.cmdline())).kill()
    await until(own_stack, loaded=False)
    await until(own_stack, loaded=True)
    assert "The process of one of Triton's models died" in own_stack.log.read_text()


@pytest.mark.nightly
async def test_a_proxy_that_dies_ends_the_stack_and_the_next_one_tells_what_was_lost(own_stack):
    """What was finished is still there, what was not is an error, and its webhook says so."""
    async with receiving() as receiver:
        async with httpx.AsyncClient(base_url=own_stack.url, timeout=60) as client:
            body = capture("transparent_no_pose", steps=2)
            finished = (await client.post("/virtual-tryon", json=body)).json()
            body = capture("transparent_no_pose", steps=50, num_samples=4, webhook_url=receiver.url)
            accepted = (await client.post("/virtual-tryon", json=body, headers=ASYNC)).json()
        processes = psutil.Process(own_stack.process.pid).children(recursive=True)
        own_stack.proxy.kill()
        assert await asyncio.to_thread(own_stack.process.wait, 30) == 1
        assert "the proxy ended" in own_stack.log.read_text()
        assert psutil.wait_procs(processes, timeout=5)[1] == [], "nothing is left"
        assert not receiver.requests
        with running_stack(own_stack.log.parent, **SETTINGS) as stack:
            await asyncio.to_thread(stack.wait_until, lambda health: True)
            async with httpx.AsyncClient(base_url=stack.url) as client:
                again = (await client.get(f"/virtual-tryon/{finished['result_id']}")).json()
                assert again["result"]["result_image"] == finished["result_image"]
                lost = (await client.get(f"/virtual-tryon/{accepted['result_id']}")).json()
                assert (lost["state"], lost["failure"]["code"]) == ("failed", "INTERRUPTED")
                async with asyncio.timeout(10):
                    while not receiver.requests:
                        await asyncio.sleep(0.1)
        message = json.loads(receiver.requests[0].body)
        assert (message["type"], message["data"]["result_id"]) == ("capture.failed", accepted["result_id"])
