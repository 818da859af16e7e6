import base64
import json
from typing import Any, get_args

import httpx
import pytest

from catalog import Catalog, CatalogError, Fabric, FabricDetails
from catalog.errors import Code as CatalogCode
from fabric import FabricError
from fabric.drape import DRAPES, NAMES
from fabric.errors import Code as FabricCode
from frontend_proxy.errors import ProxyError
from frontend_proxy.fabrics.catalog_routes import translated_errors
from frontend_proxy.settings import Settings
from tests.frontend_proxy.conftest import Serve, encoded

CATALOG = "/api/fabric/catalog"
MAPS = {
    role: (base64.b64decode(encoded("RGB", "PNG", colour=colour)), "image/png")
    for role, colour in {
        "diffuse": "navy",
        "normal": "#8080ff",
        "roughness_map": "white",
        "thumbnail": "blue",
    }.items()
}


@pytest.fixture
def catalog(settings: Settings) -> Catalog:
    """On the folder of the proxy under test."""
    return Catalog(settings.catalog_dir)


@pytest.fixture
def mine(catalog: Catalog) -> Fabric:
    details = FabricDetails(
        name="Grey herringbone",
        description="From the attic.",
        tags=("wool", "grey"),
        roughness=0.8,
        material={"sheen": 0.7},
    )
    return catalog.add(details, MAPS)


@pytest.mark.parametrize(
    "error",
    [
        *(FabricError(code, "why") for code in get_args(FabricCode)),
        *(CatalogError(code, "why") for code in get_args(CatalogCode)),
    ],
    ids=lambda error: error.code,
)
def test_every_refusal_is_translated(error: Exception) -> None:
    """A code that the table lacks would be an internal error."""
    with pytest.raises(ProxyError, match="why"), translated_errors():
        raise error


async def listed(client: httpx.AsyncClient, **query: str) -> set[str]:
    body = (await client.get(CATALOG, params=query)).json()
    assert body["count"] == len(body["fabrics"])
    return {fabric["id"] for fabric in body["fabrics"]}


async def test_the_catalog_s_urls_lead_to_its_textures(client: httpx.AsyncClient, mine: Fabric) -> None:
    body = (await client.get(CATALOG, headers={"Host": "shop.test:8080"})).json()
    assert body["success"] is True
    assert mine.id in {fabric["id"] for fabric in body["fabrics"]}
    for fabric in body["fabrics"]:
        needed = {"diffuseUrl", "normalUrl", "roughnessUrl", "thumbnail"}
        assert {"id", "name", "roughness", "metalness", *needed} <= fabric.keys()
        assert "color" not in fabric  # it makes the client ignore the textures
        for name in {"thumbnail", *(field for field in fabric if field.endswith("Url"))}:
            assert fabric[name].startswith("http://shop.test:8080/textures/")
            assert (await client.head(fabric[name])).status_code == 200


async def test_a_public_url_has_priority_over_the_request_s_host(serve: Serve) -> None:
    async with serve(public_url="https://cdn.example/lucy/") as address, httpx.AsyncClient() as client:
        body = (await client.get(f"http://{address}{CATALOG}")).json()
    assert body["fabrics"][0]["diffuseUrl"].startswith("https://cdn.example/lucy/textures/")


async def test_a_trusted_reverse_proxy_s_scheme_is_believed(serve: Serve) -> None:
    """Else a page on https gets textures on http, which browsers block as mixed content."""
    forwarded = {"X-Forwarded-Proto": "https", "Host": "shop.example"}
    for trusted, scheme in (("127.0.0.1", "https"), ("10.0.0.1", "http")):
        async with serve(forwarded_allow_ips=trusted) as address, httpx.AsyncClient() as client:
            body = (await client.get(f"http://{address}{CATALOG}", headers=forwarded)).json()
        assert body["fabrics"][0]["diffuseUrl"].startswith(f"{scheme}://shop.example/textures/")


async def test_an_unchanged_catalog_is_not_sent_again(client: httpx.AsyncClient) -> None:
    first = await client.get(CATALOG, headers={"Origin": "https://shop.example"})
    etag = first.headers["ETag"]
    assert etag.startswith('"')  # strong
    assert first.headers["Cache-Control"] == "no-cache"
    assert "ETag" in first.headers["Access-Control-Expose-Headers"]
    for seen in (etag, f"W/{etag}", f'"another", {etag}', "*"):
        again = await client.get(CATALOG, headers={"If-None-Match": seen})
        assert (again.status_code, again.content) == (304, b"")
        assert (again.headers["ETag"], again.headers["Cache-Control"]) == (etag, "no-cache")
    assert (await client.get(CATALOG, headers={"If-None-Match": '"another"'})).status_code == 200


async def test_the_etag_differs_where_the_answer_does(client: httpx.AsyncClient, catalog: Catalog) -> None:
    """Absolute URLs: one host's answer is not another's. Two filters must not look alike when joined."""

    async def etag(host: str = "a.test", **query: str) -> str:
        return (await client.get(CATALOG, params=query, headers={"Host": host})).headers["ETag"]

    etags = [
        await etag(),
        await etag(host="b.test"),
        await etag(tag="wool"),
        await etag(text="wool"),
        await etag(tag="a", text="b&c"),
        await etag(tag="a&b", text="c"),
    ]
    fabric = catalog.add(FabricDetails(name="New", roughness=1), MAPS)
    etags.append(await etag())
    catalog.replace(fabric.id, FabricDetails(name="Newer", roughness=1))
    etags.append(await etag())
    assert len(set(etags)) == len(etags)
    catalog.delete(fabric.id)
    assert await etag() == etags[0]


async def test_filters(client: httpx.AsyncClient, mine: Fabric) -> None:
    assert mine.id in await listed(client, tag="Wool")
    assert mine.id in await listed(client, text="attic HERRING")
    assert mine.id in await listed(client, tag="grey", text="herringbone")
    assert mine.id not in await listed(client, tag="silk")
    assert await listed(client, text="attic nowhere") == set()
    assert await listed(client, tag="", text="") == await listed(client) > {mine.id}


async def test_one_fabric_is_as_in_the_catalog(client: httpx.AsyncClient, mine: Fabric) -> None:
    body = (await client.get(f"/api/fabric/{mine.id}")).json()
    (entry,) = (await client.get(CATALOG, params={"text": mine.id})).json()["fabrics"]
    assert body == {"success": True, "fabric": entry}
    assert entry["description"] == "From the attic."


async def test_put_replaces_the_details_and_keeps_the_textures(
    client: httpx.AsyncClient, settings: Settings, mine: Fabric
) -> None:
    url = f"/api/fabric/{mine.id}"
    response = await client.put(url, json={"name": "Grey twill", "tags": ["Twill"], "roughness": 0.5})
    assert response.status_code == 200
    fabric = response.json()["fabric"]
    assert (fabric["id"], fabric["name"], fabric["tags"]) == (mine.id, "Grey twill", ["twill"])
    assert "description" not in fabric  # replaced, not merged
    assert fabric["diffuseUrl"] == "http://lucy.test" + mine.diffuseUrl
    assert (await client.get(url)).json()["fabric"] == fabric
    assert Catalog(settings.catalog_dir).get(mine.id).name == "Grey twill"  # after a restart, too


async def test_what_get_answers_can_be_put_back(client: httpx.AsyncClient, mine: Fabric) -> None:
    url = f"/api/fabric/{mine.id}"
    fabric = (await client.get(url)).json()["fabric"]
    changed = {**fabric, "name": "Renamed", "id": "elsewhere", "diffuseUrl": "http://evil.example/x"}
    assert (await client.put(url, json=changed)).json()["fabric"] == {**fabric, "name": "Renamed"}


async def test_delete_removes_the_fabric_and_its_textures(client: httpx.AsyncClient, mine: Fabric) -> None:
    texture = mine.diffuseUrl
    assert (await client.get(texture)).status_code == 200
    response = await client.delete(f"/api/fabric/{mine.id}")
    assert (response.status_code, response.json()) == (200, {"success": True, "fabric_id": mine.id})
    assert mine.id not in await listed(client)
    assert (await client.get(texture)).status_code == 404
    assert (await client.delete(f"/api/fabric/{mine.id}")).status_code == 404


@pytest.mark.parametrize(
    ("method", "fabric_id", "status", "code"),
    [
        ("GET", "nothing", 404, "NOT_FOUND"),
        ("GET", "%2e%2e%2f%2e%2e", 404, "NOT_FOUND"),
        ("PUT", "nothing", 404, "NOT_FOUND"),
        ("DELETE", "nothing", 404, "NOT_FOUND"),
        ("DELETE", "%2e%2e%2fcatalog", 404, "NOT_FOUND"),
        ("PUT", "denim-blue", 403, "READ_ONLY"),
        ("DELETE", "denim-blue", 403, "READ_ONLY"),
        ("PATCH", "denim-blue", 405, "METHOD_NOT_ALLOWED"),
    ],
)
async def test_unknown_and_built_in_fabrics(
    client: httpx.AsyncClient, mine: Fabric, method: str, fabric_id: str, status: int, code: str
) -> None:
    before = await listed(client)
    response = await client.request(method, f"/api/fabric/{fabric_id}", json={"name": "Mine", "roughness": 1})
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert await listed(client) == before


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"roughness": 1}, "name"),
        ({"name": " ", "roughness": 1}, "name"),
        ({"name": "A"}, "roughness"),
        ({"name": "A", "roughness": 2}, "roughness"),
        ({"name": "A", "roughness": 1, "tag": ["wool"]}, "tag"),
        ({"name": "A", "roughness": 1, "tags": "wool"}, "tags"),
        ({"name": "A", "roughness": 1, "tags": [1]}, "tags.0"),
        ({"name": "A", "roughness": 1, "material": {"repeat": [10**400, 1]}}, "material"),
    ],
)
async def test_wrong_details_are_named_and_change_nothing(
    client: httpx.AsyncClient, mine: Fabric, fields: dict[str, Any], named: str
) -> None:
    url = f"/api/fabric/{mine.id}"
    before = (await client.get(url)).json()
    response = await client.put(url, json=fields)
    assert (response.status_code, response.json()["code"]) == (400, "INVALID_INPUT")
    assert response.json()["error"].startswith(f"{named}: ")
    assert (await client.get(url)).json() == before


async def test_nan_never_gets_into_the_catalog(client: httpx.AsyncClient, mine: Fabric) -> None:
    """A NaN in one owner's `material` would make the whole list unreadable for browsers."""
    fields = {"name": "A", "roughness": 1, "material": {"sheen": float("nan")}}
    response = await client.put(f"/api/fabric/{mine.id}", content=json.dumps(fields))
    assert response.json()["fabric"]["material"] == {"sheen": None}
    assert "NaN" not in (await client.get(CATALOG)).text


async def test_details_have_a_size_limit(client: httpx.AsyncClient, mine: Fabric) -> None:
    fields = {"name": "A", "roughness": 1, "provenance": {"photo": "x" * 2**17}}
    response = await client.put(f"/api/fabric/{mine.id}", json=fields)
    assert (response.status_code, response.json()["code"]) == (413, "OVERLOADED")


async def test_two_proxies_on_one_folder_see_each_other_s_fabrics(
    client: httpx.AsyncClient, serve: Serve, mine: Fabric
) -> None:
    async with serve() as address, httpx.AsyncClient(base_url=f"http://{address}") as other:
        assert (await other.delete(f"/api/fabric/{mine.id}")).status_code == 200
    assert (await client.get(f"/api/fabric/{mine.id}")).status_code == 404


async def test_every_fabric_says_how_it_drapes(client: httpx.AsyncClient, mine: Fabric) -> None:
    fabrics = (await client.get(CATALOG)).json()["fabrics"]
    assert len(fabrics) > 10
    for fabric in fabrics:
        assert fabric["drape_ranges"].keys() == set(NAMES)
        for name, (low, high) in fabric["drape_ranges"].items():
            assert low <= fabric[name] <= high, (fabric["id"], name)
    by_id = {fabric["id"]: fabric for fabric in fabrics}
    assert by_id["denim-blue"]["fabric_class"] == "denim"
    assert by_id["denim-blue"]["weight_gsm"] > 3 * by_id["silk-champagne"]["weight_gsm"]
    assert by_id[mine.id]["fabric_class"] == "wool"  # one of its tags


async def test_an_owner_writes_what_was_measured(client: httpx.AsyncClient, mine: Fabric) -> None:
    url = f"/api/fabric/{mine.id}"
    details = {"name": "A", "roughness": 1, "fabric_class": "silk", "weight_gsm": 91.5, "bend": 3}
    fabric = (await client.put(url, json=details)).json()["fabric"]
    assert (fabric["weight_gsm"], fabric["bend"]) == (91.5, 3)
    assert fabric["thickness_mm"] == DRAPES["silk"].values["thickness_mm"]
    for wrong in ({"weight_gsm": 0}, {"stretch_weft": -1}, {"bend": "stiff"}):
        response = await client.put(url, json={**details, **wrong})
        assert (response.status_code, response.json()["code"]) == (400, "INVALID_INPUT")
        assert next(iter(wrong)) in response.json()["error"]


async def test_the_tile_s_size_on_the_cloth_is_told(client: httpx.AsyncClient, mine: Fabric) -> None:
    url = f"/api/fabric/{mine.id}"
    fabric = (await client.get(url)).json()["fabric"]
    assert fabric["tile_aspect"] == 1
    assert "repeat_mm" not in fabric  # nobody has told the photo's scale
    details = {"name": "A", "roughness": 1, "tile_width_mm": 60, "material": {"repeat": [1, 1.5]}}
    fabric = (await client.put(url, json=details)).json()["fabric"]
    assert (fabric["tile_aspect"], fabric["repeat_mm"]) == (1.5, [60, 40])


@pytest.mark.parametrize("repeat", [None, 1, "wide", [1], [0, 1], [1, 0], ["a", "b"], [1, 1e9]])
async def test_a_repeat_that_is_none_is_a_square_tile(
    client: httpx.AsyncClient, mine: Fabric, repeat: object
) -> None:
    """`material` is its owner's: whatever is in it, the list stays readable."""
    details = {"name": "A", "roughness": 1, "material": {"repeat": repeat}}
    answer = await client.put(f"/api/fabric/{mine.id}", json=details)
    assert answer.json()["fabric"]["tile_aspect"] == 1
