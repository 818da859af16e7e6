"""With Blender: `make test-renderer`. Elsewhere these tests are skipped."""

import importlib.util

import numpy as np
import pytest

if importlib.util.find_spec("bpy") is None:
    pytest.skip("Blender's package is not installed here", allow_module_level=True)

from training.photographs import blender, generator
from training.photographs.body import Shape, shaped_vertices, target_weights
from training.photographs.denoising import denoise, denoise_white
from training.photographs.lights import sample_lights
from training.photographs.meshes import Mesh
from training.photographs.posing import Skeleton
from training.photographs.subject import make_subject


def ball(centre, radius, part):
    polar, around = np.linspace(0.02, np.pi - 0.02, 12), np.linspace(0, 2 * np.pi, 24)
    points = np.stack([
        np.sin(polar)[:, None] * np.cos(around), np.sin(polar)[:, None] * np.sin(around),
        np.cos(polar)[:, None] * np.ones(24),
    ], -1).reshape(-1, 3)  # fmt: skip
    index = np.arange(12 * 24).reshape(12, 24)
    faces = np.stack([index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]], -1).reshape(-1, 4)
    colours = np.tile([0.6, 0.3, 0.2], (len(points), 1))
    return Mesh(
        "ball", points * radius + centre, faces, colours, np.full(len(faces), part, np.uint8), 0.5, 0.3
    )


def view(size=(48, 64)):
    rotation = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    return blender.View(rotation, np.array([0, -2.0, 0]), 60.0, size)


def test_the_sum_of_the_basis_is_the_picture_under_all_lights():
    blender.start(1)
    blender.set_view(view())
    for place, radius in (((0, 0, 0), 0.4), ((0.35, -0.3, 0.1), 0.15)):
        mesh = ball(np.array(place), radius, 1)
        blender.add_mesh(mesh, blender.person_material(mesh))
    lights = sample_lights(np.random.default_rng(0))
    blender.add_lights(lights)
    found = blender.render((48, 64), 64, seed=1)
    parts = np.sum([found[f"Combined_l{index}"][..., :3] for index in range(len(lights.hard))], axis=0)
    together = blender.render((48, 64), 64, seed=2)["Combined"]
    covered = together[..., 3] > 0.99
    assert covered.mean() > 0.1
    difference = np.abs(parts - together[..., :3])[covered].mean()
    assert difference < 0.05 * together[..., :3][covered].mean()


def test_projection_is_the_renderers():
    blender.start(1)
    blender.set_view(view())
    centre = np.array([0.2, 0.1, -0.15])
    mesh = ball(centre, 0.06, 5)
    blender.add_mesh(mesh, blender.person_material(mesh))
    seen = np.rint(blender.render((48, 64), 1, maps=True)["map"][..., 0]) == 5
    y, x = (axis.mean() + 0.5 for axis in np.nonzero(seen))
    assert view().project(centre[None])[0, :2] == pytest.approx([x, y], abs=0.6)


def test_denoising_keeps_what_is_smooth():
    rng = np.random.default_rng(0)
    clean = np.broadcast_to(np.linspace(0.2, 1, 64, dtype=np.float32)[None, None, :, None], (4, 48, 64, 3))
    noisy = (clean * rng.gamma(4, 0.25, clean.shape)).astype(np.float32)
    albedo = np.full((48, 64, 3), 0.5, np.float32)
    normal = np.broadcast_to(np.array([0, -1, 0], np.float32), (48, 64, 3))
    for found in (denoise(noisy, albedo, normal), denoise_white(noisy, albedo, normal, np.ones((48, 64)))):
        assert np.abs(found - clean).mean() < 0.35 * np.abs(noisy - clean).mean()


def test_shapes_are_mixed_of_weights_that_add_up():
    shape = Shape(0.5, 0.6, 0.4, 0.7, 0.3, 0.6, 0.5, 0.5, (0.2, 0.3, 0.5))
    weights = target_weights(shape)
    assert sum(v for k, v in weights.items() if "/universal-" in k) == pytest.approx(1)
    assert all(value > 0 for value in weights.values())


def test_hands_go_where_they_are_told():
    skeleton = Skeleton.of(shaped_vertices(Shape(1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, (0, 0, 1))))
    for side, sign in (("L", 1), ("R", -1)):
        wanted = skeleton.head(f"upperarm01.{side}") + np.array([-sign * 0.1, -0.3, -0.2])
        skeleton.reach(side, wanted, wanted + np.array([sign * 0.5, 0.3, -0.5]))
        assert skeleton.head(f"wrist.{side}") == pytest.approx(wanted, abs=0.01)
        skeleton.point_hand(side, np.array([-sign, 0, 0.0]), np.array([0, 1.0, 0]))
        fingers = skeleton.head(f"finger3-1.{side}") - skeleton.head(f"wrist.{side}")
        assert -sign * fingers[0] / np.linalg.norm(fingers) > 0.9


def test_a_jacket_lies_outside_the_body():
    from scipy.spatial import cKDTree

    from training.photographs.meshes import vertex_normals

    subject = make_subject(0, "train")
    skin = subject.person[0]
    normals = vertex_normals(skin.vertices, skin.faces)
    distance, nearest = cKDTree(skin.vertices).query(subject.jacket.vertices)
    depth = np.einsum("ij,ij->i", subject.jacket.vertices - skin.vertices[nearest], normals[nearest])
    near = distance < 0.05
    assert (depth[near] < -0.004).mean() < 0.05  # the sleeves begin inside the shoulders
    again = make_subject(0, "train")
    assert np.allclose(again.jacket.vertices, subject.jacket.vertices)


def test_a_smaller_view_shows_the_same_places():
    full, half = view(), view().scaled(0.5)
    points = np.array([[0.2, 0.1, -0.15], [-0.3, 0.4, 0.2]])
    assert half.size == (24, 32)
    assert half.project(points)[:, :2] == pytest.approx(0.5 * full.project(points)[:, :2])


def test_views_of_a_person_share_their_jacket_and_not_their_light():
    blender.start(1)
    quality = generator.Quality(samples=1, scale=0.25)
    first, second = (generator.render_geometry(0, quality, number) for number in range(2))
    assert [it.meta["id"] for it in (first, second)] == ["3-000000", "3-000000-1"]
    assert first.meta["cut"] == second.meta["cut"]
    assert (first.trim == second.trim).all()
    assert first.meta["lights"] != second.meta["lights"]
    assert max(first.size) == 80
    assert first.worn is None, "shadows on the person are left out"
