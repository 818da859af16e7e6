"""A results folder with other files in it, on NFS, and on a disk that fails."""

import errno
import fcntl
import os
import time
from pathlib import Path
from typing import IO

import pytest

from frontend_proxy.captures.idempotency import IdempotencyKeys
from frontend_proxy.captures.record import new_result_id
from frontend_proxy.captures.results import Results
from frontend_proxy.errors import InsufficientStorage, StorageUnavailable
from tests.frontend_proxy.captures.test_results import record


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results(tmp_path / "results")


def test_other_files_in_the_folder_are_never_deleted(results: Results) -> None:
    """Data loss: a folder that holds other things, too."""
    over = record(-1)
    results.create(over).release()
    others = [
        results.directory / "denim-blue" / "diffuse.jpg",
        results.directory / "keys" / "server.pem",
        results.directory / "photograph-2024-01.jpg",
        results.directory / over.result_id / "notes.txt",
        results.directory / new_result_id() / "thesis.tex",
        results.directory / new_result_id() / "0.png",
    ]
    for path in others:
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(b"mine")
        for old in (path, path.parent):
            os.utime(old, (time.time() - 10**6,) * 2)
    results.sweep()
    IdempotencyKeys(results).sweep()
    results.remove(over.result_id)
    assert all(path.read_bytes() == b"mine" for path in others)
    assert results.load(over.result_id) is None


def test_a_lock_is_taken_on_a_file_that_is_open_for_writing(
    results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NFS refuses an exclusive lock on a file that is open for reading only (EBADF)."""
    locked = fcntl.flock

    def as_nfs(file: IO[bytes], operation: int) -> None:
        if operation & fcntl.LOCK_EX and not file.writable():
            raise OSError(errno.EBADF, "Bad file descriptor")
        locked(file, operation)

    monkeypatch.setattr(fcntl, "flock", as_nfs)
    over = record(-1)
    results.create(over).release()
    results.sweep()
    assert not results.exists(over.result_id)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EBADF, errno.EIO, errno.ESTALE, errno.EINTR])
def test_a_lock_that_fails_does_not_stop_the_sweep(
    results: Results, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    captures = [record(-1) for _ in range(3)]
    for capture in captures:
        results.create(capture).release()
    locked, calls = fcntl.flock, 0

    def fail_first(file: object, operation: int) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise OSError(number, os.strerror(number))
        locked(file, operation)

    monkeypatch.setattr(fcntl, "flock", fail_first)
    results.sweep()
    assert len(os.listdir(results.directory)) == 1
    results.sweep()
    assert not os.listdir(results.directory)


def test_a_capture_whose_lock_cannot_be_asked_for_is_still_running(
    results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = record()
    lock = results.create(kept)

    def fail(file: object, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", fail)
    assert results.load(kept.result_id).state == "running"
    lock.release()


def test_a_disk_that_fails_for_a_moment_deletes_nothing(
    results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = record()
    results.create(kept).release()
    os.utime(results.directory / kept.result_id, (time.time() - 10**6,) * 2)

    def fail(path: Path) -> bytes:
        raise OSError(errno.ESTALE, "Stale file handle")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", fail)
        results.sweep()
        with pytest.raises(StorageUnavailable, match="Stale"):
            results.load(kept.result_id)
    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", fail)
        assert results.exists(kept.result_id), "a capture that runs goes on"
    assert results.load(kept.result_id) is not None


def test_a_record_of_a_newer_version_is_not_swept_soon(results: Results) -> None:
    """Proxies of two versions may share the folder during an upgrade."""
    kept = record()
    results.create(kept).release()
    folder = results.directory / kept.result_id
    (folder / "record.json").write_text('{"state": "new state"}')
    os.utime(folder, (time.time() - 3600,) * 2)
    results.sweep()
    assert (folder / "record.json").exists()
    os.utime(folder, (time.time() - 2 * 86400,) * 2)
    results.sweep()
    assert not folder.exists()


def test_a_removed_capture_is_not_stored_again(results: Results) -> None:
    """NFS keeps a removed file that is open, and with it the folder."""
    kept = record()
    lock = results.create(kept)
    (results.directory / kept.result_id / ".nfs0001").touch()
    results.remove(kept.result_id)
    assert not results.exists(kept.result_id)
    for store in (lambda: results.save(kept), lambda: results.save_images(kept, [b"image"])):
        with pytest.raises(FileNotFoundError):
            store()
    lock.release()
    (results.directory / kept.result_id / ".nfs0001").unlink()
    os.utime(results.directory / kept.result_id, (time.time() - 120,) * 2)
    results.sweep()
    assert not os.listdir(results.directory)


def test_a_full_disk_is_an_error_and_leaves_no_files(
    results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*paths: object) -> None:
        raise OSError(28, "No space left on device")

    before, kept = record(), record()
    results.create(before).release()
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(InsufficientStorage, match="No space left on device"):
            results.create(kept)
        with pytest.raises(InsufficientStorage):
            results.save_images(before, [b"image"])
    assert not results.exists(kept.result_id)
    assert sorted(path.name for path in (results.directory / before.result_id).iterdir()) == [
        "lock",
        "record.json",
    ]


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InsufficientStorage):
        Results(tmp_path / "file" / "results").create(record())
