"""The folder of captures' results, each under an id that cannot be guessed, until it expires.

    RESULTS_DIR/<id>/record.json    the capture's `Record`
                     0.png, …       its samples
                     lock           locked by the process that makes the capture or delivers its webhook

Several proxies may share the folder. The kernel releases a lock when its process ends, however it ends:
a capture that is recorded as running and whose lock is free was interrupted.

Only files with these names are ever deleted, so other files in the folder are safe.
"""

import contextlib
import fcntl
import logging
import os
import re
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import IO

from pydantic import ValidationError

from frontend_proxy.captures.quota import Quota
from frontend_proxy.captures.record import IMAGE_NAME, Record, interrupted, is_result_id
from frontend_proxy.captures.storage_errors import storage_errors
from frontend_proxy.errors import StorageUnavailable

logger = logging.getLogger(__name__)

INCOMPLETE_S = 60  # a folder that has had no record for so long will not get one
UNREADABLE_S = 86400  # a record that cannot be parsed may be a newer proxy's, so it stays for long
WEBHOOK_GRACE_S = 1800  # a pending webhook keeps an expired record for so long; its images are deleted

_IMAGE = re.compile(rf"{IMAGE_NAME}(?:\.part)?")
_RECORD = re.compile(r"record\.json(?:\.part)?|cancel")
_LOCK = re.compile(r"lock")


class CaptureLock:
    """The exclusive lock of one capture, held until `release` or the end of the process."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def release(self) -> None:
        self._file.close()

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


class Results:
    """All methods block for as long as the disk takes: call them in a thread."""

    def __init__(self, directory: Path, quota: Quota | None = None, kind: type[Record] = Record) -> None:
        """kind: of the records."""
        self.directory = directory
        self._quota = quota
        self._kind = kind

    def create(self, record: Record) -> CaptureLock:
        """Store a new capture. Raises InsufficientStorage."""
        with storage_errors():
            if self._quota:
                self._quota.check()
            folder = self._folder(record.result_id)
            folder.mkdir(mode=0o700, parents=True)
            with contextlib.ExitStack() as undo:
                undo.callback(self.remove, record.result_id)
                lock = undo.enter_context((folder / "lock").open("xb"))
                fcntl.flock(lock, fcntl.LOCK_EX)
                self._write_record(record)
                undo.pop_all()
        return CaptureLock(lock)

    def save(self, record: Record) -> None:
        """Raises InsufficientStorage, FileNotFoundError if the capture was removed."""
        self._check_exists(record.result_id)
        self._write_record(record)

    def save_images(self, record: Record, images: list[bytes]) -> None:
        """Raises InsufficientStorage, FileNotFoundError if the capture was removed."""
        for sample, image in enumerate(images):
            self.save_file(record, f"{sample}.{record.output_format}", image)

    def save_file(self, record: Record, name: str, data: bytes) -> None:
        """Raises InsufficientStorage, FileNotFoundError if the capture was removed."""
        self._check_exists(record.result_id)
        _write(self._folder(record.result_id) / name, data)
        if self._quota:
            self._quota.add(len(data))

    def move_in(self, record: Record, path: Path, name: str) -> None:
        """Take a finished file, which may lie on another disk.

        Raises InsufficientStorage, FileNotFoundError if the capture was removed.
        """
        self._check_exists(record.result_id)
        place = self._folder(record.result_id) / name
        _write_whole(place, lambda partial: shutil.copyfile(path, partial))
        if self._quota:
            self._quota.add(place.stat().st_size)

    def load(self, result_id: str) -> Record | None:
        """The record; None if there is none or it has expired. Raises StorageUnavailable."""
        try:
            record = self._read(result_id)
            if record is not None and record.state == "running":
                record = self._reload_if_ended(record)
        except OSError as error:
            raise StorageUnavailable(
                f"the result cannot be read: {error.strerror}; try again in a moment"
            ) from error
        return None if record is None or record.expired else record

    def image(self, result_id: str, name: str) -> Path | None:
        """The file of a sample, like `0.png`; None if there is none or it has expired."""
        path = self._folder(result_id) / name
        record = self.load(result_id)
        return path if record is not None and record.state == "succeeded" and path.is_file() else None

    def exists(self, result_id: str) -> bool:
        """False only if the capture was removed: a disk that fails for a moment cancels no capture."""
        try:
            os.stat(self._folder(result_id) / "record.json")
        except (FileNotFoundError, NotADirectoryError):
            return False
        except (OSError, ValueError):
            return True
        return True

    def remove(self, result_id: str) -> None:
        """Delete a capture's files; the lock goes last, so an incomplete removal is repeated by a sweep."""
        for pattern in (_IMAGE, _RECORD, _LOCK):
            self._delete_files(result_id, pattern)
        self._remove_empty_folder(result_id)

    def lock(self, result_id: str) -> CaptureLock | None:
        """The lock; None if another process or task holds it, or the capture is gone.

        Raises OSError if the file system refuses to lock. NFS grants an exclusive lock only on a file that is
        open for writing.
        """
        try:
            file = (self._folder(result_id) / "lock").open("r+b")
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return None
        except BaseException:
            file.close()
            raise
        return CaptureLock(file)

    def lock_ended(self, result_id: str) -> tuple[Record, CaptureLock] | None:
        """The lock and the record of a capture that has ended; None where `lock` or the record is None.

        A capture whose process died is recorded as failed. Raises OSError, InsufficientStorage.
        """
        lock = self.lock(result_id)
        if lock is None:
            return None
        try:
            record = self._read(result_id)
            if record is not None and record.state == "running":
                record.fail(interrupted())
                if record.webhook_pending:
                    self.save(record)
        except BaseException:
            lock.release()
            raise
        if record is None:
            lock.release()
            return None
        return record, lock

    def sweep(self) -> list[Record]:
        """Delete expired captures that nobody holds the lock of.

        Returns the ended captures whose webhook is pending. One that fails does not stop the sweep.
        """
        pending = []
        for result_id in self._ids():
            try:
                record = self._sweep_one(result_id)
            except FileNotFoundError:  # removed meanwhile
                continue
            except Exception as error:
                logger.warning("the result %s is not swept: %r", result_id, error)
                continue
            if record is not None:
                pending.append(record)
        return pending

    def _sweep_one(self, result_id: str) -> Record | None:
        found = self.lock_ended(result_id)
        if found is None:
            self._remove_incomplete(result_id)
            return None
        record, lock = found
        with lock:
            grace = timedelta(seconds=WEBHOOK_GRACE_S if record.webhook_pending else 0)
            if record.expires_at + grace <= datetime.now(UTC):
                self.remove(result_id)
            elif record.webhook_pending:
                if record.expired:
                    self._delete_files(result_id, _IMAGE)
                return record
        return None

    def _remove_incomplete(self, result_id: str) -> None:
        """Remove a folder whose process died before it wrote a record, or while it removed one."""
        age = time.time() - self._folder(result_id).stat().st_mtime
        if age <= INCOMPLETE_S:
            return
        lock = self.lock(result_id)
        if lock is None:
            self._remove_empty_folder(result_id)
            return
        with lock:
            if age > UNREADABLE_S or not self.exists(result_id):
                self.remove(result_id)

    def _reload_if_ended(self, record: Record) -> Record | None:
        """The record of a capture that is recorded as running, as it really is."""
        try:
            lock = self.lock(record.result_id)
        except OSError:  # it is unknown whether somebody holds the lock
            return record
        if lock is None:
            return record
        with lock:  # it may have ended just before the lock was free
            latest = self._read(record.result_id)
        if latest is not None and latest.state == "running":
            latest.fail(interrupted())
        return latest

    def _ids(self) -> list[str]:
        with contextlib.suppress(FileNotFoundError):
            return [path.name for path in self.directory.iterdir() if is_result_id(path.name)]
        return []

    def _folder(self, result_id: str) -> Path:
        return self.directory / (result_id if is_result_id(result_id) else "-")

    def _delete_files(self, result_id: str, pattern: re.Pattern[str]) -> None:
        with contextlib.suppress(OSError):
            for path in self._folder(result_id).iterdir():
                if pattern.fullmatch(path.name):
                    with contextlib.suppress(OSError):
                        path.unlink(missing_ok=True)

    def _remove_empty_folder(self, result_id: str) -> None:
        with contextlib.suppress(OSError):
            self._folder(result_id).rmdir()

    def _check_exists(self, result_id: str) -> None:
        if not self.exists(result_id):
            raise FileNotFoundError(result_id)

    def _read(self, result_id: str) -> Record | None:
        """None if there is no record, or only half of one since the machine lost power. Raises OSError."""
        try:
            return self._kind.model_validate_json((self._folder(result_id) / "record.json").read_bytes())
        except (FileNotFoundError, NotADirectoryError, ValidationError):
            return None

    def _write_record(self, record: Record) -> None:
        _write(self._folder(record.result_id) / "record.json", record.model_dump_json().encode())


def _write(path: Path, data: bytes) -> None:
    _write_whole(path, lambda partial: partial.write_bytes(data))


def _write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """All of the file or nothing. write: writes it to the path that it is given."""
    partial = path.with_name(path.name + ".part")
    with storage_errors():
        try:
            write(partial)
            os.replace(partial, path)
        except OSError:
            partial.unlink(missing_ok=True)
            raise
