import asyncio
import socket
from typing import Any

import httpx
import pytest

from frontend_proxy.captures.public_addresses import InsideAddress, PublicTransport, is_public

INSIDE = [
    *("127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254"),
    *("100.64.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:7f00:1::"),
]


@pytest.mark.parametrize("address", INSIDE)
def test_what_lies_inside(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.215.14", "2606:4700:4700::1111", "::ffff:8.8.8.8"])
def test_what_lies_outside(address: str) -> None:
    assert is_public(address)


class Resolver:
    """A DNS whose answers change from one question to the next."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def __call__(self, host: str, port: int, **options: Any) -> list[Any]:
        self.asked += 1
        addresses = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Any:
    def install(*answers: list[str]) -> Resolver:
        resolver = Resolver(*answers)
        monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", lambda loop, *a, **o: resolver(*a, **o))
        return resolver

    return install


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/", "https://[::1]/", "https://[::ffff:10.0.0.1]:8443/", "https://localhost/",
        "https://2130706433/", "https://0x7f.1/", "https://169.254.169.254/latest/meta-data",
        "http://8.8.8.8/", "ftp://8.8.8.8/", "file:///etc/passwd", "https:///path", "//8.8.8.8/", "8.8.8.8",
        "https://user:password@8.8.8.8/", "https://no-such-host.invalid/",
    ],
)  # fmt: skip
async def test_urls_that_lead_inside_or_nowhere(url: str) -> None:
    with pytest.raises(InsideAddress):
        await PublicTransport().check(httpx.URL(url))


async def test_one_inside_address_among_many_is_enough(resolve: Any) -> None:
    resolve(["8.8.8.8", "10.0.0.1"])
    with pytest.raises(InsideAddress, match="not on the public internet"):
        await PublicTransport().check(httpx.URL("https://shop.example/hook"))


async def test_the_connection_goes_to_the_address_that_was_checked(
    resolve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rebinding: the second answer of the DNS must not matter, so there must be no second question."""
    resolver = resolve(["93.184.215.14"], ["127.0.0.1"])
    transport = PublicTransport()
    sent: list[httpx.Request] = []

    async def record(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200)

    monkeypatch.setattr(transport._http, "handle_async_request", record)
    async with httpx.AsyncClient(transport=transport) as client:
        await client.post("https://shop.example/hook")
    (request,) = sent
    assert request.url.host == "93.184.215.14"
    assert request.headers["Host"] == request.extensions["sni_hostname"] == "shop.example"
    assert resolver.asked == 1


async def test_every_attempt_is_checked_anew(resolve: Any) -> None:
    resolve(["8.8.8.8"], ["127.0.0.1"])
    transport = PublicTransport()
    await transport.check(httpx.URL("https://shop.example/"))
    async with httpx.AsyncClient(transport=transport) as client:
        with pytest.raises(InsideAddress):
            await client.post("https://shop.example/")


async def test_a_host_that_is_named_may_lie_inside() -> None:
    transport = PublicTransport(["LocalHost"])
    assert await transport.check(httpx.URL("http://localhost:8000/")) in ("127.0.0.1", "::1")
    with pytest.raises(InsideAddress):
        await transport.check(httpx.URL("http://127.0.0.1:8000/"))
