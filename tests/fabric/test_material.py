import numpy as np
import pytest

from fabric.material import FABRIC_CLASSES, mesh_physical_material

GREY = (0.2, 0.2, 0.2)


def material(name: str, **more: object) -> dict[str, object]:
    return mesh_physical_material(FABRIC_CLASSES[name], GREY, 0.8, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", FABRIC_CLASSES)
def test_every_number_of_a_class_is_one_that_three_js_takes(name: str) -> None:
    for field, value in vars(FABRIC_CLASSES[name]).items():
        assert 0 <= value <= 1, field
    assert "color" not in material(name)  # it would multiply the diffuse map


def test_shining_cloths_have_their_finish() -> None:
    assert "anisotropy" in material("satin", fibres=0.0)
    assert "clearcoat" in material("sequins")
    assert "clearcoat" in material("leather")
    assert not {"anisotropy", "clearcoat"} & material("denim", fibres=0.0).keys()
    assert material("velvet")["sheen"] == 1


def test_a_highlight_is_drawn_out_across_the_fibres() -> None:
    assert material("satin", fibres=-np.pi / 2)["anisotropyRotation"] == 0
    assert abs(material("satin", fibres=0.0)["anisotropyRotation"]) == pytest.approx(np.pi / 2, abs=1e-3)  # type: ignore[arg-type]
    assert material("satin", fibres=0.5)["anisotropyRotation"] == pytest.approx(0.5 - np.pi / 2, abs=1e-3)


def test_without_a_direction_of_fibres_no_highlight_is_drawn_out() -> None:
    assert "anisotropy" not in material("satin")


def test_holes_are_cut_and_a_veil_is_seen_through() -> None:
    holes = np.repeat(np.array([0, 255], np.uint8), 50)[None]
    assert material("lace", opacity=holes)["alphaTest"] == 0.5
    assert material("chiffon", opacity=np.full((10, 10), 120, np.uint8))["transparent"] is True
    assert not {"alphaTest", "transparent"} & material("lace").keys()
