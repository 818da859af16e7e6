import json

import httpx
import pytest
import websockets

from tests.frontend_proxy.conftest import CAPTURE, FRAME, Serve


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/api/fabric/denim-blue", {"GET", "HEAD", "PUT", "DELETE"}),
        ("GET", "/api/fabric/scan", {"POST"}),
        ("DELETE", "/api/fabric/scan", {"POST"}),
        ("PUT", "/api/fabric/catalog", {"GET", "HEAD"}),
        ("PATCH", "/health", {"GET", "HEAD"}),
    ],
)
async def test_another_method_is_405_and_allow_lists_every_allowed_one(
    client: httpx.AsyncClient, method: str, path: str, allowed: set[str]
) -> None:
    """A scan's path was taken for a fabric of the id `scan`, and Allow listed the first route's methods."""
    refused = await client.request(method, path)
    assert (refused.status_code, refused.json()["code"]) == (405, "METHOD_NOT_ALLOWED")
    assert set(refused.headers["Allow"].split(", ")) == allowed


async def test_head_is_get_without_the_body(client: httpx.AsyncClient) -> None:
    head = await client.head("/api/fabric/denim-blue")
    assert (head.status_code, int(head.headers["Content-Length"]) > 0) == (200, True)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_a_wrong_method_is_told_the_right_ones(client: httpx.AsyncClient, method: str) -> None:
    refused = await client.request(method, "/health")
    assert refused.json()["detail"] == f"{method} is not possible at /health; send GET, HEAD"


@pytest.mark.parametrize(
    "path",
    ["/health/", "/health//", "//health", "/docs/", "/studio/", "/api//fabric/catalog/"],
)
async def test_slashes_too_many_change_nothing(client: httpx.AsyncClient, path: str) -> None:
    """Without a redirect, which sockets and many clients do not follow."""
    tidy = await client.get(path.replace("//", "/").rstrip("/"))
    untidy = await client.get(f"http://lucy.test{path}")
    assert (untidy.status_code, untidy.headers["Content-Type"]) == (200, tidy.headers["Content-Type"])


@pytest.mark.parametrize("path", ["/virtual-tryon/", "/api/virtual-tryon/", "//virtual-tryon//"])
async def test_a_post_keeps_its_body(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.post(f"http://lucy.test{path}", json=CAPTURE)
    assert (answer.status_code, answer.json()["success"]) == (200, True)
    status = await client.get(f"/virtual-tryon/{answer.json()['result_id']}/")
    assert status.json()["state"] == "succeeded"
    assert (await client.delete(f"/virtual-tryon/{answer.json()['result_id']}/")).status_code == 200


@pytest.mark.parametrize("path", ["/textures", "/textures/", "/studio/nothing/", "/results/"])
async def test_a_folder_is_not_found_and_not_redirected(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 404


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("/helth", "/health"),
        ("/api/ws", "/ws"),
        ("/api/fabrics/catalog", "/api/fabric/catalog"),
        ("/virtual_tryon", "/virtual-tryon"),
        ("/Health", "/health"),
        ("/q", "GET / lists"),
        ("/" + "x" * 5000, "GET / lists"),
    ],
)
async def test_an_unknown_path_is_told_a_near_one(client: httpx.AsyncClient, path: str, hint: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        answer = await client.request(method, path)
        body = answer.json()
        assert (answer.status_code, body["success"], body["code"]) == (404, False, "NOT_FOUND")
        assert hint in body["detail"]
        assert len(body["detail"]) < 300


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", ["/ws", "/ws/"])
async def test_the_socket_s_path_says_that_it_is_a_socket(
    client: httpx.AsyncClient, method: str, path: str
) -> None:
    answer = await client.request(method, path)
    assert (answer.status_code, answer.headers["Upgrade"]) == (426, "websocket")
    assert answer.json()["success"] is False
    assert "WebSocket" in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/ws/", "//ws", "/ws//"])
async def test_a_socket_with_slashes_too_many(serve: Serve, path: str) -> None:
    async with serve() as address, websockets.connect(f"ws://{address}{path}", proxy=None) as socket:
        await socket.send("\ufeff" + json.dumps({"type": "keyframe", "camera_frame": FRAME}))
        assert json.loads(await socket.recv())["type"] in ("keyframe_result", "error")


@pytest.mark.parametrize("path", ["/live", "/", "/health", "/ws/room", "/socket.io/?EIO=4"])
async def test_an_unknown_socket_gets_a_reason(serve: Serve, path: str) -> None:
    async with serve() as address:
        with pytest.raises(websockets.InvalidStatus) as refused:
            await websockets.connect(f"ws://{address}{path}", proxy=None)
    response = refused.value.response
    body = json.loads(response.body)
    assert (response.status_code, body["success"], body["code"]) == (404, False, "NOT_FOUND")
    assert "it is at /ws" in body["detail"]
