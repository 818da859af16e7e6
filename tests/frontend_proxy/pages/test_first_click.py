"""Swagger UI's "Try it out" in a real browser: two files or one, then Execute, and nothing else."""

import base64
import shutil

import pytest
from playwright.async_api import async_playwright

from tests.frontend_proxy.conftest import FRAME, RENDER, Serve, encoded

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
CLOTH = "data:image/jpeg;base64," + encoded("RGB", "JPEG", (96, 96), "olive")


@pytest.mark.sampled(1)
@pytest.mark.skipif(
    CHROMIUM is None, reason="there is no Chromium on the PATH; `apt install chromium` brings one"
)
@pytest.mark.parametrize(
    ("operation", "pictures"),
    [("capture", {"user_image": FRAME, "jacket_render": RENDER}), ("scan", {"image": CLOTH})],
)
async def test_the_first_click_succeeds(serve: Serve, operation: str, pictures: dict[str, str]) -> None:
    """It sends a sample for every field, which it makes of the schema; a null default was sent as `null`."""
    path = {"capture": "/virtual-tryon", "scan": "/api/fabric/scan"}[operation]
    async with (
        serve(workers=True) as address,
        async_playwright() as playwright,
        await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"]) as browser,
    ):
        page = await browser.new_page()
        page.set_default_timeout(60_000)
        await page.goto(f"http://{address}/docs")
        block = (
            page.locator(".opblock", has=page.locator(f'[data-path="{path}"]')).filter(has_text="POST").first
        )
        await block.locator(".opblock-summary").click()
        await block.locator("select[aria-label='Request content type']").select_option("multipart/form-data")
        for name, uri in pictures.items():
            file = {"name": name, "mimeType": "image/jpeg", "buffer": base64.b64decode(uri.partition(",")[2])}
            await block.locator(f'[data-property-name="{name}"] input[type=file]').set_input_files(file)  # type: ignore[arg-type]
        async with page.expect_response(lambda response: response.url.endswith(path)) as waiting:
            await block.locator("button.execute").click()
        response = await waiting.value
        assert response.status == 200, await response.text()
