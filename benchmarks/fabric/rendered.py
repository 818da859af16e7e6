"""A GLB pack as Blender shows it, beside the photo that it was scanned from.

    make build/photographs-venv/.installed  # Blender as a Python package, once
    python -m fabric photo.jpg -o /tmp/cloth --pack gltf
    build/photographs-venv/bin/python -m benchmarks.fabric.rendered /tmp/cloth/cloth.glb --photo photo.jpg

Writes build/benchmarks/rendered.png: the photo, the pack's own piece of cloth from above and from the side,
and a ball of the same cloth, path-traced by Cycles under one lamp and a grey sky. A minute on two cores.
The studio's jacket is shown from three sides.
"""

import argparse
import math
import tempfile
from pathlib import Path

import bpy
import cv2
import numpy as np
from mathutils import Vector

SIDE = 420  # pixels of each picture
SAMPLES = 48
BALL_M = 0.3 / math.pi  # its equator is as long as the piece of cloth that the textures are scaled for


def load(pack: Path) -> list[bpy.types.Object]:
    """The file's meshes in an empty scene. Blender's Z points up where glTF's Y does."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.import_scene.gltf(filepath=str(pack.resolve()))
    return [found for found in bpy.data.objects if found.type == "MESH"]


def light_scene() -> None:
    """A lamp from the upper left, before the cloth, a sky of a third of its light, and neutral colours."""
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.samples = SAMPLES
    scene.cycles.use_denoising = False
    scene.render.resolution_x = scene.render.resolution_y = SIDE
    scene.view_settings.view_transform = "Standard"
    sun = bpy.data.lights.new("lamp", "SUN")
    sun.energy, sun.angle = 2.4, math.radians(3)
    lamp = bpy.data.objects.new("lamp", sun)
    lamp.rotation_euler = Vector((-1, -0.7, 1.3)).to_track_quat("Z", "Y").to_euler()
    scene.collection.objects.link(lamp)
    scene.world = bpy.data.worlds.new("sky")
    scene.world.use_nodes = True
    scene.world.node_tree.nodes["Background"].inputs["Color"].default_value = (0.3, 0.3, 0.3, 1)
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    scene.collection.objects.link(camera)
    scene.camera = camera


def add_ball(cloth: bpy.types.Object) -> bpy.types.Object:
    """A ball with the cloth's material at the same scale: its uv are lengths on its equator."""
    bpy.ops.mesh.primitive_uv_sphere_add(segments=128, ring_count=64, radius=BALL_M / 2)
    ball = bpy.context.object
    bpy.ops.object.shade_smooth()
    for corner in ball.data.uv_layers.active.data:
        corner.uv[1] *= 0.5  # from pole to pole is half as far as around
    ball.data.materials.append(cloth.data.materials[0])
    return ball


def render(seen: list[bpy.types.Object], come_from: tuple[float, float, float], width_m: float) -> np.ndarray:
    """These objects alone, from a direction, with `width_m` of the scene in sight: (SIDE, SIDE, 3) BGR."""
    scene = bpy.context.scene
    for each in bpy.data.objects:
        each.hide_render = each.type == "MESH" and each not in seen
    corners = np.array([each.matrix_world @ Vector(corner) for each in seen for corner in each.bound_box])
    middle = Vector((corners.min(axis=0) + corners.max(axis=0)) / 2)
    direction = Vector(come_from).normalized()
    camera = scene.camera
    camera.data.type, camera.data.ortho_scale = "ORTHO", width_m
    camera.location = middle + direction
    camera.rotation_euler = direction.to_track_quat("Z", "Y").to_euler()
    with tempfile.TemporaryDirectory() as folder:
        scene.render.filepath = f"{folder}/view.png"
        bpy.ops.render.render(write_still=True)
        picture: np.ndarray = cv2.imread(scene.render.filepath)
    return picture


def fitted(photo: np.ndarray) -> np.ndarray:
    """The photo in the middle of a white square."""
    scale = SIDE / max(photo.shape[:2])
    small = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)[:SIDE, :SIDE]
    square = np.full((SIDE, SIDE, 3), 255, np.uint8)
    top, left = (SIDE - small.shape[0]) // 2, (SIDE - small.shape[1]) // 2
    square[top : top + small.shape[0], left : left + small.shape[1]] = small
    return square


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pack", type=Path, help="a GLB")
    parser.add_argument("--photo", type=Path, help="what it was scanned from")
    parser.add_argument("--output", type=Path, default=Path("build/benchmarks/rendered.png"))
    arguments = parser.parse_args()
    meshes = load(arguments.pack)
    light_scene()
    if len(meshes) == 1:
        ball = add_ball(meshes[0])
        views = [
            render(meshes, (0, 0, 1), 0.15),
            render(meshes, (0.3, -1, 0.75), 0.4),
            render([ball], (0, -1, 0.35), 0.105),
        ]
    else:  # the studio's jacket
        views = [render(meshes, (side, -1, 0.3), 0.85) for side in (0, 0.9, -2.5)]
    if arguments.photo:
        views.insert(0, fitted(cv2.imread(str(arguments.photo))))
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(arguments.output), np.hstack(views))
    print(arguments.output)


if __name__ == "__main__":
    main()
