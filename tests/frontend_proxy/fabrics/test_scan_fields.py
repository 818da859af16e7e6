"""Every field of a scan's answer is described where a frontend's developer looks. `outline` once was not."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from frontend_proxy.answer_schemas import ScanQuality, ScanRepeat, ScanResult

ROOT = Path(__file__).parents[3]
API = (ROOT / "docs" / "api.md").read_text()
SECTION = API.split("## `POST /api/fabric/scan`")[1].split("\n## ")[0]
TABLES = " ".join(line for line in SECTION.splitlines() if line.startswith("| `"))
NAMES = {name for code in re.findall(r"`([^`]+)`", TABLES) for name in re.findall(r"\w+", code)}


@pytest.mark.parametrize("model", [ScanResult, ScanQuality, ScanRepeat])
def test_the_documentation_names_every_field(model: type[BaseModel]) -> None:
    assert set(model.model_fields) - NAMES == set()


@pytest.mark.parametrize("model", [ScanQuality, ScanRepeat])
def test_the_client_s_types_have_every_field(model: type[BaseModel]) -> None:
    types = (ROOT / "frontend_proxy" / "studio" / "client.d.ts").read_text()
    body = types.split(f"export interface {model.__name__} {{")[1].split("\n}")[0]
    assert re.findall(r"^  (\w+):", body, re.M) == list(model.model_fields)


@pytest.mark.parametrize("model", [ScanQuality, ScanRepeat])
def test_the_schema_describes_every_field(model: type[BaseModel]) -> None:
    assert [name for name, field in model.model_fields.items() if not field.description] == []


def test_a_measurement_that_has_no_description_is_an_error() -> None:
    with pytest.raises(ValidationError, match="surprise"):
        ScanQuality.model_validate({"surprise": 1})
