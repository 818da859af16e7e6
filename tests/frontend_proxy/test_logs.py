"""What the log contains, and what it must not contain."""

import io
import json
import logging
import sys
import time
from collections.abc import Iterator

import httpx
import jwt
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from frontend_proxy import logs
from frontend_proxy.request_id import set_request_id
from tests.fakes import FakeServer
from tests.frontend_proxy.conftest import FRAME, RENDER, Serve

KEY = "key-of-the-first-shop"
SECRET = "a secret of more than 32 bytes for HS256"


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What would go to stderr at debug, as JSON."""
    root = logging.getLogger()
    before, level, stderr = root.handlers[:], root.level, io.StringIO()
    monkeypatch.setattr("sys.stderr", stderr)
    logs.configure("debug", "json")
    monkeypatch.setattr(logging.getLogger("websockets.client"), "level", logging.INFO)  # the test's own
    yield stderr
    root.handlers[:], root.level = before, level


async def test_nothing_secret_is_logged_even_at_debug(
    serve: Serve, log: io.StringIO, server: FakeServer
) -> None:
    """uvicorn logs the query of a socket, and websockets at debug all headers and frames."""
    token = jwt.encode({"sub": "shopper-1", "exp": time.time() + 60}, SECRET)
    other = jwt.encode({"sub": "shopper-2", "exp": time.time() + 60}, "another" + SECRET)
    capture = {"user_image": FRAME, "jacket_render": RENDER, "pose": None}
    secrets = [KEY, SECRET, token, other, "wrong-key-of-somebody", FRAME[-40:], "hunter2"]
    async with (
        serve(api_keys=KEY, jwt_secret=SECRET, debug=True) as address,
        httpx.AsyncClient(base_url=f"http://{address}") as client,
    ):
        for credential in (KEY, token, other, "wrong-key-of-somebody"):
            headers = {"Authorization": f"Bearer {credential}"}
            await client.post("/virtual-tryon?password=hunter2", json=capture, headers=headers)
            await client.get("/api/fabric/catalog", headers={"X-API-Key": credential})
            for options in (
                {"uri": f"ws://{address}/ws?token={credential}"},
                {"uri": f"ws://{address}/ws", "subprotocols": ["lucy.json.v1", f"lucy.auth.{credential}"]},
                {"uri": f"ws://{address}/ws", "additional_headers": headers},
            ):
                try:
                    async with connect(**options) as socket:
                        keyframe = {"type": "keyframe", "camera_frame": FRAME, "jacket_render": RENDER}
                        await socket.send(json.dumps(keyframe))
                        await socket.recv()
                except InvalidStatus:
                    assert credential in (other, "wrong-key-of-somebody")
    text = log.getvalue()
    assert "ASGI callable" not in text, "a refused socket is not an error of the application"
    assert len(server.finished) == 8, "each valid credential was accepted in every place"
    assert text.count('"POST /virtual-tryon') >= 4
    for secret in secrets:
        assert secret not in text


def test_json_lines_are_objects_with_the_request_s_id(log: io.StringIO) -> None:
    set_request_id("r-1")
    logging.getLogger("lucy").info('a "quoted"\nline', extra={"fields": {"status": 200}})
    try:
        raise ValueError("reason")
    except ValueError:
        logging.getLogger("lucy").exception("failed")
    first, second = map(json.loads, log.getvalue().splitlines()[-2:])
    assert first["message"] == 'a "quoted"\nline'
    assert (first["level"], first["request_id"], first["status"]) == ("info", "r-1", 200)
    assert "ValueError: reason" in second["exception"]


async def test_a_request_s_line_has_its_parts_and_its_trace(serve: Serve, log: io.StringIO) -> None:
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    headers = {"X-Request-ID": "r-2", "traceparent": f"00-{trace_id}-b7ad6b7169203331-01"}
    async with serve() as address, httpx.AsyncClient(base_url=f"http://{address}") as client:
        await client.get("/api/fabric/nothing?q=1", headers=headers)
    lines = map(json.loads, log.getvalue().splitlines())
    (line,) = [line for line in lines if line["logger"] == "frontend_proxy.access"]
    assert line["message"].startswith("GET /api/fabric/nothing 404 ")
    assert (line["method"], line["path"], line["status"]) == ("GET", "/api/fabric/nothing", 404)
    assert (line["request_id"], line["trace_id"]) == ("r-2", trace_id)
    assert line["duration_ms"] > 0


FORGED = "2026-01-01 00:00:00,000 INFO    r-9 frontend_proxy.access: POST /paid 200"
HOSTILE = [
    f"a\n{FORGED}",
    f"a\r\n{FORGED}",
    "\x1b[2J\x1b]0;title\x07",
    "\x9b2J",  # CSI as one character
    "a\u2028b\u2029c\x85d\x0be\x0cf\x00",
    "\u202eevil\u2066",  # bidirectional overrides
    "\ud800",
]


@pytest.fixture
def text_log(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level, stderr = root.handlers[:], root.level, io.StringIO()
    monkeypatch.setattr("sys.stderr", stderr)
    logs.configure("debug", "text")
    yield stderr
    root.handlers[:], root.level = before, level


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_client_s_text_forges_no_line_and_controls_no_terminal(text_log: io.StringIO, hostile: str) -> None:
    logger = logging.getLogger("lucy")
    logger.info("fabric %s", hostile)
    logger.info(hostile, extra={"request_id": hostile})
    try:
        raise ValueError(hostile)
    except ValueError:
        logger.exception("failed on %s", hostile)
    written = text_log.getvalue()
    lines = written.split("\n")
    assert all(line.isprintable() for line in lines)
    assert not any(line.startswith("2026-01-01") for line in lines)
    assert len([line for line in lines if line and not line.startswith("  | ")]) == 3
    written.encode()


@pytest.mark.parametrize("hostile", HOSTILE)
def test_json_lines_are_plain_ascii(log: io.StringIO, hostile: str) -> None:
    """A terminal obeys U+009B, and a lone surrogate cannot be written at all."""
    logging.getLogger("lucy").info(hostile, extra={"fields": {"client": hostile}})
    line = log.getvalue().splitlines()[-1]
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line)["client"] == hostile


def test_a_traceback_that_another_handler_has_formatted_is_escaped_too() -> None:
    try:
        raise ValueError("a\x1b[2J")
    except ValueError:
        record = logging.makeLogRecord({"exc_info": sys.exc_info(), "msg": "failed", "request_id": "-"})
    logging.Formatter().format(record)
    assert "\x1b" not in logs.TextFormatter(logs.FORMAT).format(record)
