import re
from importlib.resources import files

import httpx
import pytest

from frontend_proxy.pages.asyncapi import document

PAGES = ["/docs", "/redoc", "/docs/websocket"]


@pytest.mark.parametrize("page", PAGES)
async def test_a_page_and_all_that_it_names_come_from_here(client: httpx.AsyncClient, page: str) -> None:
    """No CDN: the pages work where the shop's network ends."""
    answer = await client.get(page)
    assert answer.headers["Content-Type"].startswith("text/html")
    named = re.findall(r'(?:src|href|spec-url)="([^"]+)"', answer.text)
    assert named
    for url in named:
        assert url.startswith("/")
        assert (await client.get(url)).status_code == 200
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]


async def test_the_package_s_other_files_are_not_served(client: httpx.AsyncClient) -> None:
    for path in ("../api_docs.py", "%2e%2e/settings.py", "..%2f..%2fpyproject.toml"):
        assert (await client.get(f"/docs/assets/{path}")).status_code == 404


def test_the_pages_are_part_of_the_package() -> None:
    vendor = files("frontend_proxy") / "pages" / "vendor"
    for name in ("swagger-ui.js", "swagger-ui.LICENSE", "redoc.js", "redoc.LICENSE"):
        assert (vendor / name).is_file()


def test_every_reference_of_the_socket_s_description_leads_somewhere() -> None:
    described = document()

    def walk(node: object) -> None:
        if isinstance(node, dict):
            if "$ref" in node:
                found = described
                for part in node["$ref"].removeprefix("#/").split("/"):
                    found = found[part]
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(described)
    keyframe = described["components"]["schemas"]["Keyframe"]["properties"]
    assert {"camera_frame", "jacket_render", "pose", "fabric_id", "timestamp"} <= keyframe.keys()
