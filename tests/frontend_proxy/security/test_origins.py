import socket
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontend_proxy.errors import Forbidden
from frontend_proxy.origin import parse_origin
from frontend_proxy.security.origins import DIRECT_HOST, OriginPolicy

SHOP, EVIL = "https://shop.example", "http://evil.example:5000"


def scope(host: str, method: str = "POST", **headers: str) -> dict[str, Any]:
    named = {"host": host, **{name.replace("_", "-"): value for name, value in headers.items()}}
    raw = [(name.encode(), value.encode()) for name, value in named.items()]
    return {"type": "http", "method": method, "scheme": "http", "headers": raw}


def permits(policy: OriginPolicy, request: dict[str, Any]) -> bool:
    try:
        policy.check(request)
    except Forbidden:
        return False
    return True


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("https://shop.example:443", "https://shop.example"),
        ("http://shop.example:80", "http://shop.example"),
        ("http://shop.example:443", "http://shop.example:443"),
        ("HTTPS://Shop.Example", "https://shop.example"),
        ("http://[::1]:5000", "http://[::1]:5000"),
        ("https://straße.de", "https://xn--strae-oqa.de"),
        ("capacitor://localhost", "capacitor://localhost"),
    ],
)
def test_an_origin_is_normalised_as_browsers_write_it(text: str, normal: str) -> None:
    assert str(parse_origin(text)) == normal


@pytest.mark.parametrize(
    "text",
    [
        "null",
        "",
        "shop.example",
        "https://shop.example/",
        "https://a@shop.example",
        "https://a b",
        "https://a:x",
    ],
)
def test_other_text_is_no_origin(text: str) -> None:
    assert parse_origin(text) is None


@given(st.text())
def test_any_text_is_an_origin_or_none(text: str) -> None:
    parse_origin(text)
    parse_origin(f"https://{text}")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "QUERY"])
def test_a_page_of_another_origin_sends_no_unsafe_request(method: str) -> None:
    policy = OriginPolicy([SHOP], None)
    assert permits(policy, scope("localhost:5000", method, origin=SHOP))
    for origin in (
        EVIL,
        "null",
        "",
        "https://shop.example.evil.example",
        "http://shop.example",
        SHOP + ":444",
    ):
        assert not permits(policy, scope("localhost:5000", method, origin=origin))


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_safe_requests_are_not_checked(method: str) -> None:
    assert permits(OriginPolicy([SHOP], None), scope("localhost:5000", method, origin=EVIL))


def test_by_default_every_page_may_call() -> None:
    """The frontends run on origins that the server does not know."""
    policy = OriginPolicy(["*"], None)
    for origin in (EVIL, "null", SHOP):
        assert permits(policy, scope("evil.example", origin=origin))
    assert permits(policy, scope("evil.example", sec_fetch_site="cross-site"))


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("localhost:5000", "http://localhost:5000"),
        ("localhost", "http://localhost"),
        ("localhost:443", "https://localhost"),
        ("lucy.localhost:5000", "http://lucy.localhost:5000"),
        ("127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("192.168.1.5:5000", "http://192.168.1.5:5000"),
        ("[::1]:5000", "http://[::1]:5000"),
        (f"{socket.gethostname()}:5000", f"http://{socket.gethostname()}:5000"),
    ],
)
def test_the_server_s_own_pages_may_call_at_an_address_of_this_machine(host: str, origin: str) -> None:
    assert permits(OriginPolicy([], None), scope(host, origin=origin))
    assert not permits(OriginPolicy([], None), scope(host, origin=origin + "1"))


def test_dns_rebinding_fails() -> None:
    """The attacker's host name resolves to this server, so Origin and Host agree."""
    for policy in (OriginPolicy([SHOP], None), OriginPolicy([SHOP], "https://tryon.example")):
        assert not permits(policy, scope("evil.example:5000", origin=EVIL))
        assert not permits(policy, scope("evil.example:5000", sec_fetch_site="same-origin"))
        forwarded = scope("evil.example:5000", origin=EVIL) | {DIRECT_HOST: "evil.example:5000"}
        assert not permits(policy, forwarded), "a page may set X-Forwarded-Host, but not Host"


def test_public_url_is_the_server_s_own_origin() -> None:
    policy = OriginPolicy([], "https://tryon.example:443/lucy/")
    assert permits(policy, scope("tryon.example:443", origin="https://tryon.example"))
    assert permits(policy, scope("10.0.0.7:5000", origin="https://tryon.example"))
    assert not permits(policy, scope("tryon.example", origin="http://tryon.example"))


def test_a_host_that_a_trusted_proxy_has_replaced_is_the_server_s_own() -> None:
    request = scope("tryon.example", origin="https://tryon.example")
    for direct in ("lucy:5000", "127.0.0.1:5000", "lucy.internal"):
        assert permits(OriginPolicy([], None), request | {DIRECT_HOST: direct})


@pytest.mark.parametrize(
    ("site", "permitted"),
    [
        (None, True),
        ("none", True),
        ("same-origin", True),
        ("same-site", False),
        ("cross-site", False),
        ("x", False),
    ],
)
def test_without_an_origin_the_browser_s_sec_fetch_site_decides(site: str | None, permitted: bool) -> None:
    headers = {} if site is None else {"sec_fetch_site": site}
    assert permits(OriginPolicy([SHOP], None), scope("localhost:5000", **headers)) is permitted
