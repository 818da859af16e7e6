"""Two catalogs on one S3 server, as two proxies have them."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import obstore
import pytest
from obstore.exceptions import GenericError, PreconditionError

from catalog import Catalog, CatalogError
from catalog import bucket as bucket_store
from tests.bucket import Bucket, running_bucket
from tests.catalog.test_catalog import details, maps


@pytest.fixture(scope="module")
def server() -> Iterator[Bucket]:
    with running_bucket() as bucket:
        yield bucket


@pytest.fixture
def catalogs(
    server: Bucket, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> list[Catalog]:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    url = f"{server.url}/{request.node.name}"
    return [Catalog(tmp_path / name, max_own=3, url=url) for name in ("one", "other")]


def test_a_saved_fabric_reaches_the_other_catalog(catalogs: list[Catalog]) -> None:
    one, other = catalogs
    other.refresh()
    before = other.version
    added = one.add(details(tags=("attic",)), maps())
    other.refresh()
    assert other.get(added.id) == one.get(added.id) == added
    assert [fabric.id for fabric in other.list(tag="attic")] == [added.id]
    assert other.version == one.version != before
    for texture in added.textures.values():
        assert other.texture(texture.filename).stat().st_size == texture.size_bytes
    assert {fabric.id for fabric in other.list()} == {added.id, *(it.id for it in Catalog().list())}


def test_an_id_is_given_once(catalogs: list[Catalog]) -> None:
    """Both look before either has written."""
    both, ids = threading.Barrier(2), []

    def add(catalog: Catalog) -> None:
        refresh, store = catalog._own.refresh, catalog._own

        def together() -> None:
            refresh()
            store.refresh = refresh
            both.wait(60)

        store.refresh = together
        ids.append(catalog.add(details("Attic wool"), maps()).id)

    threads = [threading.Thread(target=add, args=(catalog,)) for catalog in catalogs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(ids) == ["attic-wool", "attic-wool-2"]


def test_a_change_is_seen_and_none_undoes_a_deletion(
    catalogs: list[Catalog], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = catalogs
    fabric = one.add(details(), maps())
    assert other.replace(fabric.id, details("Renamed")).textures == fabric.textures
    one.refresh()
    assert one.get(fabric.id).name == "Renamed"

    get = obstore.get

    def get_and_then_it_is_deleted(store: object, path: str) -> object:
        found = get(store, path)
        monkeypatch.setattr(obstore, "get", get)
        one.delete(fabric.id)
        return found

    monkeypatch.setattr(obstore, "get", get_and_then_it_is_deleted)
    with pytest.raises(CatalogError) as caught:
        other.replace(fabric.id, details("Back from the dead"))
    assert caught.value.code == "NOT_FOUND"
    other.refresh()
    assert other.get(fabric.id) is None


def test_deleting_removes_the_textures_that_no_fabric_has(
    catalogs: list[Catalog], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = catalogs
    shared, alone = one.add(details("A"), maps(b"1")), one.add(details("B"), maps(b"2"))
    also = other.add(details("C"), maps(b"1"))

    def left() -> set[str]:
        return {
            it["path"].split("/")[1] for page in obstore.list(one._own._bucket, "textures") for it in page
        }

    def of(*fabrics: object) -> set[str]:
        return {texture.filename for fabric in fabrics for texture in fabric.textures.values()}

    one.delete(alone.id)
    assert left() == of(shared, alone), "young: somebody may be about to use them"
    monkeypatch.setattr(bucket_store, "ORPHAN_S", -5.0)
    one.delete(shared.id)
    assert left() == of(also)


def test_the_number_of_saved_fabrics_is_limited(catalogs: list[Catalog]) -> None:
    one, other = catalogs
    for number in range(3):
        one.add(details(), maps(str(number).encode()))
    with pytest.raises(CatalogError, match="3 fabrics are saved") as caught:
        other.add(details(), maps())
    assert caught.value.code == "STORAGE"


@pytest.mark.parametrize("fabric_id", ["nothing", "..", "a/b", "Ä"])
def test_an_unknown_id(catalogs: list[Catalog], fabric_id: str) -> None:
    one, _ = catalogs
    one.refresh()
    assert one.get(fabric_id) is None
    for change in (lambda: one.delete(fabric_id), lambda: one.replace(fabric_id, details())):
        with pytest.raises(CatalogError) as caught:
            change()
        assert caught.value.code == "NOT_FOUND"


def test_a_damaged_document_is_left_out(catalogs: list[Catalog]) -> None:
    one, _ = catalogs
    fabric = one.add(details(), maps())
    obstore.put(one._own._bucket, "fabrics/broken.json", b"{")
    one.refresh()
    assert one.get("broken") is None
    assert one.get(fabric.id) == fabric


def test_an_unreachable_bucket_is_reported_and_the_memory_stays(
    catalogs: list[Catalog], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = catalogs
    fabric = one.add(details(), maps())
    with pytest.raises(CatalogError) as caught:
        other.list()
    assert caught.value.code == "UNAVAILABLE", "not as if there were none"
    monkeypatch.setenv("AWS_ENDPOINT", "http://127.0.0.1:1")
    one._own._bucket = Catalog(Path("unused"), url="s3://lucy")._own._bucket
    for call in (one.refresh, lambda: one.delete(fabric.id), lambda: one.add(details(), maps())):
        with pytest.raises(CatalogError, match="try again") as caught:
            call()
        assert caught.value.code == "UNAVAILABLE"
    assert fabric in one.list()


@pytest.mark.nightly
def test_a_bucket_that_hangs_is_given_up(
    catalogs: list[Catalog], server: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = catalogs
    fabric = one.add(details(), maps())
    monkeypatch.setattr(bucket_store, "REQUEST_TIMEOUT_S", 0.5)
    one._own._bucket = bucket_store.BucketStore(f"{server.url}/hangs", Path("unused"))._bucket
    server.hang()
    try:
        began = time.monotonic()
        for call in (one.refresh, lambda: one.delete(fabric.id), lambda: one.add(details(), maps())):
            with pytest.raises(CatalogError, match="try again") as caught:
                call()
            assert caught.value.code == "UNAVAILABLE"
        assert time.monotonic() - began < 60
        assert fabric in one.list(), "what was read stays"
        monkeypatch.setattr(bucket_store, "LOCK_WAIT_S", 0.05)
        with one._own._refreshing, pytest.raises(CatalogError, match="try again"):
            one.refresh()
    finally:
        server.go_on()


def test_a_document_that_cannot_be_read_hides_only_itself(
    catalogs: list[Catalog], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = catalogs
    good, bad = one.add(details("Good"), maps(b"1")), one.add(details("Bad"), maps(b"2"))
    get = obstore.get

    def fails(store: object, path: str) -> object:
        if path.endswith("bad.json"):
            raise GenericError("it is broken")
        return get(store, path)

    monkeypatch.setattr(obstore, "get", fails)
    other.refresh()
    assert (other.get(good.id), other.get(bad.id)) == (good, None)
    monkeypatch.setattr(obstore, "get", get)
    other.refresh()
    assert other.get(bad.id) == bad, "it is read again though nothing has changed"


def test_textures_stay_while_a_damaged_document_may_name_them(
    catalogs: list[Catalog], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = catalogs
    kept, deleted = one.add(details("A"), maps(b"1")), one.add(details("B"), maps(b"2"))
    obstore.put(one._own._bucket, f"fabrics/{kept.id}.json", b"{")
    monkeypatch.setattr(bucket_store, "ORPHAN_S", -5.0)
    one.delete(deleted.id)
    left = {it["path"] for page in obstore.list(one._own._bucket, "textures") for it in page}
    assert left >= {f"textures/{texture.filename}" for texture in kept.textures.values()}


def test_a_change_that_was_made_is_not_reported_as_failed(
    catalogs: list[Catalog], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bucket goes away between the change and the reading after it."""
    one, _ = catalogs
    fabric = one.add(details(), maps())

    def fails(*_: object) -> None:
        raise GenericError("away")

    listing = obstore.list
    monkeypatch.setattr(obstore, "list", fails)
    one.delete(fabric.id)
    monkeypatch.setattr(obstore, "list", listing)
    one.refresh()
    assert one.get(fabric.id) is None


def test_a_write_that_others_always_overtake_ends(
    catalogs: list[Catalog], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = catalogs
    fabric = one.add(details(), maps())

    def overtaken(*_: object, **__: object) -> None:
        raise PreconditionError("changed")

    monkeypatch.setattr(obstore, "put", overtaken)
    with pytest.raises(CatalogError, match="at this moment") as caught:
        one.replace(fabric.id, details("New"))
    assert caught.value.code == "UNAVAILABLE"
