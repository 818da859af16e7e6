"""Whether a server on this machine answers, without gRPC's library, which takes 0.3 s to import.

Nothing here obeys `http_proxy`, which would ask another machine.
"""

import socket
from collections.abc import Sequence

_TIMEOUT_S = 3.0


def is_open(host: str, port: int) -> bool:
    """Whether something listens there."""
    try:
        with socket.create_connection((host, port), timeout=_TIMEOUT_S):
            return True
    except OSError:
        return False


def http_ready(addresses: Sequence[str], port: int, path: str) -> bool:
    """Whether a GET answers 200 at one of the addresses."""
    return any(_answers(address, port, path) for address in addresses)


def _answers(address: str, port: int, path: str) -> bool:
    import http.client  # once Triton has been started

    connection = http.client.HTTPConnection(address, port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
