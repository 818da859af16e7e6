import numpy as np

from fabric.packs.swatch import SIDE_M, make_swatch


def test_the_cloth_is_nowhere_stretched() -> None:
    """Lengths in uv are lengths on the cloth, or the weave would look pulled in the wave."""
    swatch = make_swatch()
    left = swatch.positions[::2]
    steps = np.linalg.norm(np.diff(left, axis=0), axis=1)
    assert np.abs(steps / (SIDE_M * np.diff(swatch.uv[::2, 1])) - 1).max() < 0.002
    assert swatch.positions[1, 0] - swatch.positions[0, 0] == SIDE_M


def test_normals_stand_on_the_cloth_and_triangles_face_up() -> None:
    swatch = make_swatch()
    a, b, c = (swatch.positions[swatch.triangles[:, corner]] for corner in range(3))
    faces = np.cross(b - a, c - a)
    faces /= np.linalg.norm(faces, axis=1, keepdims=True)
    assert (faces[:, 1] > 0.9).all()
    assert ((faces * swatch.normals[swatch.triangles[:, 0]]).sum(axis=1) > 0.999).all()
    assert np.allclose(np.linalg.norm(swatch.normals, axis=1), 1)


def test_the_bitangent_points_up_the_picture() -> None:
    """So that +Y of an OpenGL normal map is up, where v is down."""
    swatch = make_swatch()
    bitangent = np.cross(swatch.normals, swatch.tangents[:, :3]) * swatch.tangents[:, 3:]
    down = np.gradient(swatch.positions[::2], axis=0)
    assert ((bitangent[::2] * down).sum(axis=1) < 0).all()


def test_it_rests_on_the_ground() -> None:
    positions = make_swatch().positions
    assert positions[:, 1].min() == 0
    assert np.abs(positions[:, [0, 2]].min(axis=0) + positions[:, [0, 2]].max(axis=0)).max() < 1e-9
