from typing import Any

import pytest

from frontend_proxy.security.forwarded import ForwardedHeaders
from frontend_proxy.security.origins import DIRECT_HOST


async def forwarded(client: str | None, trusted: str = "127.0.0.1,::1", **headers: str) -> dict[str, Any]:
    """The scope that the application sees."""
    named = {"host": "lucy:5000", **{name.replace("_", "-"): value for name, value in headers.items()}}
    raw = [(name.encode(), value.encode()) for name, value in named.items()]
    scope = {"type": "http", "scheme": "http", "headers": raw, "client": client and (client, 1)}

    async def app(seen: Any, receive: Any, send: Any) -> None:
        assert seen is scope, "uvicorn logs its own scope, which must lose its credentials, too"

    await ForwardedHeaders(app, trusted)(scope, None, None)  # type: ignore[arg-type]
    return {**scope, "hosts": [value.decode() for name, value in scope["headers"] if name == b"host"]}


FORWARDED = {
    "x_forwarded_host": "tryon.example, inner.example",
    "x_forwarded_proto": "https",
    "x_forwarded_for": "192.0.2.1",
}


@pytest.mark.parametrize("client", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
async def test_a_trusted_proxy_names_client_scheme_and_host(client: str) -> None:
    scope = await forwarded(client, **FORWARDED)
    assert (scope["client"][0], scope["scheme"]) == ("192.0.2.1", "https")
    assert (scope["hosts"], scope[DIRECT_HOST]) == (["tryon.example"], "lucy:5000")


@pytest.mark.parametrize("client", ["192.0.2.9", "::ffff:192.0.2.9", None])
async def test_others_cannot(client: str | None) -> None:
    scope = await forwarded(client, **FORWARDED)
    assert scope["client"] is None or scope["client"][0] == "192.0.2.9"
    assert (scope["scheme"], scope["hosts"]) == ("http", ["lucy:5000"])
    assert DIRECT_HOST not in scope


@pytest.mark.parametrize("host", ["", "a b", "evil.example/path", "a\x1b[2J", "täst.example"])
async def test_text_that_is_no_host_is_ignored(host: str) -> None:
    scope = await forwarded("127.0.0.1", x_forwarded_host=host)
    assert scope["hosts"] == ["lucy:5000"]
    assert DIRECT_HOST not in scope
