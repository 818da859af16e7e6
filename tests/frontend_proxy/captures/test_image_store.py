"""Captures' pictures on an S3 server, and in a folder."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from frontend_proxy.captures.image_store import Pictures
from frontend_proxy.captures.results import Record
from frontend_proxy.errors import StorageUnavailable
from frontend_proxy.jobs import Job
from frontend_proxy.schemas import Report
from tests.bucket import Bucket, running_bucket


@pytest.fixture(scope="module")
def server() -> Iterator[Bucket]:
    with running_bucket() as bucket:
        yield bucket


@pytest.fixture(params=["s3", "folder"])
def pictures(
    request: pytest.FixtureRequest, server: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Pictures:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return Pictures(f"{server.url}/captures" if request.param == "s3" else None, tmp_path)


@pytest.fixture
def record() -> Record:
    job = Job(
        request_id="r", mode="capture", camera_frame=b"", jacket_render=b"", output_format="png", seed=1
    )
    record = Record.begin(job, "http://lucy.test", None, 60)
    record.succeed([Report(mode="ai_enhanced", seed=1, steps=1)] * 2)
    return record


async def test_they_are_kept_and_removed(pictures: Pictures, record: Record) -> None:
    await pictures.save(record, [b"first", b"second"])
    assert await pictures.read(record.result_id, "1.png") == b"second"
    assert await pictures.read(record.result_id, "2.png") is None
    await pictures.remove(record)
    await pictures.remove(record)
    assert await pictures.read(record.result_id, "0.png") is None


async def test_those_whose_time_is_over_are_swept(pictures: Pictures, record: Record) -> None:
    await pictures.save(record, [b"first"])
    await pictures.sweep(lifetime_s=60)
    assert await pictures.read(record.result_id, "0.png") == b"first"
    await asyncio.sleep(1.1)  # S3 tells seconds
    await pictures.sweep(lifetime_s=0)
    assert await pictures.read(record.result_id, "0.png") is None


async def test_a_bucket_that_is_away_is_said(
    record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**Bucket().environment, "AWS_ENDPOINT": "http://127.0.0.1:1"}.items():
        monkeypatch.setenv(name, value)
    pictures = Pictures(Bucket.url, tmp_path)
    for call in (pictures.save(record, [b"a"]), pictures.read(record.result_id, "0.png")):
        with pytest.raises(StorageUnavailable, match="try again"):
            await call
