import httpx
import pytest


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
