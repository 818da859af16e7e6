"""Blender's Cycles as a function: meshes, lights and a camera in, NumPy pictures out."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
import OpenEXR
from mathutils import Matrix, Vector

from training.photographs.lights import Lights
from training.photographs.meshes import Mesh, polygons

# The brightness of the cloth in the render of its white self: as bright as usual cloth, so that the light
# that
# it throws on itself and on the person is that of usual cloth.
CLOTH_ALBEDO = 0.35


@dataclass(frozen=True)
class View:
    """rotation: (3, 3) world → camera (x right, y down, z forward); place: (3,); focal: in pixels."""

    rotation: np.ndarray
    place: np.ndarray
    focal: float
    size: tuple[int, int]

    def project(self, points: np.ndarray) -> np.ndarray:
        """World points (n, 3) → pixels x, y and depth."""
        local = (points - self.place) @ self.rotation.T
        height, width = self.size
        return np.stack([
            width / 2 + self.focal * local[:, 0] / local[:, 2],
            height / 2 + self.focal * local[:, 1] / local[:, 2],
            local[:, 2],
        ], 1)  # fmt: skip

    def scaled(self, factor: float) -> "View":
        """The same view in a smaller or larger picture."""
        height, width = (round(factor * side) for side in self.size)
        return View(self.rotation, self.place, self.focal * width / self.size[1], (height, width))


def start(threads: int) -> None:
    """An empty scene with our render settings."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.render.threads_mode, scene.render.threads = "FIXED", threads
    cycles = scene.cycles
    cycles.device = "CPU"
    cycles.use_denoising = False
    cycles.use_adaptive_sampling = False
    cycles.max_bounces, cycles.diffuse_bounces, cycles.glossy_bounces = 3, 2, 2
    cycles.transmission_bounces, cycles.transparent_max_bounces = 0, 8
    cycles.caustics_reflective = cycles.caustics_refractive = False
    cycles.sample_clamp_indirect = 4.0
    cycles.use_light_tree = True
    scene.render.film_transparent = True
    scene.view_settings.view_transform = "Raw"
    scene.render.image_settings.file_format = "OPEN_EXR_MULTILAYER"
    scene.render.image_settings.color_depth = "32"
    scene.render.image_settings.exr_codec = "NONE"
    scene.render.use_persistent_data = False


def clear() -> None:
    for collection in (
        bpy.data.objects,
        bpy.data.meshes,
        bpy.data.materials,
        bpy.data.lights,
        bpy.data.cameras,
        bpy.data.worlds,
    ):
        for item in list(collection):
            collection.remove(item)


def _nodes(name: str) -> tuple[bpy.types.Material, bpy.types.NodeTree]:
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    material.node_tree.nodes.clear()
    return material, material.node_tree


def _aov(tree: bpy.types.NodeTree, jacket: bool, front_only: bool = False) -> None:
    """Values that the map render reads: atlas coordinates, panel, part, and which side is seen.

    front_only: 0 on a back, since Cycles adds up the values of all clear surfaces before the first solid one.
    """
    side = tree.nodes.new("ShaderNodeNewGeometry")
    output = tree.nodes.new("ShaderNodeOutputAOV")
    output.aov_name = "map"
    join = tree.nodes.new("ShaderNodeCombineXYZ")
    attribute = tree.nodes.new("ShaderNodeAttribute")
    attribute.attribute_name = "part"
    tree.links.new(attribute.outputs["Fac"], join.inputs[0])
    panel = tree.nodes.new("ShaderNodeAttribute")
    panel.attribute_name = "panel"
    tree.links.new(panel.outputs["Fac"], join.inputs[1])
    tree.links.new(side.outputs["Backfacing"], join.inputs[2])

    def write(value: bpy.types.NodeSocket, target: bpy.types.Node) -> None:
        if front_only:
            invert = tree.nodes.new("ShaderNodeMath")
            invert.operation = "SUBTRACT"
            invert.inputs[0].default_value = 1.0
            tree.links.new(side.outputs["Backfacing"], invert.inputs[1])
            scale = tree.nodes.new("ShaderNodeVectorMath")
            scale.operation = "SCALE"
            tree.links.new(value, scale.inputs[0])
            tree.links.new(invert.outputs[0], scale.inputs["Scale"])
            value = scale.outputs[0]
        tree.links.new(value, target.inputs["Color"])

    write(join.outputs[0], output)
    if jacket:
        place = tree.nodes.new("ShaderNodeOutputAOV")
        place.aov_name = "atlas"
        write(tree.nodes.new("ShaderNodeUVMap").outputs[0], place)


def person_material(mesh: Mesh) -> bpy.types.Material:
    material, tree = _nodes(mesh.name)
    shader = tree.nodes.new("ShaderNodeBsdfPrincipled")
    shader.inputs["Roughness"].default_value = mesh.roughness
    shader.inputs["Specular IOR Level"].default_value = mesh.specular
    colour = tree.nodes.new("ShaderNodeVertexColor")
    colour.layer_name = "colour"
    source = colour.outputs["Color"]
    if mesh.grain:
        noise = tree.nodes.new("ShaderNodeTexNoise")
        place = tree.nodes.new("ShaderNodeTexCoord")
        noise.inputs["Scale"].default_value = 260.0
        tree.links.new(place.outputs["Object"], noise.inputs["Vector"])
        spread = tree.nodes.new("ShaderNodeMapRange")
        spread.inputs["From Min"].default_value, spread.inputs["From Max"].default_value = 0.3, 0.7
        spread.inputs["To Min"].default_value = 1 - mesh.grain
        spread.inputs["To Max"].default_value = 1 + mesh.grain
        tree.links.new(noise.outputs["Fac"], spread.inputs["Value"])
        mix = tree.nodes.new("ShaderNodeVectorMath")
        mix.operation = "SCALE"
        tree.links.new(source, mix.inputs[0])
        tree.links.new(spread.outputs[0], mix.inputs["Scale"])
        source = mix.outputs[0]
    tree.links.new(source, shader.inputs["Base Color"])
    output = tree.nodes.new("ShaderNodeOutputMaterial")
    tree.links.new(shader.outputs[0], output.inputs["Surface"])
    _aov(tree, jacket=False)
    return material


def jacket_material(kind: str) -> bpy.types.Material:
    """kind: `matt`, `gloss`, or `front` (matt, and clear where its back is seen)."""
    material, tree = _nodes(f"jacket-{kind}")
    output = tree.nodes.new("ShaderNodeOutputMaterial")
    if kind == "gloss":
        shader = tree.nodes.new("ShaderNodeBsdfPrincipled")
        shader.inputs["Base Color"].default_value = (0, 0, 0, 1)
        shader.inputs["Roughness"].default_value = 0.35
        shader.inputs["IOR"].default_value = 1.5
    else:
        shader = tree.nodes.new("ShaderNodeBsdfDiffuse")
        shader.inputs["Color"].default_value = (CLOTH_ALBEDO,) * 3 + (1,)
    surface = shader.outputs[0]
    if kind == "front":
        side = tree.nodes.new("ShaderNodeNewGeometry")
        clear = tree.nodes.new("ShaderNodeBsdfTransparent")
        mix = tree.nodes.new("ShaderNodeMixShader")
        tree.links.new(side.outputs["Backfacing"], mix.inputs[0])
        tree.links.new(surface, mix.inputs[1])
        tree.links.new(clear.outputs[0], mix.inputs[2])
        surface = mix.outputs[0]
    tree.links.new(surface, output.inputs["Surface"])
    _aov(tree, jacket=True, front_only=kind == "front")
    return material


def add_mesh(mesh: Mesh, material: bpy.types.Material) -> bpy.types.Object:
    data = bpy.data.meshes.new(mesh.name)
    data.from_pydata(mesh.vertices.tolist(), [], polygons(mesh.faces))
    colours = data.color_attributes.new("colour", "FLOAT_COLOR", "POINT")
    colours.data.foreach_set(
        "color", np.concatenate([mesh.colours, np.ones((len(mesh.colours), 1))], 1).ravel()
    )
    for name, values in (("part", mesh.parts), ("panel", mesh.panels)):
        attribute = data.attributes.new(name, "FLOAT", "FACE")
        filled = np.zeros(len(mesh.faces), np.float32) if values is None else values.astype(np.float32)
        attribute.data.foreach_set("value", filled)
    if mesh.uv is not None:
        data.uv_layers.new(name="atlas").data.foreach_set("uv", mesh.uv.reshape(-1).astype(np.float32))
    data.polygons.foreach_set("use_smooth", np.ones(len(mesh.faces), bool))
    data.update()
    item = bpy.data.objects.new(mesh.name, data)
    data.materials.append(material)
    bpy.context.scene.collection.objects.link(item)
    if mesh.subdivide:
        modifier = item.modifiers.new("subdivide", "SUBSURF")
        modifier.levels = modifier.render_levels = mesh.subdivide
        modifier.boundary_smooth = "PRESERVE_CORNERS"
        # Once for all renders, and not anew for each.
        item.data = bpy.data.meshes.new_from_object(item.evaluated_get(bpy.context.evaluated_depsgraph_get()))
        item.modifiers.clear()
    return item


def add_lights(lights: Lights) -> None:
    """Each in a light group of its own: `l0`, `l1`, …"""
    layer = bpy.context.view_layer
    for group in list(layer.lightgroups):
        layer.lightgroups.remove(group)
    for index, (towards, angle, power) in enumerate(
        zip(lights.towards, lights.angle, lights.irradiance, strict=True)
    ):
        data = bpy.data.lights.new(f"light{index}", "SUN")
        data.energy, data.angle = float(power), float(angle)
        item = bpy.data.objects.new(data.name, data)
        item.rotation_mode = "QUATERNION"
        item.rotation_quaternion = Vector(towards.tolist()).to_track_quat("Z", "Y")
        bpy.context.scene.collection.objects.link(item)
        bpy.ops.scene.view_layer_add_lightgroup(name=f"l{index}")
        item.lightgroup = f"l{index}"


def set_sky(strength: float) -> None:
    """An even white sky, or none."""
    world = bpy.data.worlds.new("sky")
    world.use_nodes = True
    world.node_tree.nodes["Background"].inputs["Color"].default_value = (1, 1, 1, 1)
    world.node_tree.nodes["Background"].inputs["Strength"].default_value = strength
    bpy.context.scene.world = world


def set_view(view: View) -> None:
    scene = bpy.context.scene
    data = bpy.data.cameras.new("camera")
    item = bpy.data.objects.new("camera", data)
    width = view.size[1]
    data.sensor_fit = "HORIZONTAL"
    data.sensor_width = 36.0
    data.lens = 36.0 * view.focal / width
    data.clip_start = 0.01
    matrix = np.eye(4)
    matrix[:3, :3] = view.rotation.T @ np.diag([1, -1, -1])
    matrix[:3, 3] = view.place
    item.matrix_world = Matrix(matrix.tolist())
    scene.collection.objects.link(item)
    scene.camera = item


def render(
    size: tuple[int, int], samples: int, *, maps: bool = False, guides: bool = False, seed: int = 0
) -> dict[str, np.ndarray]:
    """Render what is set up. Returns pictures (h, w, channels) by pass name: `Combined`, and `Combined_l0`,
    … of the light groups; with guides, `Denoising Albedo`, `Denoising Normal`; with maps, only the AOVs,
    one sample a pixel at its centre."""
    scene, layer = bpy.context.scene, bpy.context.view_layer
    scene.render.resolution_x, scene.render.resolution_y = size[1], size[0]
    scene.render.resolution_percentage = 100
    scene.cycles.samples, scene.cycles.seed = samples, seed
    scene.cycles.pixel_filter_type = "BOX" if maps else "BLACKMAN_HARRIS"
    scene.cycles.filter_width = 0.01 if maps else 1.5
    layer.cycles.denoising_store_passes = guides
    layer.use_pass_normal = maps
    while layer.aovs:
        layer.aovs.remove(layer.aovs[0])
    if maps:
        for name in ("map", "atlas"):
            aov = layer.aovs.add()
            aov.name, aov.type = name, "COLOR"
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        scene.render.filepath = f"{folder}/picture.exr"
        bpy.ops.render.render(write_still=True)
        with OpenEXR.File(scene.render.filepath, separate_channels=True) as file:
            planes = {
                name: channel.pixels.copy() for part in file.parts for name, channel in part.channels.items()
            }
    order = {letter: index for index, letter in enumerate("RGBAXYZ")}
    found: dict[str, list[tuple[int, np.ndarray]]] = {}
    for name, plane in planes.items():
        layer_name, _, letter = name.rpartition(".")
        found.setdefault(layer_name.rpartition(".")[2], []).append((order.get(letter, 9), plane))
    return {
        name: np.stack([plane for _, plane in sorted(rows, key=lambda row: row[0])], -1)
        for name, rows in found.items()
    }
