"""Captures' pictures where every proxy finds them: a bucket, or a folder that they share.

<url>/<result id>/0.png, …
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import LocalStore, ObjectStore, from_url

from frontend_proxy.captures.results import Record
from frontend_proxy.errors import StorageUnavailable


class Pictures:
    """url: what obstore takes (`s3://bucket/prefix`, whose endpoint and keys are in the environment's AWS_*),
        or None for `folder`.

    A request is tried again for a few seconds; then it raises StorageUnavailable.
    """

    def __init__(self, url: str | None, folder: Path) -> None:
        self._store: ObjectStore
        if url is None:
            self._store = LocalStore(folder, automatic_cleanup=True, mkdir=True)
        else:
            self._store = from_url(
                url,
                client_options={"timeout": "10s", "connect_timeout": "2s", "allow_http": True},
                retry_config={"max_retries": 4, "retry_timeout": timedelta(seconds=5)},
            )

    async def save(self, record: Record, images: list[bytes]) -> None:
        for sample, image in enumerate(images):
            with storage_errors():
                await obstore.put_async(self._store, _path(record, sample), image)

    async def read(self, result_id: str, name: str) -> bytes | None:
        """None where there is none."""
        with storage_errors():
            try:
                found = await obstore.get_async(self._store, f"{result_id}/{name}")
                return bytes(await found.bytes_async())
            except (NotFoundError, FileNotFoundError):
                return None

    async def remove(self, record: Record) -> None:
        with storage_errors():
            for sample in range(len(record.reports)):
                try:
                    await obstore.delete_async(self._store, _path(record, sample))
                except (NotFoundError, FileNotFoundError):
                    continue

    async def sweep(self, lifetime_s: float) -> None:
        """Remove those whose time is over. A bucket's lifecycle rule does the same, and asks for no list."""
        oldest = datetime.now(UTC) - timedelta(seconds=lifetime_s)
        with storage_errors():
            async for objects in obstore.list(self._store):
                old = [found["path"] for found in objects if found["last_modified"] < oldest]
                if old:
                    await obstore.delete_async(self._store, old)


@contextmanager
def storage_errors() -> Iterator[None]:
    try:
        yield
    except (BaseError, OSError) as error:
        raise StorageUnavailable("the pictures cannot be reached; try again in a moment") from error


def _path(record: Record, sample: int) -> str:
    return f"{record.result_id}/{sample}.{record.output_format}"
