import re
from pathlib import Path

import pytest

from export.errors import ExportError
from export.manifest import MODULES
from export.recipe_key import CODE, code_without_comments, recipe_key
from export.request import DEFAULT_CHECKPOINT
from families.registry import family

ROOT = Path(__file__).resolve().parents[2]
CONFIG = """
# how the UNet is served
name: "unet" backend: "tensorrt" max_batch_size: 16
instance_group { count: 1 kind: KIND_GPU }
"""
MODULE = '''"""A docstring."""

TOLERANCE = 1e-4  # a comment


class Stage:
    """Another one."""


def export(stage):
    """And one more."""
    # why
    return "a # in a string", """not a docstring"""
'''


@pytest.fixture
def repository(tmp_path):
    for name in ("unet", "tryon"):
        (tmp_path / name / "configs").mkdir(parents=True)
        (tmp_path / name / "config.pbtxt").write_text(CONFIG)
    (tmp_path / "unet" / "configs" / "cpu.pbtxt").write_text(CONFIG)
    return tmp_path


def key(repository, **options):
    return recipe_key(repository, "sha256", "cpu", "fp32", **options)


@pytest.mark.parametrize("name", ["unet/config.pbtxt", "tryon/config.pbtxt", "unet/configs/cpu.pbtxt"])
def test_an_edited_configuration_is_another_export(repository, name):
    before = key(repository)
    path = repository / name
    path.write_text(CONFIG.replace("max_batch_size: 16", "max_batch_size: 8"))
    assert key(repository) != before
    path.write_text(CONFIG)
    assert key(repository) == before


def test_an_edited_comment_or_layout_of_a_configuration_is_the_same_export(repository):
    before = key(repository)
    text = CONFIG.replace("how the UNet", "why the UNet").replace("{ count: 1", "{\n  # one\n  count: 1")
    (repository / "unet" / "config.pbtxt").write_text(text)
    assert key(repository) == before


def test_what_an_export_has_written_is_not_part_of_its_key(repository):
    before = key(repository)
    (repository / "unet" / "configs" / "gpu.pbtxt").write_text('name: "unet"')
    (repository / "unet_fast").mkdir()
    (repository / "unet_fast" / "config.pbtxt").write_text('name: "unet_fast"')
    assert key(repository) == before


def test_a_broken_configuration_is_named(repository):
    (repository / "unet" / "config.pbtxt").write_text("max_batch_size: many")
    with pytest.raises(ExportError, match=r"unet/config\.pbtxt cannot be read"):
        key(repository)


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("a comment", "another comment", True),
        ('"""Another one."""', '"""It is\n    a stage."""', True),
        ('    """And one more."""\n', "", True),
        ("return ", "return  ", True),
        ("# in a string", "- in a string", False),
        ("not a docstring", "a value", False),
        ("1e-4", "1e-3", False),
    ],
)
def test_code_counts_and_comments_do_not(repository, tmp_path, old, new, same):
    module = tmp_path / "module.py"
    module.write_text(MODULE)
    before = key(repository, code=[module])
    assert old in MODULE
    module.write_text(MODULE.replace(old, new))
    assert (key(repository, code=[module]) == before) is same


def test_code_without_comments_still_runs():
    for path in CODE:
        compile(code_without_comments(path.read_text()), str(path), "exec")


def test_the_code_is_that_of_the_export_and_of_its_recipes():
    names = {path.relative_to(ROOT).as_posix() for path in CODE}
    assert {"export/exporter.py", "export/onnx_export.py", "pipeline/recipe.py"} <= names
    rooms = {"export", "families"}
    assert all(name in MODULES or Path(name).parent.as_posix() in rooms for name in names)


@pytest.mark.parametrize(
    "written", ["torch.onnx.export(", "torch.export.save(", "text_format.MessageToString("]
)
def test_all_code_that_writes_artefacts_is_part_of_the_code(written):
    """What wrote programs of torch was not: after a change an export went on serving the old ones."""
    rooms = ("export", "serving", "pipeline")
    found = {path for room in rooms for path in (ROOT / room).rglob("*.py") if written in path.read_text()}
    assert found
    assert {path for path in found if path.parent.name != "checks"} <= set(CODE)


def test_every_module_of_the_pipeline_that_is_traced_is_part_of_the_code():
    """An update of the light reader's code went on serving the network of the code before."""
    loaded = family("sd_inpainting").load(ROOT / DEFAULT_CHECKPOINT)
    classes = {type(part).__module__ for stage in loaded.stages for part in stage.module.modules()}
    traced = {f"{name.replace('.', '/')}.py" for name in classes if name.startswith("pipeline.")}
    assert traced
    for name in tuple(traced):
        imported = re.findall(r"^from (pipeline[.\w]*) import", (ROOT / name).read_text(), re.MULTILINE)
        traced |= {f"{module.replace('.', '/')}.py" for module in imported}
    assert traced <= set(MODULES)


def test_another_familys_code_decides_nothing(repository):
    keys = {key(repository, family=name) for name in ("", "sd_inpainting", "catvton")}
    assert len(keys) == 3
