import numpy as np
import pytest

from training.lucy_tiny import shards
from training.lucy_tiny.autoencoder import fit_basis
from training.lucy_tiny.scenes import make_scene


def test_a_mask_touches_every_latent_it_meets():
    mask = np.zeros((32, 32), np.uint8)
    mask[7:9, 3] = 255
    assert shards.painted_blocks(mask)[0].tolist() == [[1, 0, 0, 0], [1, 0, 0, 0], [0] * 4, [0] * 4]


def test_each_scene_is_stored_mirrored_too():
    """The mirrored light comes from the other side, and the caption has to say so."""
    scene = next(s for s in (make_scene(seed, 128) for seed in range(50)) if "left" in s.light)
    basis = fit_basis(scene.target[None])
    captions = []
    for seed in range(40):
        straight, mirrored = shards._rows(scene, seed, basis)
        captions.append((straight[3], mirrored[3]))
    np.testing.assert_array_equal(straight[2], mirrored[2][..., ::-1])
    np.testing.assert_allclose(mirrored[0], basis.encode(scene.target[:, ::-1]), atol=1e-5)
    assert any("left" in straight for straight, _ in captions)
    assert not any("left" in mirrored for _, mirrored in captions)


def test_existing_shards_are_not_painted_again(tmp_path):
    scene = make_scene(0, 64)
    for start in (0, shards.SCENES):
        shards._save(
            tmp_path / f"pictures-{start:07}.npz", target=scene.target[None], composite=scene.composite[None]
        )
    shards.write_pictures(tmp_path, 2 * shards.SCENES)
    pictures = shards.read_pictures(tmp_path)
    assert pictures.shape == (4, 64, 64, 3)
    assert not list(tmp_path.glob(".*"))


def test_a_missing_shard_is_an_error_that_says_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError, match="paint some first"):
        shards.read_latents(tmp_path)
