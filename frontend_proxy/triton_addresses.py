"""Addresses of Tritons: `host:port`, or `dns:///name:port` for every address behind a name."""

import asyncio
import re
import socket

_ADDRESS = re.compile(r"(?:dns:///)?(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(?P<port>\d{1,5})")
DNS = "dns:///"  # as gRPC writes it


def check_address(address: str) -> str:
    """The address itself. Raises ValueError if it has another form."""
    if not _ADDRESS.fullmatch(address):
        raise ValueError(f"{address!r} is neither host:port nor dns:///name:port")
    return address


async def resolve(addresses: list[str]) -> set[str]:
    """`host:port` of each server. Raises OSError if a name cannot be resolved.

    Each address of a `dns:///` name is one server (a headless service in Kubernetes). gRPC's own resolver
    would put them all behind one channel, which gives no control over the server of a session's jobs.
    """
    found = await asyncio.gather(*(_servers(address) for address in addresses))
    return set().union(*found)


async def _servers(address: str) -> set[str]:
    if not address.startswith(DNS):
        return {address}
    host, port = address.removeprefix(DNS).rsplit(":", 1)
    answers = await asyncio.get_running_loop().getaddrinfo(host, int(port), type=socket.SOCK_STREAM)
    return {_join(*sockaddr[:2]) for *_, sockaddr in answers}


def _join(host: str | int, port: str | int) -> str:
    return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"
