import asyncio
import threading
from collections.abc import Iterator

import pytest

from frontend_proxy.captures import host_names
from frontend_proxy.captures.host_names import Resolver, UnknownHost, ascii_host


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("Shop.Example", "shop.example"),
        ("straße.de", "xn--strae-oqa.de"),
        ("faß.de", "xn--fa-hia.de"),
        ("βόλος.com", "xn--nxasmm1c.com"),  # a final sigma, which IDNA 2003 changes
        ("Bücher.example", "xn--bcher-kva.example"),
        ("xn--strae-oqa.de", "xn--strae-oqa.de"),
        ("my_service", "my_service"),
        ("::1", "::1"),
    ],
)
def test_ascii_names(host: str, name: str) -> None:
    assert ascii_host(host) == name


@pytest.mark.parametrize("host", ["xn--0.example", "xn--.example", "a\u0301\u200d.example", "☃.example"])
def test_invalid_names(host: str) -> None:
    with pytest.raises(UnknownHost):
        ascii_host(host)


class Hanging:
    """A DNS that does not answer for names below `hang.example` until it is released."""

    def __init__(self) -> None:
        self.released = threading.Event()
        self.asked: list[str] = []

    def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        if host.endswith("hang.example"):
            self.released.wait(30)
        return ["93.184.215.14"]


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    names = Hanging()
    yield names
    names.released.set()


async def ask(resolver: Resolver, host: str, within_s: float) -> list[str]:
    async with asyncio.timeout(within_s):
        return await resolver.addresses(host, 443)


async def test_lookups_that_hang_hold_up_no_other_thread(hanging: Hanging) -> None:
    """The default executor has 6 threads on 2 cores, for the disk and for large images."""
    resolver = Resolver(hanging)
    lookups = [asyncio.create_task(ask(resolver, f"{n}.hang.example", 0.2)) for n in range(100)]
    async with asyncio.timeout(5):
        await asyncio.to_thread(lambda: None)
        assert await ask(resolver, "shop.test", 5) == ["93.184.215.14"]
    results = await asyncio.gather(*lookups, return_exceptions=True)
    assert all(isinstance(result, TimeoutError) for result in results)
    assert len(hanging.asked) == host_names.MAX_LOOKUPS_PER_DOMAIN + 1, "threads have a limit"


async def test_a_lookup_that_ends_late_frees_its_slot(hanging: Hanging) -> None:
    resolver = Resolver(hanging)
    for n in range(host_names.MAX_LOOKUPS_PER_DOMAIN):
        with pytest.raises(TimeoutError):
            await ask(resolver, f"{n}.hang.example", 0.05)
    with pytest.raises(TimeoutError):
        await ask(resolver, "more.hang.example", 0.05)
    hanging.released.set()
    assert await ask(resolver, "more.hang.example", 5) == ["93.184.215.14"]


async def test_an_unknown_name() -> None:
    with pytest.raises(UnknownHost, match="not known"):
        await ask(Resolver(), "no-such-host.invalid", 10)


async def test_a_resolver_that_fails_otherwise() -> None:
    def broken(host: str, port: int) -> list[str]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await ask(Resolver(broken), "shop.test", 5)
