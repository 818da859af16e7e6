import asyncio
import gc
from dataclasses import replace

import grpc
import numpy as np
import pytest

from frontend_proxy.errors import (
    DeadlineExceeded,
    InferenceFailed,
    InvalidInput,
    ModelUnavailable,
    Overloaded,
    ProxyError,
    UndecodableImage,
)
from frontend_proxy.jobs import Job, ModelHealth, Progress, Result, run_to_result
from frontend_proxy.triton.client import Triton, translate
from tests.fakes import FakeTriton

JOB = Job(
    request_id="r-1",
    mode="capture",
    camera_frame=b"frame",
    jacket_render=b"render",
    output_format="png",
    seed=2**40,
    pose=np.full((33, 4), 0.5, np.float32),
    fabric="Denim Blue",
    mask=b"mask",
    garment_image=b"garment",
    category="tops",
    steps=5,
    strength=0.75,
    guidance_scale=2.0,
    preview_interval=5,
    session="secret",
)
BARE_JOB = Job(
    request_id="r-2", mode="keyframe", camera_frame=b"f", jacket_render=b"r", output_format="jpeg", seed=0
)


async def collect(triton: Triton, job: Job = JOB, timeout_s: float = 5) -> list[Progress | Result]:
    return [response async for response in triton.run(job, timeout_s)]


async def test_progress_comes_before_the_result(triton: Triton, fake: FakeTriton) -> None:
    fake.script = [(1, 2), (2, 2), b"picture"]
    first, second, result = await collect(triton)
    assert [first, second] == [Progress(1, 2), Progress(2, 2)]
    assert result.image == b"picture"
    assert (result.report.mode, result.report.seed, result.report.mask_source) == ("ai_enhanced", 7, "alpha")


async def test_every_field_of_a_job_becomes_its_tensor(triton: Triton, fake: FakeTriton) -> None:
    await collect(triton)
    (request,) = fake.requests
    tensors = dict(
        zip([(t.name, t.datatype, *t.shape) for t in request.inputs], request.raw_input_contents, strict=True)
    )
    assert (request.model_name, request.id) == ("tryon", "r-1")
    assert {output.name for output in request.outputs} == {"progress", "preview", "image", "report"}
    assert tensors == {
        ("camera_frame", "UINT8", 5): b"frame",
        ("jacket_render", "UINT8", 6): b"render",
        ("mode", "BYTES", 1): b"\x07\0\0\0capture",
        ("pose", "FP32", 33, 4): np.full((33, 4), 0.5, np.float32).tobytes(),
        ("client_mask", "UINT8", 4): b"mask",
        ("garment_image", "UINT8", 7): b"garment",
        ("category", "BYTES", 1): b"\x04\0\0\0tops",
        ("fabric", "BYTES", 1): b"\x0a\0\0\0Denim Blue",
        ("steps", "INT32", 1): np.int32(5).tobytes(),
        ("strength", "FP32", 1): np.float32(0.75).tobytes(),
        ("guidance_scale", "FP32", 1): np.float32(2).tobytes(),
        ("seed", "INT64", 1): np.int64(2**40).tobytes(),
        ("output_format", "BYTES", 1): b"\x03\0\0\0png",
        ("preview_interval", "INT32", 1): np.int32(5).tobytes(),
        ("session", "BYTES", 1): b"\x06\0\0\0secret",
    }


async def test_options_that_are_none_are_not_sent(triton: Triton, fake: FakeTriton) -> None:
    await collect(triton, BARE_JOB)
    await collect(triton, replace(BARE_JOB, jacket_render=None, garment_image=b"g"))
    first, second = ([tensor.name for tensor in request.inputs] for request in fake.requests)
    assert first == ["camera_frame", "jacket_render", "mode", "seed", "output_format"]
    assert second == ["camera_frame", "mode", "garment_image", "seed", "output_format"]


async def test_a_picture_larger_than_grpc_s_default_limit_arrives(triton: Triton, fake: FakeTriton) -> None:
    """`channel_args` replaces the client's defaults: without its own sizes, 4 MiB is the most."""
    fake.script = [bytes(6 * 2**20)]
    (result,) = await collect(triton)
    assert len(result.image) == 6 * 2**20


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("INVALID_INPUT: pose must be (33, 4)", InvalidInput),
        ("in ensemble 'encode', IMAGE_DECODE: camera_frame is broken", UndecodableImage),
        ("INFERENCE_FAILED: tryon: INVALID_INPUT: of another stage", InferenceFailed),
        ("Failed: INFERENCE_FAILED: no finite pixels", InferenceFailed),
        ("Request for unknown model: 'tryon' is not found", ModelUnavailable),
        ("Exceeds maximum queue size", Overloaded),
        ("something else", InferenceFailed),
    ],
)
async def test_an_error_in_the_stream_is_translated(
    triton: Triton, fake: FakeTriton, message: str, kind: type[ProxyError]
) -> None:
    fake.script = [(1, 4), message]
    with pytest.raises(kind):
        await collect(triton)


def test_only_messages_about_the_client_s_input_reach_the_client(caplog: pytest.LogCaptureFixture) -> None:
    own = translate("in model 'tryon': IMAGE_DECODE: jacket_render is broken\n  File secret.py", None)
    assert str(own) == "jacket_render is broken"
    assert len(str(translate("INVALID_INPUT: " + "x" * 10_000, None))) <= 500
    for text in (
        "Traceback: /srv/secret.py",
        "INFERENCE_FAILED: unet: CUDA error at /srv/secret.cu:7",
        "INFERENCE_FAILED: preprocess: OpenCV(4.11.0) /srv/secret.cpp:1 INVALID_INPUT: (-215)",
        "Stub process 'secret_0_0' is not healthy.",
        "Exceeds maximum queue size of secret",
    ):
        for status in (None, "StatusCode.UNAVAILABLE", "StatusCode.INTERNAL", "StatusCode.DEADLINE_EXCEEDED"):
            caplog.clear()
            assert "secret" not in str(translate(text, status))
            assert text in caplog.text


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (grpc.StatusCode.UNAVAILABLE, ModelUnavailable),
        (grpc.StatusCode.CANCELLED, ModelUnavailable),  # Triton shuts down
        (grpc.StatusCode.RESOURCE_EXHAUSTED, Overloaded),
        (grpc.StatusCode.INTERNAL, InferenceFailed),
    ],
)
async def test_a_broken_stream_is_translated(
    triton: Triton, fake: FakeTriton, status: grpc.StatusCode, kind: type[ProxyError]
) -> None:
    """Streams raise a raw AioRpcError, which tritonclient does not wrap."""
    fake.script = [(1, 4), status]
    with pytest.raises(kind):
        await collect(triton)


async def test_a_stream_that_ends_without_a_picture_is_an_error(triton: Triton, fake: FakeTriton) -> None:
    fake.script = [(1, 4)]
    with pytest.raises(InferenceFailed):
        await collect(triton)


async def test_an_unreadable_report_is_an_error(triton: Triton, fake: FakeTriton) -> None:
    fake.report = {"mode": "dream"}
    with pytest.raises(InferenceFailed):
        await collect(triton)


@pytest.mark.parametrize("timeout_s", [0.2, 0.0, -1.0])
async def test_the_deadline_ends_the_job(triton: Triton, fake: FakeTriton, timeout_s: float) -> None:
    fake.script = [60.0, b"picture"]
    with pytest.raises(DeadlineExceeded):
        await collect(triton, timeout_s=timeout_s)


async def test_a_deadline_in_mid_send_is_a_deadline(triton: Triton, fake: FakeTriton) -> None:
    """gRPC then reports an internal error, or raises CancelledError in a task that nobody cancelled, which
    would end a connection's answering without a word."""
    job = replace(JOB, camera_frame=bytes(2**20))
    fake.script = [0.005, b"picture"]

    async def impatient(timeout_s: float) -> str:
        try:
            await run_to_result(triton, job, timeout_s)
        except DeadlineExceeded:
            return "late"
        return "in time"

    found = [
        outcome
        for _ in range(10)
        for outcome in await asyncio.gather(*(impatient(n / 2000) for n in range(1, 41)))
    ]
    assert set(found) <= {"late", "in time"}
    assert "late" in found


async def test_a_job_leaves_nothing_to_the_garbage_collector(triton: Triton, fake: FakeTriton) -> None:
    """An iteration over a stream that is left before its end holds the call, and the picture, in a circle."""
    fake.script = [(1, 2), b"picture"]
    gc.collect()
    gc.disable()
    try:
        await run_to_result(triton, JOB, 5)
        await asyncio.sleep(0.1)  # gRPC's own tasks end
        left = [found for found in gc.get_objects() if type(found) is grpc.aio.StreamStreamCall]
    finally:
        gc.enable()
    assert not left


async def test_cancelling_the_task_cancels_the_job_at_the_server(triton: Triton, fake: FakeTriton) -> None:
    fake.script = [(1, 4), 60.0]
    task = asyncio.create_task(run_to_result(triton, JOB, 30))
    while not fake.requests:
        await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait_for(fake.cancelled.wait(), 5)


async def test_cancelling_one_job_leaves_the_others(triton: Triton, fake: FakeTriton) -> None:
    fake.script = [0.3, b"picture"]
    doomed, kept = (asyncio.create_task(run_to_result(triton, JOB, 30)) for _ in range(2))
    while len(fake.requests) < 2:
        await asyncio.sleep(0.01)
    doomed.cancel()
    assert (await kept).image == b"picture"


async def test_a_model_that_has_not_run_yet_is_counted_as_such(triton: Triton, fake: FakeTriton) -> None:
    """The studio's table and Prometheus knew no `unet` until its first call."""
    fake.statistics = {"unet": {}, "preprocess": {1: 3, 4: 2}}
    server = f"127.0.0.1:{fake.port}"
    assert await triton.executions() == {
        (server, "unet", 1): 0,
        (server, "preprocess", 1): 3,
        (server, "preprocess", 4): 2,
    }


async def test_nobody_at_the_address() -> None:
    triton = Triton("127.0.0.1:1")
    with pytest.raises(ModelUnavailable):
        await collect(triton)
    health = await triton.health()
    assert health == ModelHealth(False, False, "the model server does not answer", "unknown")
    await triton.close()


@pytest.mark.parametrize("variable", ["http_proxy", "https_proxy", "grpc_proxy"])
async def test_a_proxy_of_the_environment_is_not_used(
    fake: FakeTriton, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """gRPC sends even calls to 127.0.0.1 through it, unless `no_proxy` says otherwise."""
    for name in ("no_proxy", "no_grpc_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, "http://127.0.0.1:1")
    triton = Triton(f"127.0.0.1:{fake.port}")
    (result,) = await collect(triton)
    assert result.image == b"picture"
    await triton.close()
