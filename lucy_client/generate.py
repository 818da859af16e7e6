"""Writes `models.py` from a server's OpenAPI document, which it reads from standard input.

curl -s localhost:5000/openapi.json | python -m lucy_client.generate > lucy_client/models.py
"""

import json
import sys
from collections.abc import Iterable
from typing import Any

ROOTS = (
    *("BatchLine", "BatchStatus", "CaptureLight", "CaptureResult", "CaptureStatus", "FabricEntry"),
    *("HealthReport", "ScanResult"),
)
_HEAD = '''"""The server's answers. Made from its `/openapi.json` by `lucy_client.generate`; do not edit."""

# ruff: noqa: RUF012

from __future__ import annotations

from typing import Any, Literal

from lucy_client.answer import Answer
'''
_SIMPLE = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}


def models(document: dict[str, Any]) -> str:
    """The module's text."""
    schemas = document["components"]["schemas"]
    return _HEAD + "".join(_model(name, schemas[name]) for name in _with_inner(schemas, ROOTS))


def _with_inner(schemas: dict[str, Any], roots: Iterable[str]) -> list[str]:
    """`roots`, each after the schemas inside it: a class that is subclassed elsewhere must know its types."""
    found: dict[str, None] = {}
    for name in sorted(set(roots)):
        found |= dict.fromkeys([*_with_inner(schemas, _references(schemas[name])), name])
    return list(found)


def _references(schema: Any) -> list[str]:
    if isinstance(schema, list):
        return [name for item in schema for name in _references(item)]
    if not isinstance(schema, dict):
        return []
    own = [schema["$ref"].rpartition("/")[2]] if "$ref" in schema else []
    return own + [name for item in schema.values() for name in _references(item)]


def _model(name: str, schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return f"\n\n{name} = {_type(schema)}\n"
    required = set(schema.get("required", ()))
    lines = [
        _field(field, described, field in required)
        for field, described in sorted(schema["properties"].items(), key=lambda it: it[0] not in required)
    ]
    return f"\n\nclass {name}(Answer):\n" + "".join(f"    {line}\n" for line in lines)


def _field(name: str, schema: dict[str, Any], required: bool) -> str:
    kind = _type(schema)
    default = schema.get("default")
    nullable = kind == "Any" or "None" in kind.split(" | ")
    if required and "const" not in schema and not nullable:
        return f"{name}: {kind}"
    if "const" in schema:
        return f"{name}: {kind} = {_text(schema['const'])}"
    if default is None and not nullable:
        kind += " | None"
    return f"{name}: {kind} = {_text(default)}"


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "const" in schema:
        return f"Literal[{_text(schema['const'])}]"
    if "enum" in schema:
        return f"Literal[{', '.join(map(_text, schema['enum']))}]"
    options = schema.get("anyOf", schema.get("oneOf"))
    if options:
        kinds = list(dict.fromkeys(_type(option) for option in options))
        return "Any" if "Any" in kinds else " | ".join(kinds)
    kind = schema.get("type")
    if isinstance(kind, list):
        return " | ".join(_type({**schema, "type": one}) for one in kind)
    if kind == "array":
        return f"list[{_type(schema.get('items', {'anyOf': schema.get('prefixItems')}))}]"
    if kind == "object":
        inner = schema.get("additionalProperties")
        return f"dict[str, {_type(inner) if isinstance(inner, dict) else 'Any'}]"
    return _SIMPLE.get(str(kind), "Any")


def _text(value: Any) -> str:
    return json.dumps(value) if isinstance(value, str) else repr(value)


if __name__ == "__main__":
    sys.stdout.write(models(json.load(sys.stdin)))
