"""The folder of captures' results: each under an id that cannot be guessed, for a stated time.

    RESULTS_DIR/<id>/record.json    what became of the capture
                     0.png, …       its samples
                     lock           held by the process that makes it

Several proxies may share the folder. The kernel lets go of a lock when its process ends, however it ends:
a capture that is said to run and whose lock is free was interrupted.
"""

import contextlib
import fcntl
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Literal

from pydantic import AwareDatetime, BaseModel, ValidationError

from frontend_proxy.captures.quota import Quota
from frontend_proxy.errors import InsufficientStorage, Interrupted, ProxyError
from frontend_proxy.jobs import Job
from frontend_proxy.schemas import CaptureFailure, Report

_ID = re.compile(r"[A-Za-z0-9_-]{22}")
_ABANDONED_S = 60  # a folder without a record for so long was not going to get one


class Record(BaseModel):
    """What is kept of a capture beside its pictures. Times are UTC."""

    result_id: str
    request_id: str
    base_url: str  # of the URLs that its client gets
    output_format: Literal["png", "jpeg"]
    created_at: AwareDatetime
    expires_at: AwareDatetime
    finished_at: AwareDatetime | None = None
    state: Literal["running", "succeeded", "failed"] = "running"
    reports: list[Report] = []  # of each sample
    failure: CaptureFailure | None = None
    webhook_url: str | None = None
    webhook_pending: bool = False

    @classmethod
    def begin(cls, job: Job, base_url: str, webhook_url: str | None, lifetime_s: float) -> "Record":
        """Of a capture that is accepted now; `base_url` is of the URLs that its client gets."""
        now = datetime.now(UTC)
        return cls(
            result_id=new_result_id(),
            request_id=job.request_id,
            base_url=base_url,
            output_format=job.output_format,
            created_at=now,
            expires_at=now + timedelta(seconds=lifetime_s),
            webhook_url=webhook_url,
            webhook_pending=webhook_url is not None,
        )

    def succeed(self, reports: list[Report]) -> None:
        self.state, self.reports, self.finished_at = "succeeded", reports, datetime.now(UTC)

    def fail(self, error: ProxyError) -> None:
        self.state, self.finished_at = "failed", datetime.now(UTC)
        self.failure = CaptureFailure(
            success=False,
            error=str(error),
            detail=str(error),
            code=error.code,
            status=error.status,
            retry_after=error.retry_after,
            request_id=self.request_id,
        )


def _interrupted() -> Interrupted:
    return Interrupted("the server ended before this capture did; send it again")


class Ownership:
    """The lock of one capture; whoever holds it makes the capture, or delivers its webhook."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def release(self) -> None:
        self._file.close()


def new_result_id() -> str:
    """128 random bits."""
    return secrets.token_urlsafe(16)


class Results:
    """All methods block for as long as the disk takes: call them in a thread."""

    def __init__(self, directory: Path, quota: Quota | None = None) -> None:
        self.directory = directory
        self._quota = quota

    def create(self, record: Record) -> Ownership:
        """Begin to keep a capture. Raises InsufficientStorage."""
        with storage_errors():
            if self._quota:
                self._quota.check()
            folder = self._folder(record.result_id)
            folder.mkdir(mode=0o700, parents=True)
            with contextlib.ExitStack() as undo:
                undo.callback(self.remove, record.result_id)
                lock = undo.enter_context((folder / "lock").open("xb"))
                fcntl.flock(lock, fcntl.LOCK_EX)
                self.save(record)
                undo.pop_all()
        return Ownership(lock)

    def save(self, record: Record) -> None:
        """Raises InsufficientStorage, FileNotFoundError where the capture was removed."""
        self._write(self._folder(record.result_id) / "record.json", record.model_dump_json().encode())

    def save_images(self, record: Record, images: list[bytes]) -> None:
        """Raises as `save` does."""
        for sample, image in enumerate(images):
            self._write(self._folder(record.result_id) / f"{sample}.{record.output_format}", image)
            if self._quota:
                self._quota.add(len(image))

    def load(self, result_id: str) -> Record | None:
        """None where there is none, or its time is over."""
        record = self._read(result_id)
        if record is not None and record.state == "running" and (ownership := self.own(result_id)):
            try:
                record = self._read(result_id)  # it may have ended just before the lock was free
            finally:
                ownership.release()
            if record is not None and record.state == "running":
                record.fail(_interrupted())
        if record is None or record.expires_at <= datetime.now(UTC):
            return None
        return record

    def image(self, result_id: str, name: str) -> Path | None:
        """The file of a sample, like `0.png`; None where there is none, or its time is over."""
        path = self._folder(result_id) / name
        record = self.load(result_id)
        return path if record is not None and record.state == "succeeded" and path.is_file() else None

    def exists(self, result_id: str) -> bool:
        return self._folder(result_id).is_dir()

    def remove(self, result_id: str) -> None:
        shutil.rmtree(self._folder(result_id), ignore_errors=True)

    def own(self, result_id: str) -> Ownership | None:
        """None where another process, or another task of this one, owns it, or it is gone."""
        try:
            file = (self._folder(result_id) / "lock").open("rb")
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return None
        return Ownership(file)

    def sweep(self) -> list[tuple[Record, Ownership]]:
        """Remove what nobody owns and whose time is over.

        Returns the captures whose webhook is due and whose process has ended; they are the caller's now.
        """
        due = []
        for result_id in self._ids():
            ownership = self.own(result_id)
            if ownership is None:
                continue
            record = self._read(result_id)
            if record is not None and record.state == "running":
                record.fail(_interrupted())
            if record is None:
                if self._age(result_id) > _ABANDONED_S:
                    self.remove(result_id)
            elif record.expires_at <= datetime.now(UTC):
                self.remove(result_id)
            elif record.webhook_pending:
                due.append((record, ownership))
                continue
            ownership.release()
        return due

    def _age(self, result_id: str) -> float:
        return time.time() - self._folder(result_id).stat().st_mtime

    def _ids(self) -> list[str]:
        with contextlib.suppress(FileNotFoundError):
            return [path.name for path in self.directory.iterdir() if _ID.fullmatch(path.name)]
        return []

    def _folder(self, result_id: str) -> Path:
        return self.directory / (result_id if _ID.fullmatch(result_id) else "-")

    def _read(self, result_id: str) -> Record | None:
        try:
            return Record.model_validate_json((self._folder(result_id) / "record.json").read_bytes())
        except (OSError, ValidationError):  # gone, or half of it was written when the machine lost power
            return None

    def _write(self, path: Path, data: bytes) -> None:
        """Whole or not at all."""
        partial = path.with_name(path.name + ".part")
        with storage_errors():
            try:
                partial.write_bytes(data)
                os.replace(partial, path)
            except OSError:
                partial.unlink(missing_ok=True)
                raise


@contextmanager
def storage_errors() -> Iterator[None]:
    """What the disk refuses, as InsufficientStorage; a file that is gone stays FileNotFoundError."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise InsufficientStorage(f"the result cannot be kept: {error.strerror}; try again later") from error
