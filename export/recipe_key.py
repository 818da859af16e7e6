"""The key of an export: a hash over everything that decides what the export writes."""

import ast
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from google.protobuf import text_format
from google.protobuf.json_format import MessageToDict

from export import engine_config, served_config, unet_fast
from export.errors import ExportError
from export.manifest import versions
from serving.model_config import parse_model_config

_HERE = Path(__file__).resolve().parent
# The code that decides an export's output.
CODE = (*sorted(_HERE.glob("*.py")), _HERE.parent / "pipeline" / "recipe.py")


def recipe_key(
    repository: Path,
    checkpoint_sha256: str,
    profile: str,
    precision: str,
    *more: object,
    code: Iterable[Path] = CODE,
) -> str:
    """The SHA-256; an equal key means equal artefacts.

    Comments, docstrings and layout do not count, neither in the code nor in the models' config.pbtxt.
    more: further values that decide the output, as JSON can hold them.
    Raises ExportError if a config.pbtxt is not valid.
    """
    sources = {path.name: code_without_comments(path.read_text()) for path in code}
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
    """The hand-written configurations, and the code that `unet_fast` gets from `unet`, by their paths."""
    found: dict[str, object] = {}
    for path in sorted((*repository.glob("*/config.pbtxt"), *repository.glob("*/configs/*.pbtxt"))):
        name = path.relative_to(repository)
        if name.parts[0] == unet_fast.NAME or name.name == engine_config.FILE:
            continue  # written by an export
        if name.parts[:2] == (served_config.MODEL, "configs"):
            continue  # that, too
        try:
            found[name.as_posix()] = MessageToDict(parse_model_config(path))
        except (OSError, text_format.ParseError) as error:
            raise ExportError(f"{path} cannot be read: {error}") from error
    adapter = repository / "unet" / "1" / "model.py"
    if adapter.exists():
        found["unet/1/model.py"] = code_without_comments(adapter.read_text())
    return found
