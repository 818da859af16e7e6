"""The MaterialX document, checked by MaterialX itself: its validation, and a shader made of it."""

import io
import zipfile

import MaterialX as mx
import pytest
from MaterialX import PyMaterialXGenGlsl, PyMaterialXGenShader

from fabric.packs import PackedFabric, make_pack
from tests.fabric.packs.conftest import Change


def unpacked(fabric: PackedFabric) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(make_pack(fabric, "mtlx").data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def library() -> mx.Document:
    found = mx.createDocument()
    mx.loadLibraries(mx.getDefaultDataLibraryFolders(), mx.getDefaultDataSearchPath(), found)
    return found


def read(fabric: PackedFabric, library: mx.Document) -> mx.Document:
    document = mx.createDocument()
    mx.readFromXmlString(document, unpacked(fabric)[f"{fabric.id}.mtlx"].decode())
    document.setDataLibrary(library)
    return document


@pytest.mark.parametrize("case", ["twill", "lace", "bare"])
def test_materialx_finds_nothing_wrong(
    library: mx.Document, twill: PackedFabric, lace: PackedFabric, changed: Change, case: str
) -> None:
    fabric = {"twill": twill, "lace": lace, "bare": changed(material={}, tile_width_mm=None)}[case]
    assert read(fabric, library).validate() == (True, "")


def test_a_shader_is_made_of_it(library: mx.Document, lace: PackedFabric) -> None:
    """Validation alone does not notice an input that a node does not have."""
    document = read(lace, library)
    for node in document.getNodes() + document.getNodeGraph("maps").getNodes():
        declared = node.getNodeDef()
        assert declared, node.getName()
        for value in node.getInputs():
            assert declared.getActiveInput(value.getName()), f"{node.getName()}.{value.getName()}"
    generator = PyMaterialXGenGlsl.GlslShaderGenerator.create()
    context = PyMaterialXGenShader.GenContext(generator)
    context.registerSourceCodeSearchPath(mx.getDefaultDataSearchPath())
    surface = document.getNode("surface")
    source = generator.generate("cloth", surface, context).getSourceCode("pixel")
    assert "sheen" in source


def test_every_file_that_the_document_names_is_beside_it(library: mx.Document, lace: PackedFabric) -> None:
    files = unpacked(lace)
    document = read(lace, library)
    images = document.getNodeGraph("maps").getNodes("tiledimage")
    named = {image.getInputValue("file") for image in images}
    assert len(named) == 5
    assert named <= files.keys()


def test_the_finish_and_the_tile_s_aspect_are_told(library: mx.Document, changed: Change) -> None:
    finish = {"sheen": 0.5, "sheenColor": [1, 0.5, 0], "clearcoat": 0.4, "anisotropy": 0.6}
    document = read(changed(material=finish, aspect=2.0), library)
    surface = document.getNode("surface")
    for name, value in {"sheen": 0.5, "coat": 0.4, "specular_anisotropy": 0.6}.items():
        assert surface.getInputValue(name) == pytest.approx(value)
    assert surface.getInputValue("sheen_color") == mx.Color3(1, 0.5, 0)
    tiling = document.getNodeGraph("maps").getNode("diff").getInputValue("uvtiling")
    assert tiling == mx.Vector2(1, 2)


def test_the_relief_is_in_metres(library: mx.Document, twill: PackedFabric) -> None:
    document = read(twill, library)
    assert 1e-6 < document.getNode("relief").getInputValue("scale") < 0.002
