"""What goes wrong in a shop, done to the real stack: clients that do not read, or that lie."""

import asyncio
import contextlib
import json
import time

import cv2
import msgpack
import numpy as np
import pytest
import websockets
from websockets.asyncio.client import connect

from tests.mutations import Mutations
from tests.tryon_client import KEYFRAMES, Tryon, TryonError

FOLDER = KEYFRAMES / "transparent_no_pose"
FRAME, RENDER = ((FOLDER / name).read_bytes() for name in ("camera_frame.jpg", "jacket_render.png"))
MEBIBYTE = 2**20


def keyframe(**fields):
    """In MessagePack."""
    message = {
        "type": "keyframe",
        "timestamp": 1,
        "camera_frame": FRAME,
        "jacket_render": RENDER,
        "pose": None,
    }
    return msgpack.packb({**message, **fields})


def dial(stack, **options):
    address = stack.url.replace("http", "ws") + "/ws"
    return connect(address, subprotocols=["lucy.msgpack.v1"], max_size=None, **options)


async def answer(socket, within=30):
    return msgpack.unpackb(await asyncio.wait_for(socket.recv(), within))


async def health(stack):
    return await asyncio.to_thread(stack.health)


async def no_connections(stack, within=10):
    async with asyncio.timeout(within):
        while (await health(stack))["active_connections"]:
            await asyncio.sleep(0.1)


@pytest.fixture
async def steady(stack):
    """The test leaves the proxy as it was: no more file descriptors, and it still answers."""
    async with dial(stack) as socket:
        await socket.send(keyframe())
        await answer(socket)
    await no_connections(stack)
    descriptors = stack.proxy.num_fds()
    yield
    await no_connections(stack)
    async with dial(stack) as socket:
        await socket.send(keyframe())
        found = await answer(socket)
        assert found["mode"] == "ai_enhanced", {**found, "image": None}
    await no_connections(stack)
    left = stack.proxy.num_fds()
    assert left <= descriptors + 2, (left, descriptors)


@pytest.mark.nightly
@pytest.mark.usefixtures("steady")
async def test_a_slow_reader_loses_stale_results_and_no_memory(stack):
    async with dial(stack, max_queue=1) as slow, dial(stack) as other:
        before = stack.proxy.memory_info().rss
        for timestamp in range(60):  # the client's own buffers fill, then the kernel's
            await slow.send(keyframe(timestamp=timestamp, seed=timestamp))
            await asyncio.sleep(0.1)
        assert stack.proxy.memory_info().rss < before + 32 * MEBIBYTE
        await other.send(keyframe())
        assert (await answer(other))["mode"] == "ai_enhanced"
        timestamps = [-1]
        while timestamps[-1] != 59:
            timestamps.append((await answer(slow))["timestamp"])
        assert timestamps == sorted(timestamps)
        assert len(timestamps) < 60


@pytest.mark.usefixtures("steady")
async def test_200_idle_sockets(stack):
    async with contextlib.AsyncExitStack() as sockets:
        idle = await asyncio.gather(*(sockets.enter_async_context(dial(stack)) for _ in range(200)))
        assert (await health(stack))["active_connections"] == 200
        async with dial(stack) as busy:
            await busy.send(keyframe())
            assert (await answer(busy))["mode"] == "ai_enhanced"
        await asyncio.gather(*[await socket.ping() for socket in idle])


@pytest.mark.nightly
@pytest.mark.usefixtures("steady")
async def test_slow_heads_hold_nobody_up_and_are_cut_off(stack):
    """A slowloris: 50 requests whose heads come a byte at a time."""
    host, port = stack.url.removeprefix("http://").split(":")

    async def slow():
        reader, writer = await asyncio.open_connection(host, int(port))
        rest = asyncio.create_task(reader.read())
        writer.write(b"POST /virtual-tryon HTTP/1.1\r\nX-Slow: ")
        while not rest.done():
            with contextlib.suppress(ConnectionError):
                writer.write(b"x")
            await asyncio.wait({rest}, timeout=0.5)
        writer.close()
        return rest.result()

    slow_ones = [asyncio.create_task(slow()) for _ in range(50)]
    async with dial(stack) as socket:
        await socket.send(keyframe())
        assert (await answer(socket))["mode"] == "ai_enhanced"
    for cut in await asyncio.wait_for(asyncio.gather(*slow_ones), 30):
        assert cut.startswith(b"HTTP/1.1 408 ")


@pytest.mark.usefixtures("steady")
async def test_messages_of_millions_of_values_hold_nobody_up(stack):
    """Each took the proxy seconds to read, in which no socket was served."""
    wide = '{"type": "keyframe", "pose": [' + "[]," * 3 * MEBIBYTE + "0]}"
    address = stack.url.replace("http", "ws") + "/ws"
    async with dial(stack) as other, connect(address, max_size=None) as greedy:
        for _ in range(10):
            await greedy.send(wide)
        began = time.monotonic()
        await other.send(keyframe())
        assert (await answer(other))["mode"] == "ai_enhanced"
        assert time.monotonic() - began < 5
        for _ in range(10):
            error = json.loads(await asyncio.wait_for(greedy.recv(), 10))
            assert (error["code"], "values" in error["error"]) == ("INVALID_INPUT", True)


@pytest.mark.usefixtures("steady")
@pytest.mark.parametrize("whole", [True, False], ids=["one frame", "fragments"])
async def test_100_mb_frames_end_their_own_connection_only(stack, whole):
    before = stack.proxy.memory_info().rss
    message = bytes(100 * 10**6) if whole else (bytes(10**6) for _ in range(100))
    async with dial(stack) as other, dial(stack) as greedy:
        with contextlib.suppress(websockets.ConnectionClosed):  # it may be cut off while it sends
            await asyncio.wait_for(greedy.send(message), 20)
        with pytest.raises(websockets.ConnectionClosed):
            await asyncio.wait_for(greedy.recv(), 20)
        assert greedy.close_code in (1009, 1006)
        await other.send(keyframe())
        assert (await answer(other))["mode"] == "ai_enhanced"
    assert stack.proxy.memory_info().rss < before + 64 * MEBIBYTE


@pytest.mark.usefixtures("steady")
async def test_a_storm_of_disconnects(stack):
    async def come_and_go(number):
        async with dial(stack) as socket:
            await socket.send(keyframe(seed=number))
            await asyncio.sleep(number % 7 / 20)
            if number % 2:
                socket.transport.abort()

    for _ in range(3):
        await asyncio.gather(*(come_and_go(number) for number in range(50)))
    await no_connections(stack)
    async with Tryon.connect(stack.triton_grpc) as tryon, asyncio.timeout(10):
        await tryon.settle()  # nobody's steps go on


@pytest.mark.usefixtures("steady")
async def test_broken_pictures_at_once_do_not_kill_triton(stack):
    """Triton 24.10 died of an ensemble whose one first step failed while the other was being started."""
    broken = {
        "camera_frame": np.frombuffer(FRAME[:100], np.uint8),
        "jacket_render": np.frombuffer(RENDER, np.uint8),
    }
    triton = stack.triton.pid
    async with Tryon.connect(stack.triton_grpc) as tryon:
        for _ in range(30):
            errors = await asyncio.gather(*(tryon.dress(broken) for _ in range(16)), return_exceptions=True)
            assert all(isinstance(error, TryonError) and "IMAGE_DECODE" in str(error) for error in errors)
    assert stack.triton.pid == triton


FUZZ_SOCKETS, FUZZ_MESSAGES = 8, 10_000
PACE_S = 1 / 50  # below what closes a connection (frontend_proxy/web/frame_limits.py)


async def fuzz(stack, seed, messages):
    """Sends `messages` mutated ones and returns the answers; every socket must live to the end."""
    picture = cv2.imread(str(FOLDER / "camera_frame.jpg"))
    render = cv2.imread(str(FOLDER / "jacket_render.png"), cv2.IMREAD_UNCHANGED)
    frame = cv2.imencode(".jpg", cv2.resize(picture, (320, 180)))[1].tobytes()
    jacket = cv2.imencode(".png", cv2.resize(render, (160, 90)))[1].tobytes()

    async def one(number):
        binary = number % 2 == 0
        source = Mutations(1000 * seed + number, frame, jacket, binary)
        subprotocol = "lucy.msgpack.v1" if binary else "lucy.json.v1"
        decode = msgpack.unpackb if binary else json.loads
        answers = []
        address = stack.url.replace("http", "ws") + "/ws"
        async with connect(address, subprotocols=[subprotocol], max_size=None) as socket:

            async def listen(until):
                while not (answers and answers[-1].get("frame_id") == until):
                    answers.append(decode(await asyncio.wait_for(socket.recv(), 60)))

            for index in range(messages // FUZZ_SOCKETS):
                await asyncio.sleep(PACE_S)
                await socket.send(source.frame(index))
                if index % 125 == 124:
                    await socket.send(source.sound(f"sound {index}"))
                    await listen(f"sound {index}")
        return answers

    return await asyncio.gather(*(one(number) for number in range(FUZZ_SOCKETS)))


@pytest.mark.nightly
@pytest.mark.usefixtures("steady")
async def test_ten_thousand_mutated_messages(stack):
    """None is the server's fault, each socket outlives them, and nothing is kept of them."""
    await fuzz(stack, seed=1, messages=2_000)  # caches fill
    await no_connections(stack)
    before = stack.proxy.memory_info().rss
    answers = await fuzz(stack, seed=2, messages=FUZZ_MESSAGES)
    await no_connections(stack)
    grown = stack.proxy.memory_info().rss - before

    told = [message for of_one in answers for message in of_one]
    errors = [message for message in told if message["type"] == "error"]
    results = [message for message in told if message["type"] == "keyframe_result"]
    assert {message["code"] for message in errors} == {"INVALID_INPUT", "IMAGE_DECODE"}
    assert len(errors) > FUZZ_MESSAGES / 4
    sound = [message for message in results if str(message["frame_id"]).startswith("sound")]
    assert len(sound) == FUZZ_MESSAGES // 125
    assert any(message["mode"] == "ai_enhanced" for message in results if message not in sound)
    for of_one in answers:
        order = [m["frame_id"] for m in of_one if m in results and isinstance(m["frame_id"], int)]
        assert order == sorted(order)
    assert grown < 16 * MEBIBYTE
