import fcntl
import multiprocessing
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from frontend_proxy.answer_schemas import Report
from frontend_proxy.captures.record import Record, new_result_id
from frontend_proxy.captures.results import Results
from frontend_proxy.errors import InferenceFailed


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


def test_a_result_survives_its_process(results: Results) -> None:
    kept = record()
    lock = results.create(kept)
    assert results.load(kept.result_id) == kept
    assert results.image(kept.result_id, "0.png") is None  # not before it has succeeded
    finish(results, kept)
    lock.release()
    again = Results(results.directory)
    assert again.load(kept.result_id) == kept
    assert again.image(kept.result_id, "1.png").read_bytes() == b"two"
    assert again.image(kept.result_id, "2.png") is None


def _make_and_die(results: Results, kept: Record) -> None:
    results.create(kept)
    os._exit(9)


def test_a_capture_of_a_dead_process_is_interrupted(results: Results) -> None:
    """After SIGKILL or a power cut, when nothing more could be written."""
    kept = record()
    process = multiprocessing.get_context("spawn").Process(target=_make_and_die, args=(results, kept))
    process.start()
    process.join(30)
    assert process.exitcode == 9
    found = results.load(kept.result_id)
    assert (found.state, found.failure.code, found.failure.status) == ("failed", "INTERRUPTED", 503)


def test_ids_are_random_and_stay_in_the_folder(results: Results, tmp_path: Path) -> None:
    assert len({new_result_id() for _ in range(100)}) == 100
    (tmp_path / "record.json").write_text(record().model_dump_json())
    for result_id in ("..", "../results", "", "keys", "x" * 22 + "/..", "é" * 22):
        assert results.load(result_id) is None
        assert not results.exists(result_id)
        results.remove(result_id)
    assert (tmp_path / "record.json").exists()


def test_other_users_cannot_read_the_folder(results: Results) -> None:
    kept = record()
    results.create(kept).release()
    assert (results.directory / kept.result_id).stat().st_mode & 0o077 == 0


def test_expired_results_are_swept_unless_locked(results: Results) -> None:
    over, made, kept = record(-1), record(-1), record()
    results.create(over).release()
    lock = results.create(made)
    results.create(kept).release()
    assert results.load(over.result_id) is None
    assert results.sweep() == []
    assert {path.name for path in results.directory.iterdir()} == {made.result_id, kept.result_id}
    lock.release()
    results.sweep()
    assert {path.name for path in results.directory.iterdir()} == {kept.result_id}


def test_a_folder_without_a_record_is_swept_after_a_minute(results: Results) -> None:
    folder = results.directory / new_result_id()
    folder.mkdir(parents=True)
    (folder / "lock").touch()
    results.sweep()
    assert folder.exists()
    os.utime(folder, (time.time() - 120,) * 2)
    results.sweep()
    assert not folder.exists()


def test_the_webhooks_of_dead_processes_are_pending(results: Results) -> None:
    orphan = record(webhook_url="https://shop.example/hook", webhook_pending=True)
    results.create(orphan).release()
    own = record(webhook_url="https://shop.example/hook", webhook_pending=True)
    lock = results.create(own)
    (found,) = results.sweep()
    assert (found.result_id, found.failure.code) == (orphan.result_id, "INTERRUPTED")
    (again,) = results.sweep()
    assert again == found, "the failure is stored, and no lock is kept"
    lock.release()


def test_an_expired_capture_whose_webhook_is_pending_loses_its_images_only(
    results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = record(-1, webhook_url="https://shop.example/hook", webhook_pending=True)
    lock = results.create(over)
    finish(results, over)
    lock.release()
    assert [found.result_id for found in results.sweep()] == [over.result_id]
    assert sorted(os.listdir(results.directory / over.result_id)) == ["lock", "record.json"]
    monkeypatch.setattr("frontend_proxy.captures.results.WEBHOOK_GRACE_S", 0)
    assert results.sweep() == []
    assert not (results.directory / over.result_id).exists()


def test_a_truncated_record_is_none(results: Results) -> None:
    kept = record()
    results.create(kept).release()
    path = results.directory / kept.result_id / "record.json"
    path.write_bytes(path.read_bytes()[:40])
    assert results.load(kept.result_id) is None


def test_a_stored_failure_equals_the_error_body() -> None:
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


def test_a_capture_that_ends_while_it_is_read_is_not_interrupted(
    results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = record()
    lock = results.create(kept)
    locked = fcntl.flock

    def end_first(file: object, operation: int) -> None:
        monkeypatch.setattr(fcntl, "flock", locked)
        finish(results, kept)
        lock.release()
        locked(file, operation)

    monkeypatch.setattr(fcntl, "flock", end_first)
    assert results.load(kept.result_id).state == "succeeded"
