"""The GLB, checked by Khronos' own validator where Node.js is installed."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from fabric.packs import PackedFabric, make_pack
from fabric.packs.swatch import SIDE_M
from tests.fabric.packs.conftest import Change
from tests.npm import installed

VALIDATOR = "gltf-validator@2.0.0-dev.3.10"
PLACE = Path("build/gltf-validator")
SCRIPT = """
const validator = require("gltf-validator");
const bytes = new Uint8Array(require("fs").readFileSync(0));
validator.validateBytes(bytes).then((report) => console.log(JSON.stringify(report.issues)));
"""


@pytest.fixture(scope="session")
def validate() -> Any:
    """A function from a GLB to the validator's issues. Installs the validator once."""
    installed(PLACE, VALIDATOR)

    def issues(glb: bytes) -> Any:
        done = subprocess.run(["node", "-e", SCRIPT], cwd=PLACE, input=glb, capture_output=True, check=True)
        return json.loads(done.stdout)

    return issues


def document(glb: bytes) -> dict[str, Any]:
    length = int.from_bytes(glb[12:16], "little")
    found: dict[str, Any] = json.loads(glb[20 : 20 + length])
    return found


def made(fabric: PackedFabric) -> bytes:
    return make_pack(fabric, "gltf").data


@pytest.mark.parametrize("case", ["twill", "lace", "veil", "bare"])
def test_khronos_validator_finds_nothing(
    validate: Any, twill: PackedFabric, lace: PackedFabric, changed: Change, case: str
) -> None:
    fabric = {
        "twill": twill,
        "lace": lace,
        "veil": changed(maps=lace.maps, material={"transparent": True}),
        "bare": changed(material={}, license=None, tile_width_mm=None, details={}, name=""),
    }[case]
    issues = validate(made(fabric))
    assert issues["messages"] == []


def test_the_validator_is_not_asleep(validate: Any, twill: PackedFabric) -> None:
    broken = made(twill).replace(b'"roughnessFactor"', b'"x"').replace(b"VEC3", b"VEC2", 1)
    assert validate(broken)["numErrors"] > 0


def test_the_textures_repeat_at_the_cloth_s_real_size(changed: Change) -> None:
    glb = made(changed(tile_width_mm=50.0, aspect=0.5))
    (material,) = document(glb)["materials"]
    for texture in (
        material["pbrMetallicRoughness"]["baseColorTexture"],
        material["pbrMetallicRoughness"]["metallicRoughnessTexture"],
        material["normalTexture"],
        material["occlusionTexture"],
    ):
        scale = texture["extensions"]["KHR_texture_transform"]["scale"]
        assert scale == [pytest.approx(SIDE_M / 0.05), pytest.approx(SIDE_M / 0.1)]


def test_the_finish_is_in_khronos_extensions(changed: Change) -> None:
    finish = {
        "sheen": 0.5,
        "sheenColor": [1, 0.5, 0],
        "sheenRoughness": 0.3,
        "specularIntensity": 0.7,
        "clearcoat": 0.4,
        "clearcoatRoughness": 0.1,
        "anisotropy": 0.6,
        "anisotropyRotation": 1.5,
    }
    found = document(made(changed(material=finish)))
    extensions = found["materials"][0]["extensions"]
    assert set(found["extensionsUsed"]) == {"KHR_texture_transform", *extensions}
    assert extensions["KHR_materials_sheen"] == {
        "sheenColorFactor": [0.5, 0.25, 0],
        "sheenRoughnessFactor": 0.3,
    }
    assert extensions["KHR_materials_specular"] == {"specularFactor": 0.7}
    assert extensions["KHR_materials_clearcoat"] == {
        "clearcoatFactor": 0.4,
        "clearcoatRoughnessFactor": 0.1,
    }
    assert extensions["KHR_materials_anisotropy"] == {
        "anisotropyStrength": 0.6,
        "anisotropyRotation": 1.5,
    }


@pytest.mark.parametrize("turn", [10**400, float("nan"), True, "much"], ids=type)
def test_a_rotation_that_is_none_is_left_out(changed: Change, turn: object) -> None:
    found = document(made(changed(material={"anisotropy": 0.6, "anisotropyRotation": turn})))
    extensions = found["materials"][0]["extensions"]
    assert extensions["KHR_materials_anisotropy"] == {"anisotropyStrength": 0.6}


def test_holes_are_cut_and_a_veil_is_blended(lace: PackedFabric, changed: Change) -> None:
    (material,) = document(made(lace))["materials"]
    assert (material["alphaMode"], material["alphaCutoff"]) == ("MASK", 0.4)
    (material,) = document(made(changed(maps=lace.maps, material={"transparent": True})))["materials"]
    assert material["alphaMode"] == "BLEND"


def test_a_fabric_without_sheen_names_no_sheen(changed: Change) -> None:
    assert document(made(changed(material={})))["extensionsUsed"] == [
        "KHR_texture_transform",
        "KHR_materials_specular",
    ]
