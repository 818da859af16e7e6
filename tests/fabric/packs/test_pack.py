import io
import json
import zipfile

import pytest

from fabric import FabricError
from fabric.packs import FORMATS, PackedFabric, make_pack
from tests.fabric.packs.conftest import Change


def unpacked(fabric: PackedFabric) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(make_pack(fabric, "zip").data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_made_and_named(twill: PackedFabric, name: str) -> None:
    pack = make_pack(twill, name)
    assert pack.filename == "red-twill" + FORMATS[name].ending
    assert pack.media_type == FORMATS[name].media_type
    assert make_pack(twill, name) == pack  # the same bytes each time


def test_an_unknown_format_names_the_known_ones(twill: PackedFabric) -> None:
    with pytest.raises(FabricError, match="gltf, usdz, mtlx, zip") as error:
        make_pack(twill, "fbx")
    assert error.value.code == "INVALID_INPUT"


def test_the_zip_s_files_are_named_as_poly_haven_s(twill: PackedFabric, lace: PackedFabric) -> None:
    wanted = {f"red-twill_{map}_256.jpg" for map in ("diff", "nor_gl", "nor_dx", "rough", "ao", "arm")}
    wanted |= {"red-twill.json", "red-twill_disp_256.png"}
    assert unpacked(twill).keys() == wanted
    assert unpacked(lace).keys() == wanted | {"red-twill_opacity_256.png"}


def test_what_blender_gets_is_the_glb_and_the_maps(twill: PackedFabric) -> None:
    with zipfile.ZipFile(io.BytesIO(make_pack(twill, "blend-ready").data)) as archive:
        assert archive.read("red-twill.glb") == make_pack(twill, "gltf").data
        names = set(archive.namelist()) - {"red-twill.glb"}
        said = json.loads(archive.read("red-twill.json"))
    assert names == set(said["maps"].values()) | {"red-twill.json"}
    assert {name.removeprefix("textures/") for name in names} == unpacked(twill).keys()


def test_the_zip_says_what_a_map_cannot(twill: PackedFabric, changed: Change) -> None:
    said = json.loads(unpacked(twill)["red-twill.json"])
    assert said["license"] == "CC0-1.0"
    assert said["fibre"] == "silk"
    assert said["tile_mm"] == [round(twill.tile_width_mm or 0, 2)] * 2
    assert set(said["maps"].values()) == unpacked(twill).keys() - {"red-twill.json"}
    unknown = json.loads(unpacked(changed(tile_width_mm=None))["red-twill.json"])
    assert unknown["tile_mm"] is unknown["relief_mm"] is None
