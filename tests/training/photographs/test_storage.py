import dataclasses

import numpy as np
import pytest

from tests.training.photographs.recorded import recorded_geometry
from training.photographs import storage
from training.photographs.storage import decode, encode, read_geometry, write_geometry


def test_what_is_written_is_read(tmp_path):
    geometry = recorded_geometry()
    write_geometry(tmp_path / "train" / "2-000000", geometry)
    again = read_geometry(tmp_path / "train" / "2-000000")
    for field in dataclasses.fields(geometry):
        if field.name != "meta":
            kept, found = getattr(geometry, field.name), getattr(again, field.name)
            assert np.allclose(kept, found, atol=0.01 if field.name.startswith("normal") else 1e-5), (
                field.name
            )
    assert again.meta["lights"] == geometry.meta["lights"]


def test_a_geometry_without_shadows_on_the_person_has_no_worn_passes(tmp_path):
    geometry = recorded_geometry()
    scales = {name: scale for name, scale in geometry.meta["scales"].items() if name != "worn"}
    geometry = dataclasses.replace(geometry, worn=None, meta={**geometry.meta, "scales": scales})
    write_geometry(tmp_path / "one", geometry)
    assert read_geometry(tmp_path / "one").worn is None
    assert not (tmp_path / "one" / "worn.png").exists()


def test_a_process_that_is_killed_leaves_no_half_geometry(tmp_path, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(storage.os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        write_geometry(tmp_path / "train" / "2-000000", recorded_geometry())
    assert not [path for path in (tmp_path / "train").iterdir() if not path.name.startswith(".")]


def test_another_format_is_refused(tmp_path):
    geometry = recorded_geometry()
    write_geometry(tmp_path / "one", dataclasses.replace(geometry, meta={**geometry.meta, "format": 99}))
    with pytest.raises(ValueError, match="has format 99, and this reader reads 1"):
        read_geometry(tmp_path / "one")


def test_codes_are_as_fine_as_a_photograph():
    """Half a grey level of an exposed picture, from white to a hundredth of it."""
    light = np.geomspace(0.01, 1, 400, dtype=np.float32).reshape(1, 20, 20)
    codes, (scale,) = encode(np.repeat(light * 7, 1, axis=0))
    found = decode(codes[0], scale)
    assert np.abs(found ** (1 / 2.4) - (light[0] * 7) ** (1 / 2.4)).max() < 0.6 / 255 * 7 ** (1 / 2.4)


def test_a_firefly_does_not_take_the_range():
    passes = np.full((1, 100, 100), 0.5, np.float32)
    passes[0, 3, 3] = 1000
    _, (scale,) = encode(passes)
    assert scale < 1


def test_an_empty_pass_is_dark():
    codes, (scale,) = encode(np.zeros((1, 4, 4, 3), np.float32))
    assert scale == 0
    assert not decode(codes[0], scale).any()


def test_mixtures_add_up():
    """Light transport is linear: two lights together are the sum of each alone."""
    geometry = recorded_geometry()
    rng = np.random.default_rng(0)
    one, other = rng.uniform(0, 2, (2, len(geometry.meta["lights"]), 3))
    for name in ("camera", "cloth", "gloss"):
        both = geometry.combine(name, one + other)
        assert np.allclose(both, geometry.combine(name, one) + geometry.combine(name, other), atol=1e-4), name
        assert np.allclose(geometry.combine(name, 3 * one), 3 * geometry.combine(name, one), rtol=1e-4), name
