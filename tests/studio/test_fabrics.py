"""Fabrics: found in the catalog, scanned from a photo, saved, worn, deleted."""

import time
from urllib.parse import parse_qs, urlsplit

import cv2
import httpx
import numpy as np
import pytest
from playwright.sync_api import expect
from pxr import Usd, UsdGeom, UsdValidation

from tests.fabric.packs.test_gltf import validate  # noqa: F401
from tests.studio.cloth import CORNERS, SIZE, photograph
from tests.studio.conftest import WITHIN_MS


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    return photograph(tmp_path_factory.mktemp("photo") / "attic_plaid.jpg")


@pytest.mark.nightly
def test_search_by_text_and_tag(open_studio):
    page = open_studio("fabrics")
    entries = page.locator(".fabric-grid li")
    expect(entries).not_to_have_count(0)
    page.get_by_label("Search").fill("plaid")
    expect(entries).to_have_count(1)
    expect(page.locator("[data-fabric=flannel-plaid]")).to_be_visible()
    page.get_by_label("Search").fill("")
    page.get_by_label("Tag").select_option("jeans")
    expect(entries).to_have_count(1)
    page.locator("[data-fabric=denim-blue] .fabric").click()
    expect(page.locator("[data-fabric=denim-blue] .fabric")).to_have_attribute("aria-pressed", "true")


@pytest.mark.nightly
def test_the_light_moves_until_it_is_stopped(open_studio):
    page = open_studio("fabrics", reduced_motion="no-preference")
    cloth = page.locator(".tile-stage canvas[data-fabric]")
    expect(cloth).to_be_visible()
    seen = cloth.screenshot()
    deadline = time.monotonic() + WITHIN_MS / 1000
    while cloth.screenshot() == seen:
        assert time.monotonic() < deadline
    page.get_by_role("button", name="Stop the light").click()
    expect(page.get_by_role("button", name="Move the light")).to_be_visible()


def test_a_photo_becomes_a_fabric_of_the_catalog(open_studio, screenshot, photo):
    page = open_studio("fabrics")
    page.get_by_label("A photo of the fabric", exact=True).set_input_files(photo)
    state = page.locator(".scan-state")
    expect(state).to_have_text("The cloth's corners were found.")
    expect(page.locator(".maps li")).to_have_count(6)
    expect(page.locator(".tile-stage canvas[data-fabric^=custom-]")).to_be_visible()
    expect(page.locator(".advice")).to_be_visible()
    found = corners(page)
    assert np.abs(found - CORNERS / SIZE).max() < 0.03
    screenshot(page, "fabrics-scan")

    first, second = (
        page.get_by_role("button", name=name) for name in ("Top left corner", "Bottom right corner")
    )
    for _ in range(2):
        first.press("Shift+ArrowRight")
    box = second.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] - 40, box["y"] - 40, steps=3)
    page.mouse.up()
    moved = corners(page)
    assert moved[0, 0] == pytest.approx(found[0, 0] + 0.1, abs=0.01)
    assert (moved[2] < found[2] - 0.05).all()
    assert (moved[[1, 3]] == found[[1, 3]]).all()
    page.get_by_role("button", name="Scan again").click()
    expect(state).to_have_text("Scanned within your corners.")
    assert (corners(page) == moved).all()

    page.get_by_label("Name").fill("Attic plaid")
    page.get_by_label("Kind of cloth").select_option("flannel")
    page.get_by_role("button", name="Save to the catalog").click()
    expect(state).to_have_text("“Attic plaid” is in the catalog.")
    page.get_by_role("button", name="Try it on").click()
    expect(page.locator("#panel-tryon .chosen")).to_have_text("Attic plaid")
    expect(page.locator(".stage.answered")).to_be_visible()

    page.locator("#tab-fabrics").click()
    saved = page.locator(".fabric-grid li", has_text="Attic plaid")
    expect(saved).to_have_count(1)
    page.get_by_role("button", name="Delete Attic plaid").click()
    page.get_by_role("button", name="Delete it").click()
    expect(saved).to_have_count(0)


@pytest.mark.nightly
def test_another_file_is_refused_with_an_explanation(open_studio, tmp_path):
    page = open_studio("fabrics", forgiven="400")
    path = tmp_path / "notes.jpg"
    path.write_text("not a photo")
    page.get_by_label("A photo of the fabric", exact=True).set_input_files(path)
    expect(page.locator(".scan-state.problem")).not_to_be_empty()


@pytest.mark.nightly
def test_a_photo_that_only_the_server_can_read(open_studio, photo, tmp_path):
    """Its corners lay on a broken picture."""
    scanned = tmp_path / "plaid.tiff"
    cv2.imwrite(str(scanned), cv2.imread(str(photo)))
    page = open_studio("fabrics")
    chooser = page.get_by_label("A photo of the fabric", exact=True)
    chooser.set_input_files(scanned)
    state = page.locator(".scan-state")
    expect(state).to_have_text("The cloth's corners were found. This browser cannot show the photo.")
    expect(page.locator(".corner").first).to_be_hidden()
    chooser.set_input_files(photo)
    expect(state).to_have_text("The cloth's corners were found.")
    expect(page.locator(".corner").first).to_be_visible()


@pytest.mark.nightly
def test_a_scan_while_the_server_is_away_is_tried_again(open_studio, photo):
    page = open_studio("fabrics", forgiven="ERR_")
    expect(page.locator(".tile-stage canvas[data-fabric]")).to_be_visible()
    page.context.set_offline(True)
    page.get_by_label("A photo of the fabric", exact=True).set_input_files(photo)
    expect(page.locator(".scan-state.problem")).to_contain_text("cannot be reached")
    page.context.set_offline(False)
    page.get_by_role("button", name="Scan again").click()
    expect(page.locator(".scan-state")).to_have_text("The cloth's corners were found.")
    page.get_by_label("Kind of cloth").select_option("flannel")


def corners(page):
    """(4, 2), the handles' places as shares of the photo."""
    places = page.locator(".corner").evaluate_all("all => all.map(({ style }) => [style.left, style.top])")
    return np.array([[float(value.rstrip("%")) / 100 for value in place] for place in places])


@pytest.mark.nightly
def test_a_fabric_is_taken_away_as_a_file(open_studio, tmp_path):
    page = open_studio("fabrics")
    page.locator("[data-fabric=denim-blue] .fabric").click()
    for button, name, begins in (("GLB", "denim-blue.glb", b"glTF"), ("USDZ", "denim-blue.usdz", b"PK")):
        with page.expect_download() as download:
            page.get_by_role("button", name=button).click()
        assert download.value.suggested_filename == name
        assert download.value.path().read_bytes().startswith(begins)


@pytest.mark.nightly
def test_the_jacket_in_a_fabric_is_taken_away_as_a_file(open_studio, validate):  # noqa: F811
    """Made in the browser; each format's own validator finds nothing."""
    page = open_studio("fabrics")
    page.locator("[data-fabric=silk-champagne] .fabric").click()
    files = {}
    for button, name in (("Jacket (glTF)", "jacket.glb"), ("Jacket (USD)", "jacket.usdz")):
        with page.expect_download() as download:
            page.get_by_role("button", name=button).click()
        assert download.value.suggested_filename == f"silk-champagne-{name}"
        files[name] = download.value.path()
    assert validate(files["jacket.glb"].read_bytes())["messages"] == []

    usdz = files["jacket.usdz"].rename(files["jacket.usdz"].with_suffix(".usdz"))
    stage = Usd.Stage.Open(str(usdz))
    validators = UsdValidation.ValidationRegistry().GetOrLoadAllValidators()
    assert UsdValidation.ValidationContext(validators).Validate(stage) == []
    bounds = UsdGeom.BBoxCache(Usd.TimeCode.Default(), ["default"])
    size = bounds.ComputeWorldBound(stage.GetDefaultPrim()).GetRange().GetSize()
    assert UsdGeom.GetStageMetersPerUnit(stage) == 1
    assert (size[0], size[1]) == pytest.approx((0.69, 0.66), abs=0.03)


ANDROID = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/130.0.0.0 Mobile Safari/537.36"
SCENE_LINK = """async ([baseUrl, apiKey, saved]) => {
  const { FabricPacks } = await import("/studio/fabric_packs.js");
  const packs = new FabricPacks({ client: { baseUrl, apiKey } });
  packs.show({ id: "denim-blue", name: "Denim & more" }, saved);
  return packs.element.querySelector("a")?.href ?? null;
}"""


@pytest.mark.nightly
def test_android_shows_the_cloth_in_the_room_by_a_link(open_studio):
    """Scene Viewer fetches the file by itself: only by https, without a key, and only what the server has."""
    page = open_studio("fabrics", user_agent=ANDROID)
    link = page.evaluate(SCENE_LINK, ["https://shop.example", None, True])
    address, intent = link.split("#")
    query = parse_qs(urlsplit(address).query)
    assert address.startswith("intent://arvr.google.com/scene-viewer/1.0?")
    assert query["file"] == ["https://shop.example/api/fabric/denim-blue/pack?format=gltf"]
    assert query["title"] == ["Denim & more"]
    assert "package=com.google.ar.core" in intent
    assert intent.endswith(";end;")
    for nowhere in (["http://shop.example", None, True], ["https://shop.example", "key", True]):
        assert page.evaluate(SCENE_LINK, nowhere) is None
    assert page.evaluate(SCENE_LINK, ["https://shop.example", None, False]) is None
    assert open_studio("fabrics").evaluate(SCENE_LINK, ["https://shop.example", None, True]) is None


@pytest.mark.nightly
def test_a_scan_is_saved_before_it_is_taken_away(open_studio, photo):
    page = open_studio("fabrics")
    page.get_by_label("A photo of the fabric", exact=True).set_input_files(photo)
    expect(page.locator(".tile-stage canvas[data-fabric^=custom-]")).to_be_visible()
    expect(page.get_by_role("button", name="GLB")).to_be_disabled()
    expect(page.get_by_text("Save it to the catalog first")).to_be_visible()


@pytest.mark.nightly
def test_an_owner_corrects_how_a_fabric_drapes(open_studio, screenshot, stack, photo):
    with httpx.Client(base_url=stack.url, timeout=60) as api:
        fields = {"name": "Stiff felt", "fabric_class": "felt", "size": "256", "save": "true"}
        saved = api.post("/api/fabric/scan", data=fields, files={"image": photo.read_bytes()}).json()
        page = open_studio("fabrics")
        page.locator("[data-fabric=denim-blue] .fabric").click()
        page.get_by_text("How it drapes").click()
        expect(page.get_by_label("Weight, g/m²")).to_have_value("400")
        expect(page.get_by_role("button", name="Save these values")).to_be_hidden()  # it is built in
        page.locator(f"[data-fabric={saved['fabric_id']}] .fabric").click()
        page.get_by_label("Weight, g/m²").fill("444")
        page.get_by_label("Stiffness, µN·m").scroll_into_view_if_needed()
        screenshot(page, "fabrics-drape")
        page.get_by_role("button", name="Save these values").click()
        expect(page.get_by_text("Saved.", exact=True)).to_be_visible()
        fabric = api.get(f"/api/fabric/{saved['fabric_id']}").json()["fabric"]
        assert (fabric["weight_gsm"], fabric["bend"]) == (444, saved["bend"])
        api.delete(f"/api/fabric/{saved['fabric_id']}")


@pytest.mark.nightly
def test_soft_cloth_has_deeper_creases_than_stiff_cloth(open_studio):
    page = open_studio("fabrics")
    soft, denim, stiff = page.evaluate(
        """async () => {
          const { creasing, torsoPoint } = await import("/studio/pattern.js");
          const { Vector3 } = await import("/studio/vendor/three.module.js");
          const [down, across] = [new Vector3(0, -1, 0), new Vector3(1, 0, 0)];
          const body = { middle: new Vector3(), down, across, unit: 1 };
          const depth = (bend) => {
            const at = (cloth) => torsoPoint({ ...body, creasing: cloth }, 0.6, 0.3).z;
            return Math.abs(at(creasing({ bend })) - at(0));
          };
          return [depth(2.5), depth(undefined), depth(250)];
        }"""
    )
    assert soft > 1.2 * denim > 1.2 * 1.1 * stiff > 0
