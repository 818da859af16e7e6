"""The studio's files; tests/studio clicks through them in a browser."""

import re
from importlib.resources import files

import httpx
import pytest

from frontend_proxy.pages.index import prefers_html
from tests.frontend_proxy.conftest import Serve

KEY = "0123456789abcdef"
SCRIPTS = [
    "client.js",
    "client.d.ts",
    "lucy_try_on.js",
    "vendor/three.module.js",
    "vendor/msgpack/encode.mjs",
]
MODEL = ["vendor/pose/pose_solution_simd_wasm_bin.wasm", "vendor/pose/pose_landmark_lite.tflite"]


async def test_the_page_and_all_that_it_names_come_from_here(client: httpx.AsyncClient) -> None:
    page = await client.get("/studio")
    assert page.headers["Content-Type"].startswith("text/html")
    named = re.findall(r'(?:src|href)="([^"#]+)"', page.text)
    assert len(named) > 5
    for url in named:
        assert url.startswith("/")
        assert (await client.get(url)).status_code == 200


@pytest.mark.parametrize("path", ["/studio", "/studio/pose_worker.js"])
async def test_it_may_compile_webassembly_and_run_no_inline_script(
    client: httpx.AsyncClient, path: str
) -> None:
    """A worker has the policy that its own script comes with."""
    headers = (await client.get(path)).headers
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self' 'wasm-unsafe-eval'"
    assert "'unsafe-inline'" not in headers["Content-Security-Policy"]
    assert "camera=(self)" in headers["Permissions-Policy"]


async def test_textures_from_the_public_address_are_seen(serve: Serve) -> None:
    async with serve(public_url="https://cdn.example/lucy/") as address, httpx.AsyncClient() as client:
        headers = (await client.get(f"http://{address}/studio")).headers
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    for kind in ("img-src", "connect-src"):
        assert "https://cdn.example" in policy[kind].split(" ")
    assert "cdn.example" not in policy["script-src"]


@pytest.mark.parametrize("path", ["", *(f"/{name}" for name in SCRIPTS + MODEL)])
async def test_a_browser_asks_anew_and_is_told_that_nothing_has_changed(
    client: httpx.AsyncClient, path: str
) -> None:
    """After an upgrade no page may run with scripts of the one before."""
    first = await client.get(f"/studio{path}")
    assert first.headers["Cache-Control"] == "no-cache"
    again = await client.get(f"/studio{path}", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304


async def test_scripts_have_a_media_type_that_browsers_run(client: httpx.AsyncClient) -> None:
    """`nosniff` is set, so a module of another type is refused."""
    for name in ("main.js", "vendor/msgpack/encode.mjs", "vendor/pose/pose.js"):
        assert "javascript" in (await client.get(f"/studio/{name}")).headers["Content-Type"]
    for name, media_type in zip(MODEL, ("application/wasm", "application/octet-stream"), strict=True):
        assert (await client.get(f"/studio/{name}")).headers["Content-Type"] == media_type


@pytest.mark.parametrize(
    "path", ["../studio.py", "%2e%2e/settings.py", "..%2f..%2fpyproject.toml", "vendor/", "nothing.js"]
)
async def test_nothing_else_is_served(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(f"/studio/{path}")).status_code == 404


async def test_a_page_loads_without_a_key(serve: Serve) -> None:
    """The key is typed into the page."""
    async with serve(api_keys=KEY) as address, httpx.AsyncClient(base_url=f"http://{address}") as client:
        for path in ("/studio", "/studio/main.js"):
            assert (await client.get(path)).status_code == 200
        assert (await client.get("/api/fabric/catalog")).status_code == 401


async def test_the_page_s_files_are_not_counted(serve: Serve) -> None:
    """It fetches thirty in its first second."""
    async with (
        serve(rate_limit_per_address="3/minute") as address,
        httpx.AsyncClient(base_url=f"http://{address}") as client,
    ):
        assert {(await client.get("/studio/main.js")).status_code for _ in range(6)} == {200}
        assert [(await client.get("/studio")).status_code for _ in range(4)] == [200, 200, 200, 429]


@pytest.mark.parametrize(
    ("accept", "html"),
    [
        ("", False),
        ("*/*", False),
        ("application/json", False),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", True),
        ("application/json, text/html;q=0.5", False),
        ("application/json;q=0.5, Text/HTML", True),
        ("text/html;q=0", False),
        ("text/html;q=much", False),
    ],
)
def test_clients_that_prefer_html_are_redirected_to_the_studio(accept: str, html: bool) -> None:
    assert prefers_html(accept) is html


def test_the_studio_is_part_of_the_package() -> None:
    folder = files("frontend_proxy") / "studio"
    for name in [*SCRIPTS, *MODEL, "vendor/three.LICENSE", "vendor/pose/LICENSE", "vendor/msgpack/LICENSE"]:
        assert (folder / name).is_file()
