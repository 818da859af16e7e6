"""The description against the application: all of it is there."""

import pytest
from starlette.routing import Route

from frontend_proxy.app import create_app
from frontend_proxy.pages.openapi import document
from frontend_proxy.pages.openapi_operation import FORM, JSON
from frontend_proxy.settings import Settings
from frontend_proxy.web.routing import methods
from tests.fakes import FakeServer

UNDESCRIBED = {"/studio", "/docs", "/docs/websocket", "/redoc", "/openapi.json", "/asyncapi.json"}


def test_every_route_is_described_and_nothing_else(settings: Settings) -> None:
    described = {
        (path, method.upper())
        for path, operations in document(False, 50)["paths"].items()
        for method in operations.keys() - {"parameters"}
    }
    served = {
        (route.path, method)
        for route in create_app(settings, FakeServer()).routes
        if isinstance(route, Route) and route.path not in UNDESCRIBED
        for method in methods(route)
    }
    assert described == served | {("/textures/{file}", "GET")}


def test_credentials_are_optional_only_where_no_key_is_set() -> None:
    assert {} in document(False, 50)["security"]
    assert {} not in document(True, 50)["security"]


@pytest.mark.parametrize("form", ["CaptureForm", "ScanRequestForm"])
def test_a_form_has_no_null_defaults(form: str) -> None:
    """Swagger UI filled them in as the text `null`, and its first click was refused."""
    fields = document(False, 50)["components"]["schemas"][form]["properties"]
    assert not [name for name, field in fields.items() if field.get("default", 1) is None]
    assert not [name for name, field in fields.items() if None in field.get("enum", [])]


def test_pictures_of_a_form_are_images_and_lists_json() -> None:
    """By OpenAPI's default a client would send one part for each entry, and the form has one for the list."""
    described = document(False, 50)
    forms = [
        body[FORM]
        for path in described["paths"].values()
        for operation in path.values()
        if isinstance(operation, dict)
        and FORM in (body := operation.get("requestBody", {}).get("content", {}))
        and "$ref" in body[FORM]["schema"]
    ]
    assert forms
    for form in forms:
        encoding = form["encoding"]
        model = form["schema"]["$ref"].rpartition("/")[2].removesuffix("Form")
        for name, field in described["components"]["schemas"][model]["properties"].items():
            kind = field.get("anyOf", [field])[0]
            if kind.get("type") == "array":
                assert encoding[name] == {"contentType": JSON}, name
            elif kind.get("format") == "image":
                assert encoding[name] == {"contentType": "image/*"}, name
            else:
                assert name not in encoding
