import socket
import ssl
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from frontend_proxy.captures.host_names import Resolver
from frontend_proxy.captures.public_addresses import ForbiddenAddress, PublicHttp, is_public

INTERNAL = [
    *("127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254"),
    *("100.64.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:7f00:1::"),
]


@pytest.mark.parametrize("address", INTERNAL)
def test_internal_addresses(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.215.14", "2606:4700:4700::1111", "::ffff:8.8.8.8"])
def test_public_addresses(address: str) -> None:
    assert is_public(address)


class Names:
    """A DNS whose answers change from one question to the next."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class Connection(httpx.AsyncBaseTransport):
    """Records the requests of one connection."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return httpx.Response(200, stream=Endless())


class Endless(httpx.AsyncByteStream):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            yield b"x"


def public_http(monkeypatch: pytest.MonkeyPatch, names: Names) -> tuple[PublicHttp, list[Connection]]:
    connections: list[Connection] = []

    def connect(http: PublicHttp) -> Connection:
        connections.append(Connection())
        return connections[-1]

    monkeypatch.setattr(PublicHttp, "_connection", connect)
    return PublicHttp(resolver=Resolver(names)), connections


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/", "https://[::1]/", "https://[::ffff:10.0.0.1]:8443/", "https://localhost/",
        "https://2130706433/", "https://0x7f.1/", "https://169.254.169.254/latest/meta-data",
        "http://8.8.8.8/", "ftp://8.8.8.8/", "file:///etc/passwd", "https:///path", "//8.8.8.8/", "8.8.8.8",
        "https://user:password@8.8.8.8/", "https://no-such-host.invalid/", "https://xn--0.example/",
        "https://8.8.8.8:0/", "https://8.8.8.8:65536/", f"https://8.8.8.8:{10**30}/",
        f"https://{'a' * 64}.example/",
        f"https://{'a.' * 1000}example/", "https://8.8.8.8%00.example/", "https://..../", "https://-/",
    ],
)  # fmt: skip
async def test_urls_that_lead_to_internal_addresses_or_nowhere(url: str) -> None:
    with pytest.raises(ForbiddenAddress):
        await PublicHttp().check(url)


async def test_one_internal_address_among_many_is_enough() -> None:
    http = PublicHttp(resolver=Resolver(Names(["8.8.8.8", "10.0.0.1"])))
    with pytest.raises(ForbiddenAddress, match="not on the public internet"):
        await http.check("https://shop.example/hook")


async def test_the_connection_goes_to_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rebinding: the second answer of the DNS must not matter, so there must be no second question."""
    names = Names(["93.184.215.14"], ["127.0.0.1"])
    http, connections = public_http(monkeypatch, names)
    assert await http.post("https://shop.example/hook", b"{}", {"A": "b"}) == 200
    (request,) = connections[0].requests
    assert request.url.host == "93.184.215.14"
    assert request.headers["Host"] == request.extensions["sni_hostname"] == "shop.example"
    assert request.headers["A"] == "b"
    assert names.asked == ["shop.example"]


async def test_every_attempt_is_checked_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    http, connections = public_http(monkeypatch, Names(["8.8.8.8"], ["127.0.0.1"]))
    await http.check("https://shop.example/")
    with pytest.raises(ForbiddenAddress):
        await http.post("https://shop.example/", b"", {})
    assert not connections


async def test_names_are_international_as_idna_2008_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python's own codec (IDNA 2003) asks for strasse.de, which belongs to somebody else."""
    names = Names(["93.184.215.14"])
    http, connections = public_http(monkeypatch, names)
    for url in ("https://straße.de/", "https://STRAßE.de/", "https://xn--strae-oqa.de/"):
        await http.post(url, b"", {})
    assert set(names.asked) == {"xn--strae-oqa.de"}
    for connection in connections:
        (request,) = connection.requests
        assert request.headers["Host"] == request.extensions["sni_hostname"] == "xn--strae-oqa.de"


async def test_names_of_one_address_share_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """TLS checks the certificate once per connection: the second name would go to the first one's server."""
    http, connections = public_http(monkeypatch, Names(["93.184.215.14"]))
    await http.post("https://shop.example/", b"", {})
    await http.post("https://other.example/", b"", {})
    assert [len(connection.requests) for connection in connections] == [1, 1]


async def test_certificates_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    http = PublicHttp()
    assert http._tls.check_hostname
    assert http._tls.verify_mode is ssl.CERT_REQUIRED


async def test_a_host_that_the_settings_name_may_be_internal() -> None:
    http = PublicHttp(["LocalHost", "straße.internal"], Resolver(Names(["10.0.0.1"])))
    assert await http.check("http://localhost:8000/") == "10.0.0.1"
    assert await http.check("http://xn--strae-oqa.internal/") == "10.0.0.1"
    with pytest.raises(ForbiddenAddress):
        await http.check("http://127.0.0.1:8000/")


async def test_the_real_resolver_knows_localhost(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **o: asked.append(a) or real(*a, **o))
    assert await PublicHttp(["localhost"]).check("http://localhost:8000/") in ("127.0.0.1", "::1")
    assert asked == [("localhost", 8000)]
