import pytest

from fabric.drape import DRAPES, NAMES
from fabric.material import FABRIC_CLASSES


def test_every_class_has_its_drape() -> None:
    assert list(DRAPES) == list(FABRIC_CLASSES)


@pytest.mark.parametrize("name", DRAPES)
def test_what_is_assumed_lies_within_the_class_s_range(name: str) -> None:
    drape = DRAPES[name]
    assert set(drape.values) == set(drape.ranges) == set(NAMES)
    for field, (low, high) in drape.ranges.items():
        assert 0 < low < drape.values[field] < high, field


def test_cloths_differ_as_everybody_knows() -> None:
    """A slip of a decimal point in the table."""
    silk, denim, jersey, leather = (DRAPES[name].values for name in ("silk", "denim", "jersey", "leather"))
    assert silk["weight_gsm"] < jersey["weight_gsm"] < denim["weight_gsm"] < leather["weight_gsm"]
    assert jersey["bend"] < denim["bend"] < leather["bend"]
    assert jersey["stretch_weft"] > 5 * denim["stretch_weft"]
    assert silk["thickness_mm"] < denim["thickness_mm"] < leather["thickness_mm"]
