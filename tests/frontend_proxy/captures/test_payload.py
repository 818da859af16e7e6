from dataclasses import replace

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontend_proxy.captures.payload import UnreadablePayload, pack, unpack
from frontend_proxy.job_factory import samples
from frontend_proxy.jobs import Job
from tests.frontend_proxy.triton.test_client import BARE_JOB, JOB


def fields(job: Job) -> list[object]:
    return [value.tolist() if isinstance(value, np.ndarray) else value for value in vars(job).values()]


@given(
    st.sampled_from([JOB, BARE_JOB]),
    st.binary(max_size=64),
    st.integers(0, 2**53 - 1),
    st.none() | st.text(),
    st.none() | st.floats(0, 1),
    st.none() | st.binary(max_size=64),
    st.integers(1, 4),
)
def test_unpack_reverses_pack(
    job: Job,
    picture: bytes,
    seed: int,
    fabric: str | None,
    strength: float | None,
    garment: bytes | None,
    count: int,
) -> None:
    job = replace(
        job, camera_frame=picture, seed=seed, fabric=fabric, strength=strength, garment_image=garment
    )
    jobs = samples(job, count)
    assert [fields(one) for one in unpack(pack(jobs))] == [fields(one) for one in jobs]


def test_the_images_of_several_samples_are_packed_once() -> None:
    jobs = samples(replace(JOB, camera_frame=bytes(10_000)), 4)
    assert len(pack(jobs)) < 12_000


def test_an_older_proxy_can_read_jobs_that_use_no_new_field() -> None:
    """It passes all that it finds to its own `Job`, so fields that have their default are not sent."""
    first, *_ = msgpack.unpackb(pack([BARE_JOB]))
    required = {"request_id", "mode", "camera_frame", "jacket_render", "output_format", "seed", "pose"}
    assert required <= set(first)
    assert all(value is not None for name, value in first.items() if name != "pose")


@pytest.mark.parametrize("payload", [b"", b"\xc1", msgpack.packb([]), msgpack.packb([{}]), msgpack.packb(1)])
def test_what_cannot_be_read(payload: bytes) -> None:
    with pytest.raises(UnreadablePayload):
        unpack(payload)
