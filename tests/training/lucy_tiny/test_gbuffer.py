import numpy as np

from training.lucy_tiny.gbuffer import GBuffer, Layer, Material, coverage, normals

EVERYWHERE = (slice(0, 8), slice(0, 8))


def layer(alpha, height=0.0, albedo=(0.2, 0.4, 0.6), **options):
    shape = (8, 8)
    return Layer(
        EVERYWHERE, np.full(shape, alpha, np.float32), np.array(albedo, np.float32),
        np.full(shape, height, np.float32), **options,
    )  # fmt: skip


def test_a_slope_leans_away_from_its_rise():
    """A wrong sign lights every jacket from the other side."""
    x = np.arange(8, dtype=np.float32)[None].repeat(8, axis=0)
    right, down, front = normals(x)
    np.testing.assert_allclose(right, -np.sqrt(0.5), atol=1e-6)
    np.testing.assert_allclose(down, 0, atol=1e-6)
    np.testing.assert_allclose(front, np.sqrt(0.5), atol=1e-6)


def test_layers_cover_each_other_as_their_alpha_says():
    buffer = GBuffer((8, 8))
    buffer.paint_all([layer(1.0, albedo=(0, 0, 0)), layer(0.25, albedo=(0.8, 0.8, 0.8))])
    np.testing.assert_allclose(buffer.albedo, 0.2, atol=1e-6)
    np.testing.assert_allclose(buffer.coverage, 1)


def test_coverage_adds_up_without_exceeding_one():
    np.testing.assert_allclose(coverage([layer(0.5), layer(0.5)], (8, 8)), 0.75)


def test_folds_are_left_out_where_they_are_not_wanted():
    """The frontend's render is smooth: with folds in it the model would have nothing to learn."""
    folds = np.zeros((8, 8), np.float32)
    folds[:, 4:] = 3
    flat, folded = GBuffer((8, 8)), GBuffer((8, 8))
    flat.paint(layer(1.0, folds=folds), folded=False)
    folded.paint(layer(1.0, folds=folds))
    assert np.ptp(flat.normal[0]) == 0
    assert np.ptp(folded.normal[0]) > 0.5


def test_material_is_painted_and_a_copy_is_its_own():
    buffer = GBuffer((8, 8))
    other = buffer.copy()
    buffer.paint(layer(1.0, material=Material(0.5, 20, 0.1)))
    np.testing.assert_allclose(buffer.material[:, 0, 0], (0.5, 20, 0.1), atol=1e-6)
    assert not other.material.any()
