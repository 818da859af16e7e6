"""The USDZ, checked by USD's own validators."""

from pathlib import Path

import pytest
from pxr import Gf, Usd, UsdGeom, UsdShade, UsdValidation

from fabric.packs import PackedFabric, make_pack
from fabric.packs.swatch import SIDE_M
from tests.fabric.packs.conftest import Change


@pytest.fixture
def opened(tmp_path: Path):
    stages = []  # a prim does not keep its stage alive

    def make(fabric: PackedFabric) -> Usd.Stage:
        path = tmp_path / f"pack-{len(stages)}.usdz"
        path.write_bytes(make_pack(fabric, "usdz").data)
        stages.append(Usd.Stage.Open(str(path)))
        return stages[-1]

    return make


def shader(stage: Usd.Stage, name: str) -> UsdShade.Shader:
    return UsdShade.Shader(stage.GetPrimAtPath(f"/Fabric/Materials/Cloth/{name}"))


@pytest.mark.parametrize("case", ["twill", "lace", "veil", "bare"])
def test_usd_s_validators_find_nothing(
    opened, twill: PackedFabric, lace: PackedFabric, changed: Change, case: str
) -> None:
    fabric = {
        "twill": twill,
        "lace": lace,
        "veil": changed(maps=lace.maps, material={"transparent": True}),
        "bare": changed(material={}, license=None, tile_width_mm=None, details={}, name="\\ \" ' \x07"),
    }[case]
    validators = UsdValidation.ValidationRegistry().GetOrLoadAllValidators()
    assert len(validators) > 20
    found = UsdValidation.ValidationContext(validators).Validate(opened(fabric))
    assert [error.GetMessage() for error in found] == []


def test_the_stage_is_in_metres_and_upright(opened, twill: PackedFabric) -> None:
    stage = opened(twill)
    assert UsdGeom.GetStageMetersPerUnit(stage) == 1
    assert UsdGeom.GetStageUpAxis(stage) == "Y"
    cache = UsdGeom.BBoxCache(Usd.TimeCode.Default(), ["default"])
    size = cache.ComputeWorldBound(stage.GetDefaultPrim()).GetRange().GetSize()
    assert size[0] == pytest.approx(SIDE_M)
    assert 0 < size[1] < 0.05
    assert stage.GetDefaultPrim().GetDisplayName() == 'Red "twill" № 1'


def test_the_textures_repeat_at_the_cloth_s_real_size(opened, changed: Change) -> None:
    stage = opened(changed(tile_width_mm=50.0, aspect=0.5))
    scale = shader(stage, "tiles").GetInput("scale").Get()
    assert Gf.IsClose(scale, Gf.Vec2f(SIDE_M / 0.05, SIDE_M / 0.1), 1e-4)


def test_the_first_row_of_the_picture_is_the_far_edge(opened, twill: PackedFabric) -> None:
    """USD's v points up, glTF's down: the cloth must not be mirrored in one of them."""
    mesh = UsdGeom.Mesh(opened(twill).GetPrimAtPath("/Fabric/Swatch"))
    points = mesh.GetPointsAttr().Get()
    uv = UsdGeom.PrimvarsAPI(mesh).GetPrimvar("st").Get()
    far = min(range(len(points)), key=lambda number: points[number][2])
    assert uv[far][1] == 1


def test_holes_are_cut_and_a_veil_is_blended(opened, lace: PackedFabric, changed: Change) -> None:
    surface = shader(opened(lace), "surface")
    assert surface.GetInput("opacityThreshold").Get() == pytest.approx(0.4)
    assert surface.GetInput("opacity").HasConnectedSource()
    veil = shader(opened(changed(maps=lace.maps, material={"transparent": True})), "surface")
    assert veil.GetInput("opacityThreshold").Get() == 0
    assert not shader(opened(changed()), "surface").GetInput("opacity")


def test_clearcoat_and_specular_are_told(opened, changed: Change) -> None:
    surface = shader(opened(changed(material={"clearcoat": 0.4, "specularIntensity": 0.5})), "surface")
    assert surface.GetInput("clearcoat").Get() == pytest.approx(0.4)
    assert 1 < surface.GetInput("ior").Get() < 1.4  # half of the reflectance of 1.5
