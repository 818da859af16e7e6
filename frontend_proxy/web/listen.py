"""The sockets that a server listens on, for one address or for every address of both families."""

import errno
import socket

EVERY_ADDRESS = "::"
_NOT_ON_THIS_MACHINE = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)


def bind_listeners(host: str, port: int) -> list[socket.socket]:
    """Bound sockets, one for each address of `host`. The caller listens on them and closes them.

    "::" stands for every address: one socket per family, because a single socket for both would show IPv4
    clients as "::ffff:192.0.2.1", which no FORWARDED_ALLOW_IPS and no rate limit expects. A family that this
    machine does not have is left out. "0.0.0.0" stands for IPv4 alone.
    Raises OSError if an address is in use, or if none of them exists here.
    """
    host = host.strip("[]")
    bound: list[socket.socket] = []
    missing: OSError | None = None
    for name in (EVERY_ADDRESS, "0.0.0.0") if host == EVERY_ADDRESS else (host,):
        for family, *_, address in socket.getaddrinfo(
            name, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            if bound and port == 0:  # any free port, but the same one for both families
                address = (address[0], bound[0].getsockname()[1], *address[2:])
            try:
                bound.append(_bind(family, address))
            except OSError as error:
                if error.errno not in _NOT_ON_THIS_MACHINE:
                    close_all(bound)
                    # A port that the first family has free may be taken in the second.
                    if port == 0 and bound and error.errno == errno.EADDRINUSE:
                        return bind_listeners(host, port)
                    raise
                missing = error
    if not bound:
        raise missing or OSError(errno.EADDRNOTAVAIL, "no such address")
    return bound


def close_all(sockets: list[socket.socket]) -> None:
    for one in sockets:
        one.close()


def port_fault(host: str, port: int) -> str | None:
    """Why nothing can listen on this address and port now, or None."""
    try:
        close_all(bind_listeners(host, port))
    except OSError as error:
        return (error.strerror or str(error)).lower()
    return None


def local_addresses(host: str) -> list[str]:
    """Where a process on this machine reaches a server that listens on `host`; one of them answers."""
    host = host.strip("[]")
    return {EVERY_ADDRESS: ["127.0.0.1", "::1"], "0.0.0.0": ["127.0.0.1"]}.get(host, [host])


def url_host(host: str) -> str:
    """`host` as URLs for this machine have it: "localhost" for every address, brackets for IPv6."""
    host = host.strip("[]")
    if host in (EVERY_ADDRESS, "0.0.0.0"):
        return "localhost"
    return f"[{host}]" if ":" in host else host


def _bind(family: int, address: tuple) -> socket.socket:
    one = socket.socket(family, socket.SOCK_STREAM)
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.bind(address)
    except OSError:
        one.close()
        raise
    return one
