"""Captures' images where every proxy finds them: in a bucket, or in a folder that the proxies share.

    <url>/<result id>/0.png, …
                      jobs.msgpack   see `payloads`

Other objects may lie there too: only objects with such names are ever deleted.
"""

import logging
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import LocalStore, ObjectStore, from_url

from frontend_proxy.captures.record import IMAGE_NAME, RESULT_ID, Record
from frontend_proxy.errors import StorageUnavailable

logger = logging.getLogger(__name__)

JOBS = "jobs.msgpack"
_GONE = (NotFoundError, FileNotFoundError)
# The last three are what a proxy without Redis left in a folder.
_OURS = re.compile(rf"{RESULT_ID}/(?:{IMAGE_NAME}|{JOBS}|{IMAGE_NAME}\.part|record\.json|lock)")


class ImageStore:
    """
    url: as obstore takes it (`s3://bucket/prefix`; endpoint and keys are in the environment's AWS_*); None
        for `folder`.

    Requests are retried for a few seconds; then the methods raise StorageUnavailable.
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
            await self.write(record.result_id, _name(record, sample), image)

    async def write(self, result_id: str, name: str, data: bytes) -> None:
        with _access_errors():
            await obstore.put_async(self._store, f"{result_id}/{name}", data)

    async def read(self, result_id: str, name: str) -> bytes | None:
        """The image; None if there is none."""
        with _access_errors():
            try:
                found = await obstore.get_async(self._store, f"{result_id}/{name}")
                return bytes(await found.bytes_async())
            except _GONE:
                return None

    async def remove(self, record: Record) -> None:
        for sample in range(len(record.reports)):
            await self.delete(record.result_id, _name(record, sample))

    async def delete(self, result_id: str, name: str) -> None:
        """Has no effect if it is not there."""
        with _access_errors(), suppress(*_GONE):
            await obstore.delete_async(self._store, f"{result_id}/{name}")

    async def sweep(self, lifetime_s: float, kept: Callable[[Sequence[str]], Awaitable[set[str]]]) -> None:
        """Delete images that are older than `lifetime_s`.

        kept: those of these result ids whose images stay all the same.
        A bucket's lifecycle rule does the same without listing it.
        """
        oldest = datetime.now(UTC) - timedelta(seconds=lifetime_s)
        with _access_errors():
            async for objects in obstore.list(self._store):
                expired = [
                    found["path"]
                    for found in objects
                    if found["last_modified"] < oldest and _OURS.fullmatch(found["path"])
                ]
                if expired:
                    alive = await kept(sorted({path.partition("/")[0] for path in expired}))
                    await self._delete([path for path in expired if path.partition("/")[0] not in alive])

    async def _delete(self, paths: list[str]) -> None:
        """Delete what is there; one object that cannot be deleted does not keep the others."""
        try:
            await obstore.delete_async(self._store, paths)
        except (BaseError, OSError):  # another proxy sweeps, too, or one of them is not ours to delete
            for path in paths:
                try:
                    await obstore.delete_async(self._store, path)
                except _GONE:
                    continue
                except (BaseError, OSError) as error:
                    logger.warning("the image %s is not deleted: %s", path, error)


@contextmanager
def _access_errors() -> Iterator[None]:
    """Raises StorageUnavailable for what the bucket or the folder raises."""
    try:
        yield
    except (BaseError, OSError) as error:
        raise StorageUnavailable("the image storage is not available; try again in a moment") from error


def _name(record: Record, sample: int) -> str:
    return f"{sample}.{record.output_format}"
