import numpy as np

from training.visible_garment import scenes
from training.visible_garment.scenes import Scene, Scenes, collect, paint


def a_scene(seed=0):
    rng = np.random.default_rng(seed)
    return Scene(
        rng.integers(0, 256, (30, 40, 3), np.uint8),
        rng.integers(0, 256, (30, 40, 4), np.uint8),
        rng.integers(0, 256, (30, 40), np.uint8),
        rng.random((33, 4)),
    )


def test_a_scene_is_read_as_it_was_written(tmp_path):
    scene = a_scene()
    scene.write(tmp_path / "one.npz")
    again = Scenes(tmp_path)[0]
    for name in ("frame", "render", "visible", "landmarks"):
        assert np.array_equal(getattr(again, name), getattr(scene, name)), name


def test_a_file_that_is_being_written_is_no_scene_yet(tmp_path):
    (tmp_path / ".one.npz.7.part").write_bytes(b"half")
    assert len(Scenes(tmp_path)) == 0


def test_painting_goes_on_where_it_was_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(scenes, "SIDE", 64)
    paint(tmp_path, 1)
    [first] = tmp_path.glob("*.npz")
    before = first.stat().st_mtime_ns
    paint(tmp_path, 2)
    assert first.stat().st_mtime_ns == before
    scene = Scenes(tmp_path)[1]
    assert scene.frame.shape == (64, 64, 3)
    assert (scene.visible <= scene.render[..., 3].astype(int) + 2).all(), (
        "nothing is visible that is not drawn"
    )


def test_a_folder_without_photographs_adds_nothing(tmp_path):
    collect(tmp_path / "photographed", tmp_path / "photographs")
    assert not (tmp_path / "photographed").exists()
