"""The key of an export: a hash over everything that decides what the export writes."""

import ast
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from google.protobuf import text_format
from google.protobuf.json_format import MessageToDict

from export import engine_config, served_config, stage_folder
from export.errors import ExportError
from export.manifest import MODULES, versions
from serving.model_config import parse_model_config
from serving.placement import IN_PROCESS

_ROOT = Path(__file__).resolve().parent.parent
# The code that decides an export's output, apart from the family's.
CODE = (
    *sorted((_ROOT / "export").glob("*.py")),
    *sorted((_ROOT / "families").glob("*.py")),
    *(_ROOT / name for name in MODULES),
)
# A family's module that only serves.
_SERVING = "conditioner.py"


def recipe_key(
    repository: Path,
    checkpoint_sha256: str,
    profile: str,
    precision: str,
    *more: object,
    family: str = "",
    code: Iterable[Path] = CODE,
) -> str:
    """The SHA-256; an equal key means equal artefacts.

    Comments, docstrings and layout do not count, neither in the code nor in the models' config.pbtxt.
    family: the name of its folder.
    more: further values that decide the output, as JSON can hold them.
    Raises ExportError if a config.pbtxt is not valid.
    """
    own = [path for path in sorted((_ROOT / "families" / family).glob("*.py")) if path.name != _SERVING]
    sources = {
        f"{path.parent.name}/{path.name}": code_without_comments(path.read_text())
        for path in (*code, *(own if family else ()))
    }
    recipe = [checkpoint_sha256, profile, precision, versions(), sources, _configurations(repository), *more]
    return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()


def code_without_comments(source: str) -> str:
    """The same Python code in one layout, without comments and docstrings."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


def _configurations(repository: Path) -> dict[str, object]:
    """The hand-written configurations, and the code that other stages get from theirs, by their paths."""
    found: dict[str, object] = {}
    for path in sorted((*repository.glob("*/config.pbtxt"), *repository.glob("*/configs/*.pbtxt"))):
        name = path.relative_to(repository)
        if stage_folder.is_artefact(repository / name.parts[0]) or name.name == engine_config.FILE:
            continue  # written by an export
        if name.parts[:2] == (served_config.MODEL, "configs") or name.stem == IN_PROCESS:
            continue  # those, too
        try:
            found[name.as_posix()] = MessageToDict(parse_model_config(path))
        except (OSError, text_format.ParseError) as error:
            raise ExportError(f"{path} cannot be read: {error}") from error
    for template in (stage_folder.DENOISER, stage_folder.NETWORK):
        adapter = repository / template / "1" / "model.py"
        if adapter.exists():
            found[f"{template}/1/model.py"] = code_without_comments(adapter.read_text())
    return found
