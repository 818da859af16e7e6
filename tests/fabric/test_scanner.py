import json
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.fabric.materials import jpeg, table_top, texture
from benchmarks.fabric.metrics import decoded
from fabric import Scan, ScanOptions, scan
from fabric.light import linear_to_srgb, srgb_to_linear
from fabric.weaves import Weave, weave_cloth

DENIM = Weave("denim", (9, 9), np.array([0.05, 0.1, 0.3]), np.array([0.5, 0.5, 0.55]), irregular=0.4)
SMALL = {"size": 256}


def png(pixels: np.ndarray) -> bytes:
    return cv2.imencode(".png", pixels)[1].tobytes()


@pytest.fixture(scope="module")
def photo() -> bytes:
    return jpeg(weave_cloth(DENIM, 700, 1))


@pytest.fixture(scope="module")
def whole() -> Scan:
    """Of a photo that is wider than high, as most are."""
    photo = jpeg(weave_cloth(DENIM, 900, 1)[:700])
    return scan(photo, ScanOptions(fabric_class="denim", physical_width_mm=90))


def test_every_map_is_of_the_size_and_all_fit_into_data_uris(whole: Scan) -> None:
    for role, image in whole.maps.items():
        side = 256 if role == "thumbnail" else 1024
        assert decoded(image.data).shape[:2] == (side, side)
        assert image.media_type == "image/jpeg"
    assert sum(len(image.data) for image in whole.maps.values()) < 3_000_000


def test_a_scan_crosses_a_process_and_goes_into_json(whole: Scan) -> None:
    assert pickle.loads(pickle.dumps(whole)) == whole
    assert json.loads(json.dumps([whole.material, whole.quality]))


def test_the_same_photo_gives_the_same_bytes(photo: bytes) -> None:
    options = ScanOptions(size=512)
    assert scan(photo, options).maps == scan(photo, options).maps


def test_the_factor_times_the_map_is_the_cloth_s_roughness(whole: Scan) -> None:
    """Three.js multiplies them: a factor of 0.8 on a map of 0.8 would shine."""
    rough = decoded(whole.roughness_map.data).mean() / 255 * whole.roughness
    assert rough == pytest.approx(0.84, abs=0.02)
    assert whole.material["roughness"] == whole.roughness
    assert "color" not in whole.material


def test_orm_packs_the_maps_as_gltf_does() -> None:
    result = scan(jpeg(weave_cloth(DENIM, 700, 1)), ScanOptions(size=256, format="png"))
    orm = decoded(result.orm.data)
    assert result.orm.media_type == "image/png"
    assert np.array_equal(orm[..., 0], decoded(result.ao.data))
    assert np.array_equal(orm[..., 1], decoded(result.roughness_map.data))
    assert orm[..., 2].max() == 0


def test_the_weave_is_measured_in_millimetres(whole: Scan) -> None:
    """900 px show 90 mm, so four threads of 9 px are 3.6 mm; the tile holds whole repeats of them."""
    repeat = whole.quality["repeat_x"]
    assert repeat["period_mm"] == pytest.approx(3.6, rel=0.005)
    count = 1024 / repeat["period_px"]
    assert count == pytest.approx(round(count), abs=1e-3)


def test_given_corners_and_found_ones_agree() -> None:
    corners = np.array([[330.0, 250], [1080, 190], [1150, 960], [280, 900]])
    table = np.full((1200, 1400, 3), (200, 190, 180), np.uint8)
    picture = table_top(linear_to_srgb(weave_cloth(DENIM, 700, 1)), corners, table, (1200, 1400))
    photo = png(picture[..., ::-1])
    found = scan(photo, ScanOptions(size=512))
    given = scan(photo, ScanOptions(size=512, corners=tuple(map(tuple, corners / [1400, 1200]))))
    assert found.quality["outline"] is not None
    np.testing.assert_allclose(found.quality["outline"], given.quality["outline"], atol=0.006)
    np.testing.assert_allclose(given.quality["outline"], corners / [1400, 1200], atol=1e-3)
    bare = decoded(given.diffuse.data).reshape(-1, 3).mean(axis=0)
    assert bare[2] > 1.3 * bare[0]  # blue cloth, no table


def test_each_strength_changes_its_map(photo: bytes) -> None:
    plain = scan(photo, ScanOptions(**SMALL))
    for option, role in (
        ("normal_strength", "normal"),
        ("ao_strength", "ao"),
        ("roughness_strength", "roughness_map"),
        ("contrast_strength", "diffuse"),
        ("light_strength", "diffuse"),
    ):
        turned = scan(photo, ScanOptions(**SMALL, **{option: 0}))
        assert turned.maps[role] != plain.maps[role], option


def noisy(colour: tuple[int, int, int], deviation: float) -> np.ndarray:
    noise = np.random.default_rng(1).normal(0, deviation, (300, 300, 1))
    return np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (np.full((300, 300, 3), 130, np.uint8), "flat colour"),
        (np.full((300, 300, 3), 255, np.uint8), "flat colour"),
        (np.zeros((300, 300, 3), np.uint8), "black"),
        (noisy((160, 90, 70), 0.6), "flat colour"),
        (np.full((1, 1, 3), 130, np.uint8), "flat colour"),
        (np.full((9, 700, 3), 130, np.uint8), "flat colour"),
    ],
    ids=["grey", "white", "black", "noise", "one pixel", "narrow"],
)
def test_a_photo_without_texture_gives_its_colour_and_flat_maps(pixels: np.ndarray, message: str) -> None:
    """Such a photo was refused, and with it the test script of the app that shops start from."""
    found = scan(jpeg(srgb_to_linear(pixels)), ScanOptions(**SMALL))
    assert np.abs(decoded(found.diffuse.data).astype(int) - pixels[0, 0].astype(int)).mean() < 3
    assert decoded(found.normal.data).std(axis=(0, 1)).max() < 2
    assert message in " ".join(found.quality["advice"])
    assert message in str(found.detail)


def test_poor_photos_get_advice(photo: bytes) -> None:
    def advice(pixels: np.ndarray) -> str:
        return " ".join(scan(png(pixels), ScanOptions(**SMALL)).quality["advice"])

    cloth = cv2.imdecode(np.frombuffer(photo, np.uint8), cv2.IMREAD_COLOR)
    assert "blurred" in advice(cv2.GaussianBlur(cloth, (0, 0), 3))
    assert "too dark" in advice(cloth // 9)
    assert "too few pixels" in advice(cloth[:140, :140])
    assert "more than one even fabric" in advice(texture("astronaut")[..., ::-1])
    assert advice(cloth) == ""


TRIALS = Path(__file__).parents[1] / "data" / "trials"


@pytest.mark.parametrize("name", ["card_on_denim.jpg", "grey_card_on_denim.jpg", "tag_on_denim.jpg"])
def test_what_lies_on_the_cloth_is_left_out(name: str) -> None:
    """A card was taken for the cloth, or was in the tile."""
    found = scan((TRIALS / name).read_bytes(), ScanOptions(size=512))
    tile = cv2.resize(cv2.GaussianBlur(decoded(found.diffuse.data), (0, 0), 12), (32, 32)).astype(int)
    assert np.abs(tile - np.median(tile, axis=(0, 1))).max() < 60
    assert "lies on the cloth" in str(found.detail)


def test_a_net_has_a_map_of_its_holes() -> None:
    found = scan((TRIALS / "net.png").read_bytes(), ScanOptions(size=512, format="png"))
    opacity = decoded(found.maps["alpha"].data)
    assert opacity.shape == (512, 512)
    assert (opacity < 30).mean() == pytest.approx(0.5, abs=0.1)
    assert found.material["alphaTest"] == 0.5
    assert decoded(found.diffuse.data).max() < 60  # black threads, and nothing white in between


def test_chiffon_is_transparent_all_over(photo: bytes) -> None:
    cloth = cv2.imdecode(np.frombuffer(photo, np.uint8), cv2.IMREAD_COLOR)
    veil = np.dstack([cloth, np.full(cloth.shape[:2], 120, np.uint8)])
    found = scan(png(veil), ScanOptions(**SMALL))
    assert found.material["transparent"] is True
    assert np.abs(decoded(found.maps["alpha"].data).astype(int) - 120).max() < 4


def test_a_swatch_that_was_cut_out_has_no_holes(photo: bytes) -> None:
    cloth = cv2.imdecode(np.frombuffer(photo, np.uint8), cv2.IMREAD_COLOR)
    alpha = np.zeros(cloth.shape[:2], np.uint8)
    cv2.circle(alpha, (330, 340), 290, 255, -1)
    found = scan(png(np.dstack([cloth * (alpha > 0)[..., None], alpha])), ScanOptions(**SMALL))
    assert "alpha" not in found.maps
    assert decoded(found.diffuse.data).mean() > 0.8 * decoded(scan(photo).diffuse.data).mean()


def test_round_dots_stay_round() -> None:
    """The tile was 3 × 210 by 5 × 150 pixels of the photo, made square."""
    found = scan((TRIALS / "round_dots.jpg").read_bytes(), ScanOptions(size=512))
    assert found.tile_aspect == pytest.approx(630 / 600, abs=0.01)
    assert found.material["repeat"] == [1.0, found.tile_aspect]
