import cv2
import numpy as np
import pytest

from fabric import EncodedImage, FabricError
from fabric.packs import PackedFabric
from fabric.packs.textures import Textures, height_of
from fabric.relief import normal_map
from tests.fabric.packs.conftest import Change


def pixels(image: EncodedImage) -> np.ndarray:
    found = cv2.imdecode(np.frombuffer(image.data, np.uint8), cv2.IMREAD_UNCHANGED)
    return found if found.ndim == 2 else found[..., [2, 1, 0, *range(3, found.shape[2])]]


def test_base_colour_and_normals_are_the_catalog_s_own_files(twill: PackedFabric) -> None:
    """Encoding them again would lose quality."""
    textures = Textures(twill)
    assert textures.diff == textures.diff_alpha == twill.maps["diffuse"]
    assert textures.nor_gl == twill.maps["normal"]
    assert textures.opacity is None


def test_the_roughness_s_factor_is_multiplied_in(twill: PackedFabric, changed: Change) -> None:
    """Poly Haven's files have no factor beside them."""
    half = changed(roughness=twill.roughness / 2)
    whole = pixels(Textures(twill).rough).mean()
    assert abs(pixels(Textures(half).rough).mean() - whole / 2) < 1.5
    assert abs(pixels(twill.maps["roughness_map"]).mean() * twill.roughness - whole) < 1.5


def test_arm_holds_occlusion_roughness_and_metalness(changed: Change) -> None:
    textures = Textures(changed(metalness=1.0))
    arm = pixels(textures.arm).astype(float)
    assert np.abs(arm[..., 0] - pixels(textures.ao)).mean() < 5
    assert np.abs(arm[..., 1] - pixels(textures.rough)).mean() < 5
    assert arm[..., 2].mean() > 245


def test_without_an_occlusion_map_nothing_is_occluded(twill: PackedFabric, changed: Change) -> None:
    """The built-in fabrics of older catalogs have none."""
    textures = Textures(changed(maps={k: twill.maps[k] for k in ("diffuse", "normal", "roughness_map")}))
    assert pixels(textures.ao).min() == 255


def test_directx_normals_point_the_other_way_in_green_alone(twill: PackedFabric, changed: Change) -> None:
    slope = cv2.imencode(".png", np.full((64, 64, 3), (220, 190, 90), np.uint8))[1].tobytes()  # BGR
    steep = changed(maps={**twill.maps, "normal": EncodedImage(slope, "image/png")})
    assert (pixels(Textures(steep).nor_dx) == (90, 255 - 190, 220)).all()


def test_the_height_fits_the_normals() -> None:
    noise = np.random.default_rng(3).normal(0, 1, (256, 256)).astype(np.float32)
    wrapped = cv2.GaussianBlur(np.tile(noise, (2, 2)), (0, 0), 3)[128:-128, 128:-128]
    height = 3 * wrapped / wrapped.std()
    normal = cv2.convertScaleAbs(normal_map(height), alpha=127.5, beta=127.5)
    found = height_of(normal)
    assert np.corrcoef(found.ravel(), height.ravel())[0, 1] > 0.97
    assert 0.8 < found.std() / height.std() < 1.2


def test_a_flat_cloth_is_grey_without_a_relief() -> None:
    assert np.abs(height_of(np.full((32, 32, 3), (128, 128, 255), np.uint8))).max() < 0.01


def test_the_relief_is_measured_on_the_cloth(twill: PackedFabric, changed: Change) -> None:
    relief = Textures(twill).relief_mm
    assert 0.005 < relief < 2
    wider = changed(tile_width_mm=2 * twill.tile_width_mm)  # type: ignore[operator]
    assert Textures(wider).relief_mm == pytest.approx(2 * relief)
    disp = pixels(Textures(twill).disp)
    assert (disp.dtype, disp.min(), disp.max()) == (np.uint16, 0, 65535)


def test_holes_are_the_base_colour_s_alpha(lace: PackedFabric) -> None:
    shown = pixels(Textures(lace).diff_alpha)
    assert shown.shape == (256, 256, 4)
    assert shown[32, 32, 3] == 0
    assert shown[0, 0, 3] == 255


def test_webp_becomes_png(twill: PackedFabric, changed: Change) -> None:
    """glTF's core and AR Quick Look know JPEG and PNG alone."""
    diffuse = pixels(twill.maps["diffuse"])
    webp = EncodedImage(cv2.imencode(".webp", diffuse[..., ::-1])[1].tobytes(), "image/webp")
    found = Textures(changed(maps={**twill.maps, "diffuse": webp})).diff
    assert found.media_type == "image/png"
    assert np.abs(pixels(found).astype(int) - diffuse).mean() < 6


@pytest.mark.parametrize("damaged", [b"", b"no picture"])
def test_a_damaged_map_is_named(twill: PackedFabric, changed: Change, damaged: bytes) -> None:
    maps = {**twill.maps, "normal": EncodedImage(damaged, "image/jpeg")}
    with pytest.raises(FabricError, match="normal"):
        _ = Textures(changed(maps=maps)).nor_dx
