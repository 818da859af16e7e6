"""The catalog: what clients read, and what owners write."""

import errno
import hashlib
import json
import multiprocessing
import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from catalog import Catalog, CatalogError, FabricDetails
from catalog.catalog import BUILT_IN_TEXTURES

NAMED = (
    *("denim-blue", "leather-black", "cotton-grey", "wool-navy"),
    *("silk-champagne", "polyester-red", "suede-tan", "nylon-olive"),
)


def maps(mark: bytes = b"") -> dict[str, tuple[bytes, str]]:
    return {
        role: (role.encode() + mark, "image/jpeg")
        for role in ("diffuse", "normal", "roughness_map", "thumbnail")
    }


def details(name: str = "My cloth", **fields: object) -> FabricDetails:
    return FabricDetails(name=name, roughness=0.8, **fields)


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(tmp_path / "own")


def test_the_named_fabrics_are_built_in_with_whole_textures() -> None:
    catalog = Catalog()
    assert {fabric.id for fabric in catalog.list()} >= set(NAMED)
    for fabric in catalog.list():
        for texture in fabric.textures.values():
            assert catalog.texture(texture.filename).stat().st_size == texture.size_bytes


def test_a_fabric_has_the_contract_s_fields_and_no_colour() -> None:
    """A `color`, also within `material`, makes the client ignore the textures."""
    for fabric in Catalog().list():
        body = fabric.model_dump(exclude_none=True)
        assert {"id", "name", "roughness", "metalness"} <= body.keys()
        assert "color" not in body
        assert "color" not in body["material"]
        for field in ("diffuseUrl", "normalUrl", "roughnessUrl", "thumbnail"):
            assert body[field].startswith("/textures/")


def test_built_in_textures_are_named_after_their_content() -> None:
    for path in list(BUILT_IN_TEXTURES.iterdir())[::7]:
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.stem


def test_an_added_fabric_survives_a_restart(catalog: Catalog, tmp_path: Path) -> None:
    added = catalog.add(details(tags=(" Red ",)), maps())
    again = Catalog(tmp_path / "own")
    assert again.get(added.id) == added
    assert again.texture(added.textures["diffuse"].filename).read_bytes() == b"diffuse"


def test_the_same_name_gets_another_id(catalog: Catalog) -> None:
    ids = [
        catalog.add(details(name), maps()).id for name in ("Blue Denim!", "blue denim", "Denim Blue", "布")
    ]
    assert ids == ["blue-denim", "blue-denim-2", "denim-blue-2", "fabric"]


@pytest.mark.parametrize("name", ["Catalog", "scan"])
def test_no_fabric_has_the_id_of_a_path(catalog: Catalog, name: str) -> None:
    """`GET /api/fabric/catalog` is the list: a fabric of this id could be neither read nor deleted."""
    assert catalog.add(details(name), maps()).id == f"{name.lower()}-2"


def test_the_number_of_saved_fabrics_is_limited(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path, max_own=2)
    first = catalog.add(details(), maps(b"1"))
    catalog.add(details(), maps(b"2"))
    with pytest.raises(CatalogError, match="2 fabrics are saved") as caught:
        catalog.add(details(), maps(b"3"))
    assert caught.value.code == "STORAGE"
    catalog.replace(first.id, details("Renamed"))
    catalog.delete(first.id)
    catalog.add(details(), maps(b"3"))


def test_a_full_disk_is_reported_and_leaves_no_files(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = catalog.add(details(), maps())
    before = sorted(path for path in tmp_path.rglob("*"))
    sync, calls = os.fsync, []

    def fsync(handle: int) -> None:
        calls.append(handle)
        if len(calls) == 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    for change in (
        lambda: catalog.add(details("New"), maps(b"new")),
        lambda: catalog.replace(kept.id, details("New"), maps(b"new")),
    ):
        calls.clear()
        with pytest.raises(CatalogError, match="No space left") as caught:
            change()
        assert caught.value.code == "STORAGE"
        assert sorted(path for path in tmp_path.rglob("*")) == before
    assert catalog.get(kept.id) == kept


def test_a_folder_that_cannot_be_created_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CatalogError, match="Not a directory") as caught:
        Catalog(tmp_path / "file" / "own").add(details(), maps())
    assert caught.value.code == "STORAGE"
    assert Catalog(tmp_path / "file" / "own").list() == Catalog().list()


def test_the_list_filters_by_tag_and_by_every_word(catalog: Catalog) -> None:
    added = catalog.add(details("Sea silk", tags=("Shiny",), description="Byssus of a mussel"), maps())
    assert [f.id for f in catalog.list(text="MUSSEL sea")] == [added.id]
    assert added in catalog.list(tag="shiny")
    assert catalog.list(tag="shin") == []
    assert catalog.list(text="mussel wool") == []


def test_an_unknown_id_is_none_but_cannot_be_changed(catalog: Catalog) -> None:
    """Clients send ids that only they know, such as custom-1707735000000."""
    assert catalog.get("custom-1707735000000") is None
    for change in (lambda: catalog.delete("nothing"), lambda: catalog.replace("nothing", details())):
        with pytest.raises(CatalogError) as caught:
            change()
        assert caught.value.code == "NOT_FOUND"


def test_one_fabric_is_found_without_a_look_at_the_others(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a thousand saved fabrics that look took 5 ms, for each keyframe."""
    fabric = catalog.add(details(), maps())
    monkeypatch.setattr(os, "scandir", lambda path: pytest.fail("the folder is listed"))
    monkeypatch.setattr(Path, "glob", lambda path, pattern: pytest.fail("the folder is listed"))
    assert catalog.get(fabric.id) == fabric
    assert catalog.get("custom-1707735000000") is None


@pytest.mark.parametrize("fabric_id", ["../secret", "a/../../secret", "", "A", "a\n", "a" * 5000, "\0"])
def test_an_id_is_no_path(catalog: Catalog, tmp_path: Path, fabric_id: str) -> None:
    fabric = catalog.add(details(), maps())
    (tmp_path / "own" / "secret.json").write_text(fabric.model_dump_json(exclude_computed_fields=True))
    assert catalog.get(fabric_id) is None


def test_built_in_fabrics_stay_as_they_are(catalog: Catalog) -> None:
    for change in (lambda: catalog.delete("denim-blue"), lambda: catalog.replace("denim-blue", details())):
        with pytest.raises(CatalogError) as caught:
            change()
        assert caught.value.code == "READ_ONLY"
    with pytest.raises(CatalogError, match="CATALOG_DIR"):
        Catalog().add(details(), maps())


def test_replacing_details_keeps_the_textures(catalog: Catalog) -> None:
    old = catalog.add(details(), maps())
    new = catalog.replace(old.id, details("Renamed"))
    assert (new.id, new.name, new.textures) == (old.id, "Renamed", old.textures)
    newer = catalog.replace(old.id, details(), maps(b"2"))
    assert catalog.texture(newer.textures["normal"].filename).read_bytes() == b"normal2"
    with pytest.raises(CatalogError):
        catalog.texture(old.textures["normal"].filename)


def test_deleting_leaves_the_textures_that_another_fabric_has(catalog: Catalog) -> None:
    one, other = catalog.add(details(), maps()), catalog.add(details(), maps())
    catalog.delete(one.id)
    assert catalog.texture(other.textures["diffuse"].filename).is_file()
    catalog.delete(other.id)
    with pytest.raises(CatalogError):
        catalog.texture(other.textures["diffuse"].filename)


def test_the_version_follows_the_content(catalog: Catalog, tmp_path: Path) -> None:
    empty = catalog.version
    fabric = catalog.add(details(), maps())
    full = catalog.version
    assert full != empty
    assert Catalog(tmp_path / "own").version == full
    catalog.replace(fabric.id, details("Other"))
    assert catalog.version not in (empty, full)
    catalog.delete(fabric.id)
    assert catalog.version == empty


@pytest.mark.parametrize(
    "filename",
    [
        "../catalog.json",
        "/etc/passwd",
        "",
        ".",
        "a" * 64 + ".jpg",
        "a" * 64 + ".json",
        f"..%2f{'a' * 64}.jpg",
    ],
)
def test_no_other_file_is_a_texture(catalog: Catalog, filename: str) -> None:
    with pytest.raises(CatalogError):
        catalog.texture(filename)


def test_missing_or_unknown_maps_are_refused(catalog: Catalog) -> None:
    lacking = {role: image for role, image in maps().items() if role != "normal"}
    for bad in (lacking, {**maps(), "gloss": (b"x", "image/jpeg")}, {**maps(), "ao": (b"x", "image/gif")}):
        with pytest.raises(CatalogError) as caught:
            catalog.add(details(), bad)
        assert caught.value.code == "INVALID_INPUT"
    assert catalog.list() == Catalog().list()


@pytest.mark.parametrize(
    "field", [{"roughness": 2}, {"roughness": float("nan")}, {"name": " "}, {"colour": 1}]
)
def test_details_are_checked(field: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        FabricDetails(**{"name": "x", "roughness": 0.5, **field})


def test_a_number_beyond_float_in_a_stored_fabric_costs_nobody_the_catalog(
    catalog: Catalog, tmp_path: Path
) -> None:
    """One such `repeat` made every list fail. The fabric stays, so that its owner can correct it."""
    stored = catalog.add(details(), maps())
    file = tmp_path / "own" / "fabrics" / f"{stored.id}.json"
    document = json.loads(file.read_text())
    file.write_text(json.dumps(document | {"material": {"repeat": [10**400, 1]}}))
    fabric = next(it for it in catalog.list() if it.id == stored.id)
    assert fabric.tile_aspect == 1
    assert catalog.version
    catalog.replace(stored.id, details(), None)
    catalog.delete(stored.id)


def test_a_damaged_file_hides_only_itself(catalog: Catalog, tmp_path: Path) -> None:
    fabric = catalog.add(details(), maps())
    (tmp_path / "own" / "fabrics" / "broken.json").write_text("{")
    assert Catalog(tmp_path / "own").get(fabric.id) == fabric
    assert catalog.add(details("Broken"), maps()).id == "broken-2"


def add_many(folder: Path, mark: int) -> None:
    catalog = Catalog(folder)
    for index in range(10):
        fabric = catalog.add(details("Same name"), maps(bytes([mark, index])))
        if index % 3 == 2:
            catalog.delete(fabric.id)


def test_two_writers_lose_nothing_and_share_no_id(tmp_path: Path) -> None:
    """Without the lock both find the same id free, and one overwrites the other's fabric."""
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=add_many, args=(tmp_path, mark)) for mark in (1, 2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
    catalog = Catalog(tmp_path)
    own = [fabric for fabric in catalog.list() if fabric.name == "Same name"]
    assert len(own) == 2 * 7
    assert len({fabric.textures["diffuse"].sha256 for fabric in own}) == 2 * 7
    for fabric in own:
        assert catalog.texture(fabric.textures["diffuse"].filename).is_file()
