import fcntl
import multiprocessing
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from frontend_proxy.captures.results import Record, Results, new_result_id
from frontend_proxy.errors import InferenceFailed, InsufficientStorage
from frontend_proxy.schemas import Report


def record(seconds: float = 60, **fields: object) -> Record:
    now = datetime.now(UTC)
    return Record(
        result_id=new_result_id(),
        request_id="r",
        base_url="http://lucy.test",
        output_format="png",
        created_at=now,
        expires_at=now + timedelta(seconds=seconds),
        **fields,
    )


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results(tmp_path / "results")


def finish(results: Results, kept: Record) -> None:
    results.save_images(kept, [b"one", b"two"])
    kept.succeed([Report(mode="ai_enhanced", seed=1), Report(mode="ai_enhanced", seed=2)])
    results.save(kept)


def test_a_result_outlives_the_process_that_made_it(results: Results) -> None:
    kept = record()
    ownership = results.create(kept)
    assert results.load(kept.result_id) == kept
    assert results.image(kept.result_id, "0.png") is None  # not before it has succeeded
    finish(results, kept)
    ownership.release()
    again = Results(results.directory)
    assert again.load(kept.result_id) == kept
    assert again.image(kept.result_id, "1.png").read_bytes() == b"two"
    assert again.image(kept.result_id, "2.png") is None


def _make_and_die(results: Results, kept: Record) -> None:
    results.create(kept)
    os._exit(9)


def test_what_a_dead_process_left_unfinished_is_a_clear_error(results: Results) -> None:
    """By SIGKILL or a power cut: nobody had the time to write it down."""
    kept = record()
    process = multiprocessing.get_context("spawn").Process(target=_make_and_die, args=(results, kept))
    process.start()
    process.join(30)
    assert process.exitcode == 9
    found = results.load(kept.result_id)
    assert (found.state, found.failure.code, found.failure.status) == ("failed", "INTERRUPTED", 503)


def test_ids_cannot_be_guessed_and_lead_nowhere_else(results: Results, tmp_path: Path) -> None:
    assert len({new_result_id() for _ in range(100)}) == 100
    (tmp_path / "record.json").write_text(record().model_dump_json())
    for result_id in ("..", "../results", "", "keys", "x" * 22 + "/..", "é" * 22):
        assert results.load(result_id) is None
        assert not results.exists(result_id)
        results.remove(result_id)
    assert (tmp_path / "record.json").exists()


def test_others_on_the_machine_cannot_look_into_it(results: Results) -> None:
    kept = record()
    results.create(kept).release()
    assert (results.directory / kept.result_id).stat().st_mode & 0o077 == 0


def test_a_result_ends_with_its_time_and_not_while_it_is_made(results: Results) -> None:
    over, made, kept = record(-1), record(-1), record()
    results.create(over).release()
    ownership = results.create(made)
    results.create(kept).release()
    assert results.load(over.result_id) is None
    assert results.sweep() == []
    assert {path.name for path in results.directory.iterdir()} == {made.result_id, kept.result_id}
    ownership.release()
    results.sweep()
    assert {path.name for path in results.directory.iterdir()} == {kept.result_id}


def test_a_folder_that_is_just_being_made_is_not_swept(results: Results) -> None:
    folder = results.directory / new_result_id()
    folder.mkdir(parents=True)
    (folder / "lock").touch()
    results.sweep()
    assert folder.exists()
    os.utime(folder, (time.time() - 120,) * 2)
    results.sweep()
    assert not folder.exists()


def test_the_webhooks_of_dead_processes_are_handed_over_once(results: Results) -> None:
    orphan = record(webhook_url="https://shop.example/hook", webhook_pending=True)
    results.create(orphan).release()
    own = record(webhook_url="https://shop.example/hook", webhook_pending=True)
    ownership = results.create(own)
    ((found, theirs),) = results.sweep()
    assert (found.result_id, found.failure.code) == (orphan.result_id, "INTERRUPTED")
    assert results.sweep() == []  # it has an owner now
    theirs.release()
    ownership.release()


def test_a_full_disk_is_told_and_leaves_nothing_behind(
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


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InsufficientStorage):
        Results(tmp_path / "file" / "results").create(record())


def test_half_a_record_is_none(results: Results) -> None:
    kept = record()
    results.create(kept).release()
    path = results.directory / kept.result_id / "record.json"
    path.write_bytes(path.read_bytes()[:40])
    assert results.load(kept.result_id) is None


def test_a_failure_says_what_a_waiting_client_would_have_got() -> None:
    kept = record()
    kept.fail(InferenceFailed("no finite pixels"))
    assert kept.failure.model_dump() == {
        "success": False,
        "error": "no finite pixels",
        "detail": "no finite pixels",
        "code": "INFERENCE_FAILED",
        "status": 502,
        "retry_after": None,
        "request_id": "r",
    }


def test_a_record_that_ends_just_before_its_lock_is_free_is_not_taken_for_dead(
    results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = record()
    ownership = results.create(kept)
    locked = fcntl.flock

    def end_first(file: object, operation: int) -> None:
        monkeypatch.setattr(fcntl, "flock", locked)
        finish(results, kept)
        ownership.release()
        locked(file, operation)

    monkeypatch.setattr(fcntl, "flock", end_first)
    assert results.load(kept.result_id).state == "succeeded"
