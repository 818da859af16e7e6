"""A catalog's folder on a disk that fails, hangs or is changed by hand: one file's fault stays its own."""

import errno
import fcntl
import os
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from catalog import Catalog, CatalogError, Fabric, store
from catalog import catalog as catalog_module
from tests.catalog.test_catalog import details, maps

ERRORS = [errno.ESTALE, errno.EIO, errno.EACCES]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "own"


@pytest.fixture
def catalog(folder: Path) -> Catalog:
    return Catalog(folder)


@pytest.fixture
def fail(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int | None], None]:
    """A function that makes opening files of a given name fail; None as the code ends that."""
    opened, failing = os.open, {}

    def open_or_fail(path: object, *arguments: object, **options: object) -> int:
        code = failing.get(Path(os.fsdecode(path)).name)
        if code:
            raise OSError(code, os.strerror(code))
        return opened(path, *arguments, **options)

    def fail_at(name: str, code: int | None) -> None:
        failing[name] = code

    monkeypatch.setattr(os, "open", open_or_fail)
    return fail_at


def refused(call: Callable[[], object], code: str) -> None:
    with pytest.raises(CatalogError) as caught:
        call()
    assert caught.value.code == code


@pytest.mark.parametrize("code", ERRORS, ids=errno.errorcode.get)
def test_a_file_that_cannot_be_read_hides_only_itself(
    catalog: Catalog, fail: Callable, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = catalog.add(details("Good"), maps(b"1")), catalog.add(details("Bad"), maps(b"2"))
    fail("bad.json", code)
    assert catalog.list(text="good") == [good]
    assert bad not in Catalog(catalog._own._folder).list()
    assert catalog.get("good") == good
    refused(lambda: catalog.get("bad"), "UNAVAILABLE")
    refused(lambda: catalog.replace("bad", details()), "UNAVAILABLE")
    assert catalog.add(details("Bad"), maps(b"3")).id == "bad-2"
    assert bad not in catalog.list()

    fail("bad.json", None)
    monkeypatch.setattr(catalog_module, "RETRY_S", 0.0)
    catalog._loaded = None
    assert bad in catalog.list()


def test_what_could_not_be_read_is_read_again_though_nothing_changed(
    catalog: Catalog, fail: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog_module, "RETRY_S", 0.0)
    fabric = catalog.add(details(), maps())
    fail(f"{fabric.id}.json", errno.EIO)
    assert fabric not in catalog.list()
    fail(f"{fabric.id}.json", None)
    assert fabric in catalog.list()


@pytest.mark.parametrize("code", ERRORS, ids=errno.errorcode.get)
def test_a_folder_that_cannot_be_read_is_said(
    catalog: Catalog, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    fabric = catalog.add(details(), maps())

    def fail(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "scandir", fail)
    monkeypatch.setattr(os, "listdir", fail)
    monkeypatch.setattr(Path, "is_file", lambda path: fail() if "own" in path.parts else False)
    refused(catalog.list, "UNAVAILABLE")
    refused(lambda: catalog.version, "UNAVAILABLE")
    refused(lambda: catalog.add(details(), maps(b"2")), "UNAVAILABLE")
    refused(lambda: catalog.texture(fabric.textures["diffuse"].filename), "UNAVAILABLE")


def by_hand(folder: Path, fabric: Fabric, kind: str) -> None:
    path = folder / "fabrics" / "odd.json"
    text = (folder / "fabrics" / f"{fabric.id}.json").read_text()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "loop":
        path.symlink_to(path)
    else:
        damaged = {
            "another's id": text,
            "too large": text.replace(f'"{fabric.id}"', '"odd"') + " " * 2**21,
            "without textures": text.replace(f'"{fabric.id}"', '"odd"').replace('"normal": {', '"ao": {'),
            "nested": "[" * 100_000,
            "no UTF-8": text + "\udcff",
        }
        path.write_bytes(damaged[kind].encode(errors="surrogateescape"))


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "kind",
    ["pipe", "folder", "loop", "another's id", "too large", "without textures", "nested", "no UTF-8"],
)
def test_whatever_lies_in_the_folder_hides_only_itself(catalog: Catalog, folder: Path, kind: str) -> None:
    """A pipe in a file's place would be waited for for ever."""
    fabric = catalog.add(details(), maps())
    by_hand(folder, fabric, kind)
    own = [it for it in catalog.list() if it.id not in catalog.built_in]
    assert own == [fabric]
    if kind == "loop":
        refused(lambda: catalog.get("odd"), "UNAVAILABLE")
    else:
        assert catalog.get("odd") is None
    catalog.delete(fabric.id)
    assert catalog.get(fabric.id) is None


@pytest.mark.parametrize("how", ["unreadable", "damaged"])
def test_textures_stay_while_a_fabric_is_missing_that_may_have_them(
    catalog: Catalog, folder: Path, fail: Callable, how: str
) -> None:
    """The textures of a fabric whose file could not be read were removed with another fabric's."""
    one, other = catalog.add(details("One"), maps()), catalog.add(details("Other"), maps())
    path = folder / "fabrics" / "one.json"
    content = path.read_text()
    if how == "damaged":
        path.write_text(content[:-3])
    else:
        fail("one.json", errno.EIO)
    catalog.delete(other.id)
    path.write_text(content) if how == "damaged" else fail("one.json", None)
    for texture in one.textures.values():
        assert catalog.texture(texture.filename).is_file()


def test_a_folder_that_vanishes_is_an_empty_one_and_comes_back(catalog: Catalog, folder: Path) -> None:
    fabric = catalog.add(details(), maps())
    shutil.rmtree(folder)
    assert catalog.list() == Catalog().list()
    assert catalog.get(fabric.id) is None
    refused(lambda: catalog.delete(fabric.id), "NOT_FOUND")
    refused(lambda: catalog.texture(fabric.textures["diffuse"].filename), "NOT_FOUND")
    assert catalog.add(details(), maps()) == fabric


def test_a_fabric_whose_textures_are_missing(catalog: Catalog, folder: Path) -> None:
    fabric = catalog.add(details(), maps())
    missing = fabric.textures["normal"].filename
    (folder / "textures" / missing).unlink()
    assert fabric in catalog.list()
    refused(lambda: catalog.texture(missing), "NOT_FOUND")
    again = catalog.add(details(), maps())  # the same content: it is written again
    assert catalog.texture(again.textures["normal"].filename).read_bytes() == b"normal"
    (folder / "textures" / missing).unlink()
    catalog.delete(fabric.id)


def test_a_lock_that_somebody_keeps_is_not_waited_for_without_end(
    catalog: Catalog, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fabric = catalog.add(details(), maps())
    monkeypatch.setattr(store, "LOCK_WAIT_S", 0.1)
    with open(folder / ".lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        refused(lambda: catalog.delete(fabric.id), "UNAVAILABLE")
        assert catalog.get(fabric.id) == fabric
    catalog.delete(fabric.id)


def test_saves_of_one_name_at_the_same_moment(folder: Path) -> None:
    together = threading.Barrier(8)

    def save(number: int) -> Fabric:
        together.wait(30)
        return Catalog(folder).add(details("Same name"), maps(str(number).encode()))

    with ThreadPoolExecutor(8) as threads:
        saved = list(threads.map(save, range(8)))
    assert {it.id for it in saved} == {"same-name", *(f"same-name-{number}" for number in range(2, 9))}
    for number, fabric in enumerate(saved):
        assert Catalog(folder).get(fabric.id) == fabric
        texture = Catalog(folder).texture(fabric.textures["diffuse"].filename)
        assert texture.read_bytes() == f"diffuse{number}".encode()


def test_a_long_id_is_not_repeated_in_the_error(catalog: Catalog) -> None:
    for call in (lambda: catalog.delete("x" * 50_000), lambda: catalog.texture("x" * 50_000)):
        with pytest.raises(CatalogError) as caught:
            call()
        assert len(caught.value.message) < 250
