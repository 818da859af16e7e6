import errno
import socket

import pytest

from frontend_proxy.web import listen
from frontend_proxy.web.listen import bind_listeners, close_all, local_addresses, port_fault, url_host


@pytest.fixture
def bound():
    """Binds and listens; closes everything at the end."""
    opened = []

    def bind(host, port=0):
        sockets = bind_listeners(host, port)
        opened.extend(sockets)
        for one in sockets:
            one.listen()
        return sockets

    yield bind
    close_all(opened)


def accepts(address, port):
    try:
        socket.create_connection((address, port), timeout=2).close()
    except OSError:
        return False
    return True


def test_every_address_is_answered_on_localhost_of_both_families(bound):
    first, second = bound("::")
    assert first.getsockname()[1] == (port := second.getsockname()[1])
    assert accepts("127.0.0.1", port)
    assert accepts("::1", port)


def test_an_ipv4_client_has_its_own_address_and_no_mapped_one(bound):
    """FORWARDED_ALLOW_IPS=127.0.0.1 would not match "::ffff:127.0.0.1"."""
    sockets = bound("::")
    with socket.create_connection(("127.0.0.1", sockets[0].getsockname()[1]), timeout=2):
        ipv4 = next(one for one in sockets if one.family == socket.AF_INET)
        connection, (address, _) = ipv4.accept()
        connection.close()
    assert address == "127.0.0.1"


def test_ipv4_alone_and_ipv6_loopback_alone(bound):
    (one,) = bound("0.0.0.0")
    assert not accepts("::1", one.getsockname()[1])
    for host in ("::1", "[::1]"):
        (one,) = bound(host)
        assert accepts("::1", one.getsockname()[1])
        assert not accepts("127.0.0.1", one.getsockname()[1])


def test_a_free_port_is_one_that_both_families_have_free(bound, monkeypatch):
    real, ports = listen._bind, []

    def taken_at_first(family, address):
        if family == socket.AF_INET and not ports:
            ports.append(address[1])
            raise OSError(errno.EADDRINUSE, "Address already in use")
        return real(family, address)

    monkeypatch.setattr(listen, "_bind", taken_at_first)
    first, second = bound("::")
    assert first.getsockname()[1] == second.getsockname()[1]


@pytest.mark.parametrize("missing", [errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL])
def test_a_machine_without_ipv6_listens_on_ipv4(bound, monkeypatch, missing):
    real = listen._bind

    def without_ipv6(family, address):
        if family == socket.AF_INET6:
            raise OSError(missing, "not here")
        return real(family, address)

    monkeypatch.setattr(listen, "_bind", without_ipv6)
    (one,) = bound("::")
    assert one.family == socket.AF_INET
    with pytest.raises(OSError, match="not here"):
        bind_listeners("::1", 0)


@pytest.mark.parametrize("taken", ["127.0.0.1", "::1"])
def test_a_port_in_use_in_either_family_is_a_fault(bound, taken):
    (one,) = bound(taken)
    port = one.getsockname()[1]
    assert port_fault(taken, port) == "address already in use"
    assert port_fault("::", port) == "address already in use"


def test_a_free_port_has_no_fault_and_an_unknown_host_has_one():
    assert port_fault("::", 0) is None
    assert port_fault("nowhere.invalid", 0)


@pytest.mark.parametrize(
    ("host", "url", "reached_at"),
    [
        ("::", "localhost", ["127.0.0.1", "::1"]),
        ("0.0.0.0", "localhost", ["127.0.0.1"]),
        ("::1", "[::1]", ["::1"]),
        ("[::1]", "[::1]", ["::1"]),
        ("192.0.2.1", "192.0.2.1", ["192.0.2.1"]),
    ],
)
def test_addresses_as_urls_and_for_health_checks(host, url, reached_at):
    assert url_host(host) == url
    assert local_addresses(host) == reached_at
