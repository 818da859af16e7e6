"""MaterialX: a `standard_surface`, with its maps: for Unreal, Houdini, Maya and Arnold."""

from xml.etree.ElementTree import Element, SubElement, indent, tostring

from fabric.packs.packed import PackedFabric

VERSION = "1.38"  # of which newer programs read everything; older ones do not read the newest
_TYPES = {"diff": ("color3", "srgb_texture"), "opacity": ("float", "")}


def document(fabric: PackedFabric, names: dict[str, str], relief_mm: float) -> bytes:
    """The `.mtlx` file. names: of the maps' files beside it, by Poly Haven's suffix."""
    root = Element("materialx", version=VERSION, colorspace="lin_rec709")
    maps = SubElement(root, "nodegraph", name="maps")
    for suffix in ("diff", "rough", "nor_gl", "disp", "opacity"):
        if suffix in names:
            _image(maps, fabric, suffix, names[suffix])
    normal = SubElement(maps, "normalmap", name="bumps", type="vector3")
    SubElement(normal, "input", name="in", type="vector3", nodename="nor_gl")
    _output(maps, "base_color", "color3", "diff")
    _output(maps, "roughness", "float", "rough")
    _output(maps, "normal", "vector3", "bumps")
    _output(maps, "height", "float", "disp")
    if "opacity" in names:
        convert = SubElement(maps, "convert", name="opacity_color", type="color3")
        SubElement(convert, "input", name="in", type="float", nodename="opacity")
        _output(maps, "opacity_out", "color3", "opacity_color")
    _surface(root, fabric, "opacity" in names)
    relief = SubElement(root, "displacement", name="relief", type="displacementshader")
    SubElement(relief, "input", name="displacement", type="float", nodegraph="maps", output="height")
    _value(relief, "scale", "float", f"{relief_mm / 1000:.6g}")  # metres
    material = SubElement(root, "surfacematerial", name="cloth", type="material")
    SubElement(material, "input", name="surfaceshader", type="surfaceshader", nodename="surface")
    SubElement(material, "input", name="displacementshader", type="displacementshader", nodename="relief")
    indent(root)
    return tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"


def _surface(root: Element, fabric: PackedFabric, holes: bool) -> None:
    surface = SubElement(root, "standard_surface", name="surface", type="surfaceshader")
    _value(surface, "base", "float", "1")
    _connected(surface, "base_color", "color3", "base_color")
    _connected(surface, "specular_roughness", "float", "roughness")
    _connected(surface, "normal", "vector3", "normal")
    if holes:
        _connected(surface, "opacity", "color3", "opacity_out")
    for name, value in {
        "specular": fabric.number("specularIntensity", 1.0),
        "specular_anisotropy": fabric.number("anisotropy"),
        "metalness": fabric.metalness,
        "sheen": fabric.number("sheen"),
        "sheen_roughness": fabric.number("sheenRoughness", 0.5),
        "coat": fabric.number("clearcoat"),
        "coat_roughness": fabric.number("clearcoatRoughness"),
    }.items():
        _value(surface, name, "float", f"{value:.6g}")
    _value(surface, "sheen_color", "color3", ", ".join(f"{v:.6g}" for v in fabric.colour("sheenColor")))


def _image(maps: Element, fabric: PackedFabric, suffix: str, file: str) -> None:
    """A map that repeats in the proportions of its tile: once over the width of the texture's square."""
    kind, space = _TYPES.get(suffix, ("vector3" if suffix == "nor_gl" else "float", ""))
    image = SubElement(maps, "tiledimage", name=suffix, type=kind)
    source = SubElement(image, "input", name="file", type="filename", value=file)
    if space:
        source.set("colorspace", space)
    _value(image, "uvtiling", "vector2", f"1, {fabric.aspect:.6g}")


def _value(node: Element, name: str, kind: str, value: str) -> None:
    SubElement(node, "input", name=name, type=kind, value=value)


def _connected(node: Element, name: str, kind: str, output: str) -> None:
    SubElement(node, "input", name=name, type=kind, nodegraph="maps", output=output)


def _output(maps: Element, name: str, kind: str, node: str) -> None:
    SubElement(maps, "output", name=name, type=kind, nodename=node)
