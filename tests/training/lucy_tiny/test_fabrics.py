import numpy as np
import pytest

from training.lucy_tiny import captions, fabrics
from training.lucy_tiny.fabrics import CLOTHS, COLOURS, measured_textures, sample_fabric, weave


def test_the_caption_language_knows_every_cloth_and_colour():
    assert set(CLOTHS) == set(captions.FABRICS)
    assert set(COLOURS) <= set(captions.COLOURS)


@pytest.mark.parametrize("name", CLOTHS)
def test_cloth_has_its_colour_and_repeats(name):
    """A step at the tile's border would draw a grid over every jacket."""
    cloth = weave(name, "teal", np.random.default_rng(0))
    assert cloth.texture.shape == (256, 256, 3)
    red, green, blue = np.percentile(cloth.texture.reshape(-1, 3), 25, axis=0)
    assert red < green
    assert red < blue
    rows = cloth.texture.astype(float).mean(axis=2)
    inner = np.abs(np.diff(rows, axis=0)).mean(axis=1)
    seam = np.abs(rows[0] - rows[-1]).mean()
    assert seam <= inner.max() * 1.5 + 1


def test_cloth_without_a_name_is_refused():
    with pytest.raises(KeyError):
        weave("paper", "teal", np.random.default_rng(0))


def test_measured_cloth_is_dyed(monkeypatch):
    kinds = measured_textures()
    assert "felt" in kinds
    monkeypatch.setattr(fabrics, "CLOTHS", {"felt": CLOTHS["felt"]})
    drawn = [sample_fabric(np.random.default_rng(seed)) for seed in range(12)]
    assert {fabric.name for fabric in drawn} == {"felt"}
    assert len({fabric.colour for fabric in drawn}) > 3
