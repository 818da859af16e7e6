"""Captures' store on an S3 server, and in a folder."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

import obstore
import pytest

from frontend_proxy.answer_schemas import Report
from frontend_proxy.captures.image_store import ImageStore
from frontend_proxy.captures.record import Record
from frontend_proxy.errors import StorageUnavailable
from frontend_proxy.jobs import Job
from tests.bucket import Bucket, running_bucket


@pytest.fixture(scope="module")
def server() -> Iterator[Bucket]:
    with running_bucket() as bucket:
        yield bucket


@pytest.fixture(params=["s3", "folder"])
def store(
    request: pytest.FixtureRequest, server: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> ImageStore:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return ImageStore(f"{server.url}/captures" if request.param == "s3" else None, tmp_path)


@pytest.fixture
def record() -> Record:
    job = Job(
        request_id="r", mode="capture", camera_frame=b"", jacket_render=b"", output_format="png", seed=1
    )
    record = Record.begin(job, "http://lucy.test", None, 60)
    record.succeed([Report(mode="ai_enhanced", seed=1, steps=1)] * 2)
    return record


async def test_images_are_saved_read_and_removed(store: ImageStore, record: Record) -> None:
    await store.save(record, [b"first", b"second"])
    assert await store.read(record.result_id, "1.png") == b"second"
    assert await store.read(record.result_id, "2.png") is None
    await store.remove(record)
    await store.remove(record)
    assert await store.read(record.result_id, "0.png") is None


async def nothing(result_ids: Sequence[str]) -> set[str]:
    return set()


@pytest.mark.sampled(1)
async def test_what_is_still_known_is_not_swept(store: ImageStore, record: Record) -> None:
    """A batch takes longer than a capture may."""

    async def known(result_ids: Sequence[str]) -> set[str]:
        return set(result_ids)

    await store.save(record, [b"first"])
    await asyncio.sleep(1.1)  # S3 has a resolution of seconds
    await store.sweep(0, known)
    assert await store.read(record.result_id, "0.png") == b"first"


@pytest.mark.sampled(1)
async def test_expired_images_are_swept(store: ImageStore, record: Record) -> None:
    await store.save(record, [b"first"])
    await store.sweep(60, nothing)
    assert await store.read(record.result_id, "0.png") == b"first"
    await asyncio.sleep(1.1)  # S3 has a resolution of seconds
    await store.sweep(0, nothing)
    assert await store.read(record.result_id, "0.png") is None


async def test_a_bucket_that_is_away_is_an_error(
    record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**Bucket().environment, "AWS_ENDPOINT": "http://127.0.0.1:1"}.items():
        monkeypatch.setenv(name, value)
    store = ImageStore(Bucket.url, tmp_path)
    for call in (store.save(record, [b"a"]), store.read(record.result_id, "0.png")):
        with pytest.raises(StorageUnavailable, match="try again"):
            await call


@pytest.mark.sampled(1)
async def test_other_objects_are_never_deleted(store: ImageStore, record: Record) -> None:
    """With RESULTS_URL=s3://lucy and CATALOG_URL=s3://lucy/catalog, all saved fabrics were deleted."""
    others = [
        "catalog/fabrics/denim-blue.json",
        f"catalog/textures/{'0' * 64}.jpg",
        "readme.txt",
        "0.png",
        f"{record.result_id}/notes.txt",
        f"{record.result_id}/4.png",
        f"backup/{record.result_id}/0.png",
        f"{record.result_id}/0.png/0.png",
        "my-old-photo-from-2019/0.png",
        "portrait-of-my-mother-/0.png",
    ]
    for path in others:
        if path.count("/0.png") < 2:  # a folder cannot also be a file
            await obstore.put_async(store._store, path, b"mine")
    await store.save(record, [b"first", b"second"])
    await asyncio.sleep(1.1)  # S3 has a resolution of seconds
    await store.sweep(0, nothing)
    left = {found["path"] for page in obstore.list(store._store) for found in page}
    assert left == {path for path in others if path.count("/0.png") < 2}


async def test_one_image_that_cannot_be_deleted_does_not_keep_the_others(
    tmp_path: Path, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ImageStore(None, tmp_path)
    await store.save(record, [b"first", b"second"])
    delete = obstore.delete_async

    async def refuse(target: object, paths: str | list[str]) -> None:
        if f"{record.result_id}/0.png" in paths:
            raise PermissionError("not allowed")
        await delete(target, paths)

    monkeypatch.setattr(obstore, "delete_async", refuse)
    await store.sweep(-1, nothing)
    assert await store.read(record.result_id, "0.png") == b"first"
    assert await store.read(record.result_id, "1.png") is None
