import pytest

from fabric import FabricError
from fabric.packs import PackedFabric
from tests.fabric.packs.conftest import Change


def test_a_fabric_without_the_needed_maps_is_no_pack(twill: PackedFabric, changed: Change) -> None:
    maps = {role: image for role, image in twill.maps.items() if role != "normal"}
    with pytest.raises(FabricError, match="normal"):
        changed(maps=maps)


@pytest.mark.parametrize("wrong", [None, "much", True, float("nan"), 10**400, [1, 2], {}], ids=type)
def test_what_an_owner_wrote_instead_of_a_number_is_ignored(changed: Change, wrong: object) -> None:
    fabric = changed(material={"sheen": wrong, "sheenColor": wrong, "specularIntensity": wrong})
    assert fabric.sheen == (0, 0, 0)
    assert fabric.number("specularIntensity", 1.0) == 1
    assert fabric.colour("sheenColor") == (1, 1, 1)


def test_numbers_stay_within_what_the_formats_allow(changed: Change) -> None:
    fabric = changed(material={"sheen": 2, "sheenColor": [-1, 0.5, 3], "clearcoat": -0.5})
    assert fabric.sheen == (0, 0.5, 1)
    assert fabric.number("clearcoat") == 0


def test_the_tile_has_its_real_size(changed: Change) -> None:
    assert changed(tile_width_mm=80.0, aspect=2.0).tile_m == (0.08, 0.04)
    assert changed(tile_width_mm=None, aspect=2.0).tile_m == (0.1, 0.05)


def test_a_veil_has_no_cutoff(changed: Change) -> None:
    assert changed(material={"transparent": True}).cutoff is None
    assert changed(material={"alphaTest": 0.25}).cutoff == 0.25
    assert changed(material={}).cutoff == 0.5
