import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from frontend_proxy.captures.webhook_signature import signed_headers, webhook_key
from frontend_proxy.captures.webhooks import Webhooks
from frontend_proxy.errors import InvalidInput
from frontend_proxy.settings import Settings
from tests.receiver import Receiver, receiving

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MESSAGE = {"type": "capture.succeeded", "data": {"result_id": "é"}}


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
async def webhooks() -> AsyncIterator[Webhooks]:
    settings = Settings(_env_file=None, webhook_secret=SECRET, webhook_inside_hosts=["localhost"])
    webhooks = Webhooks(settings, retry_after_s=(0.01, 0.01, 0.01))
    yield webhooks
    await webhooks.close()


async def test_a_message_is_signed_and_told_once(webhooks: Webhooks, receiver: Receiver) -> None:
    assert await webhooks.deliver(receiver.url, "msg-1", MESSAGE)
    (request,) = receiver.requests
    assert json.loads(request.body) == MESSAGE
    assert request.headers["content-type"] == "application/json"
    stamped = int(request.headers["webhook-timestamp"])
    expected = signed_headers(webhook_key(SECRET), "msg-1", stamped, request.body)
    assert expected.items() <= request.headers.items()


async def test_it_tries_again_until_it_is_taken(webhooks: Webhooks, receiver: Receiver) -> None:
    receiver.statuses = [500, 429, 204]
    assert await webhooks.deliver(receiver.url, "msg-1", MESSAGE)
    assert [request.headers["webhook-id"] for request in receiver.requests] == ["msg-1"] * 3


async def test_it_gives_up_in_the_end(webhooks: Webhooks, receiver: Receiver) -> None:
    receiver.statuses = [503]
    assert not await webhooks.deliver(receiver.url, "msg-1", MESSAGE)
    assert len(receiver.requests) == 4


async def test_a_receiver_that_is_gone_is_not_asked_again(webhooks: Webhooks, receiver: Receiver) -> None:
    receiver.statuses = [410]
    assert not await webhooks.deliver(receiver.url, "msg-1", MESSAGE)
    assert len(receiver.requests) == 1


async def test_a_redirect_is_not_followed(webhooks: Webhooks, receiver: Receiver) -> None:
    """It could lead inside."""
    receiver.statuses = [307]
    receiver.location = receiver.url + "elsewhere"
    assert not await webhooks.deliver(receiver.url, "msg-1", MESSAGE)
    assert {request.path for request in receiver.requests} == {"/"}


async def test_nobody_listens(webhooks: Webhooks, free_port: int) -> None:
    async with asyncio.timeout(5):
        assert not await webhooks.deliver(f"http://localhost:{free_port}/", "msg-1", MESSAGE)


@pytest.mark.parametrize("url", ["http://127.0.0.1/", "https://10.0.0.1/", "nonsense", "https://[oops"])
async def test_bad_urls_are_refused_with_the_field_s_name(webhooks: Webhooks, url: str) -> None:
    with pytest.raises(InvalidInput, match=r"^webhook_url: "):
        await webhooks.check(url)


async def test_without_a_secret_there_are_none(free_port: int) -> None:
    webhooks = Webhooks(Settings(_env_file=None))
    with pytest.raises(InvalidInput, match="WEBHOOK_SECRET"):
        await webhooks.check("https://shop.example/")
    await webhooks.close()
