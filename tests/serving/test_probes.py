import asyncio
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from serving.probes import http_ready, is_open
from tests.stack import free_ports


class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health/ready" else 503)
        self.end_headers()

    def log_message(self, *arguments):
        pass


@pytest.mark.parametrize("variable", ["http_proxy", "ALL_PROXY"])
async def test_the_health_check_of_the_proxy_goes_to_the_first_address_that_answers(variable, monkeypatch):
    """It goes there and not through another proxy, which here does not answer."""
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, f"http://127.0.0.1:{free_ports(1)[0]}")
    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_port
        ask = asyncio.to_thread
        assert await ask(http_ready, ["127.0.0.1", "::1"], port, "/health/ready")
        assert await ask(http_ready, ["::1", "127.0.0.1"], port, "/health/ready")
        assert not await ask(http_ready, ["::1"], port, "/health/ready")
        assert not await ask(http_ready, ["127.0.0.1"], port, "/health")
        server.shutdown()


def test_a_port_is_open_while_something_listens():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert is_open("127.0.0.1", port)
    assert not is_open("127.0.0.1", port)
