import threading
from pathlib import Path

import pytest

from frontend_proxy.captures.idempotency import IdempotencyKey, IdempotencyKeys
from frontend_proxy.captures.record import Record
from frontend_proxy.captures.results import CaptureLock, Results
from frontend_proxy.errors import InferenceFailed, InsufficientStorage, InvalidInput, KeyReused
from tests.frontend_proxy.captures.test_results import record


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results(tmp_path / "results")


@pytest.fixture
def keys(results: Results) -> IdempotencyKeys:
    return IdempotencyKeys(results)


def key(fingerprint: str = "body", name: str = "k-1", client: str = "") -> IdempotencyKey:
    return IdempotencyKey.of(name, client, fingerprint)


def claim(
    keys: IdempotencyKeys, results: Results, wanted: IdempotencyKey, new: Record
) -> Record | CaptureLock:
    return keys.claim(wanted, new.result_id, lambda: results.create(new))


def test_a_key_belongs_to_its_capture(keys: IdempotencyKeys, results: Results) -> None:
    first = record()
    assert keys.find(key()) is None
    lock = claim(keys, results, key(), first)
    assert keys.find(key()) is not None
    repeated = claim(IdempotencyKeys(results), results, key(), record())
    assert repeated.result_id == first.result_id
    lock.release()


def test_a_key_with_another_body_is_refused(keys: IdempotencyKeys, results: Results) -> None:
    lock = claim(keys, results, key("body"), record())
    with pytest.raises(KeyReused):
        keys.find(key("another body"))
    with pytest.raises(KeyReused):
        claim(keys, results, key("another body"), record())
    lock.release()


def test_clients_do_not_share_keys(keys: IdempotencyKeys, results: Results) -> None:
    lock = claim(keys, results, key(client="key:a"), record())
    assert keys.find(key("another body", client="key:b")) is None
    lock.release()


def test_a_capture_that_failed_or_was_removed_frees_its_key(keys: IdempotencyKeys, results: Results) -> None:
    """The key exists for retries, which must not get the old error for an hour."""
    failed, removed, third = record(), record(), record()
    claim(keys, results, key(), failed).release()
    failed.fail(InferenceFailed("no"))
    results.save(failed)
    claim(keys, results, key(), removed).release()
    results.remove(removed.result_id)
    claim(keys, results, key("another body"), third).release()
    assert results.exists(third.result_id)


def test_concurrent_claims_of_a_key_create_one_capture(keys: IdempotencyKeys, results: Results) -> None:
    """As from several proxies that share the folder."""
    found = []
    barrier = threading.Barrier(8)

    def take() -> None:
        barrier.wait()
        found.append(claim(IdempotencyKeys(results), results, key(), record()))

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    (lock,) = [one for one in found if isinstance(one, CaptureLock)]
    lock.release()


def test_keys_are_deleted_with_their_captures(keys: IdempotencyKeys, results: Results) -> None:
    over, kept = record(-1), record()
    claim(keys, results, key(name="over"), over).release()
    lock = claim(keys, results, key(name="kept"), kept)
    results.sweep()
    keys.sweep()
    names = {path.name for path in (results.directory / "keys").iterdir()}
    assert names == {".lock", key(name="kept").name}
    lock.release()


@pytest.mark.parametrize("text", ["", "x" * 256, "a\nb", "clé"])
def test_invalid_keys(text: str) -> None:
    with pytest.raises(InvalidInput, match="Idempotency-Key"):
        key(name=text)


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    results = Results(tmp_path / "file")
    with pytest.raises(InsufficientStorage):
        claim(IdempotencyKeys(results), results, key(), record())
