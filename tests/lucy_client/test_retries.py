"""What is sent again, and when, with a server that is made up."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from lucy_client import AsyncLucy, Lucy, LucyError, Retries
from tests.frontend_proxy.conftest import FRAME, RENDER

QUICK = Retries(most=2, first_s=0.0)
RESULT = {
    "success": True,
    "result_image": RENDER,
    "result_id": "r",
    "timestamp": "t",
    "images": [],
    "expires_at": "e",
    "request_id": "q",
    "mode": "ai_enhanced",
    "seed": 7,
    "state": "running",
    "url": "u",
    "created_at": "t",
}
Ask = Callable[..., Any]


class Server:
    """Answers each request with the next of `answers`: a status with a Retry-After, or an exception."""

    def __init__(self, *answers: int | Exception, retry_after: str = "0") -> None:
        self.answers, self.retry_after = list(answers), retry_after
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        if answer == 200:
            return httpx.Response(200, json=RESULT)
        body = {"error": "no", "code": "OVERLOADED", "request_id": "q"}
        return httpx.Response(answer, json=body, headers={"Retry-After": self.retry_after})


@pytest.fixture(params=["Lucy", "AsyncLucy"])
def ask(request: pytest.FixtureRequest) -> Ask:
    """Calls a method of either client."""

    def run(server: Server, method: str, *arguments: Any, **options: Any) -> Any:
        transport = httpx.MockTransport(server)
        if request.param == "Lucy":
            with Lucy("http://lucy.test", retries=QUICK, transport=transport) as lucy:
                return getattr(lucy, method)(*arguments, **options)

        async def asynchronous() -> Any:
            async with AsyncLucy("http://lucy.test", retries=QUICK, transport=transport) as lucy:
                return await getattr(lucy, method)(*arguments, **options)

        return asyncio.run(asynchronous())

    return run


def test_a_busy_server_is_asked_again_with_the_same_key(ask: Ask) -> None:
    server = Server(503, 429, 200)
    assert ask(server, "capture", FRAME, jacket_render=RENDER).seed == 7
    keys = {request.headers["Idempotency-Key"] for request in server.requests}
    assert len(server.requests) == 3
    assert len(keys) == 1


@pytest.mark.parametrize("method", ["capture", "submit"])
def test_a_lost_answer_is_asked_for_again(ask: Ask, method: str) -> None:
    server = Server(httpx.ReadError("lost"), 200)
    assert ask(server, method, FRAME, jacket_render=RENDER, idempotency_key="mine").result_id == "r"
    assert [request.headers["Idempotency-Key"] for request in server.requests] == ["mine", "mine"]
    prefer = "respond-async" if method == "submit" else None
    assert [request.headers.get("Prefer") for request in server.requests] == [prefer] * 2


def test_a_scan_that_is_saved_is_not_sent_twice(ask: Ask) -> None:
    """The first may have been saved."""
    server = Server(httpx.ReadError("lost"))
    with pytest.raises(LucyError) as caught:
        ask(server, "scan", FRAME, save=True)
    assert (caught.value.code, caught.value.status) == ("UNREACHABLE", 0)


@pytest.mark.parametrize("answers", [[400], [404], [502], [503] * 3])
def test_what_is_refused_for_good_says_why(ask: Ask, answers: list[int]) -> None:
    server = Server(*answers)
    with pytest.raises(LucyError) as caught:
        ask(server, "capture", FRAME, jacket_render=RENDER)
    assert (caught.value.code, caught.value.status) == ("OVERLOADED", answers[0])
    assert caught.value.request_id == "q"
    assert str(caught.value) == "no"
    assert not server.answers


def test_a_server_that_asks_for_a_long_pause_is_not_waited_for(ask: Ask) -> None:
    with pytest.raises(LucyError) as caught:
        ask(Server(429, retry_after="3600"), "capture", FRAME, jacket_render=RENDER)
    assert caught.value.retry_after == 3600


def test_the_pause_doubles_up_to_a_limit() -> None:
    retries = Retries(most=9, first_s=0.5, longest_s=5)
    busy = LucyError("busy", "OVERLOADED", 503, retry_after=0)
    assert [retries.pause(attempt, busy, False) for attempt in range(5)] == [0.5, 1, 2, 4, 5]
    slow = LucyError("busy", "OVERLOADED", 503, retry_after=3)
    assert retries.pause(0, slow, False) == 3


def test_an_error_page_of_a_reverse_proxy_is_an_error_too() -> None:
    error = LucyError.of_body(b"<html>Bad gateway</html>", 502, None)
    assert (error.status, error.code) == (502, "HTTP_ERROR")
