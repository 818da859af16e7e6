import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from frontend_proxy.captures.public_addresses import host_of
from frontend_proxy.captures.webhooks import Webhooks, encode_message
from frontend_proxy.errors import InvalidInput
from frontend_proxy.settings import Settings
from frontend_proxy.webhook_signature import signed_headers, webhook_key
from tests.receiver import Receiver, receiving

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MESSAGE = {"type": "capture.succeeded", "data": {"result_id": "é"}}
BODY = encode_message(MESSAGE)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
def webhooks() -> Webhooks:
    return Webhooks(Settings(_env_file=None, webhook_secret=SECRET, webhook_private_hosts=["localhost"]))


async def test_a_message_is_signed(webhooks: Webhooks, receiver: Receiver) -> None:
    assert await webhooks.send(receiver.url, "msg-1", BODY) == 200
    (request,) = receiver.requests
    assert json.loads(request.body) == MESSAGE
    assert request.headers["content-type"] == "application/json"
    stamped = int(request.headers["webhook-timestamp"])
    expected = signed_headers(webhook_key(SECRET), "msg-1", stamped, request.body)
    assert expected.items() <= request.headers.items()


async def test_a_redirect_is_not_followed(webhooks: Webhooks, receiver: Receiver) -> None:
    """It could lead to an internal address."""
    receiver.statuses = [307]
    receiver.location = receiver.url + "elsewhere"
    assert await webhooks.send(receiver.url, "msg-1", BODY) == 307
    assert {request.path for request in receiver.requests} == {"/"}


@pytest.mark.parametrize(
    "url", ["http://localhost:1/", "https://xn--0.example/", "https://[oops", "nonsense"]
)
async def test_a_receiver_that_does_not_answer(webhooks: Webhooks, url: str) -> None:
    async with asyncio.timeout(5):
        assert await webhooks.send(url, "msg-1", BODY) is None


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1/", "https://10.0.0.1/", "nonsense", "https://[oops", "https://xn--0.example/"],
)
async def test_bad_urls_are_refused_with_the_field_s_name(webhooks: Webhooks, url: str) -> None:
    with pytest.raises(InvalidInput, match=r"^webhook_url: "):
        await webhooks.check(url)


async def test_without_a_secret_there_are_none() -> None:
    webhooks = Webhooks(Settings(_env_file=None))
    with pytest.raises(InvalidInput, match="WEBHOOK_SECRET"):
        await webhooks.check("https://shop.example/")
    assert await webhooks.send("http://localhost:1/", "msg-1", BODY) is None


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://Shop.Example:8/x", "shop.example"),
        ("https://[::1]/", "::1"),
        ("https://a:port/", ""),
    ],
)
def test_hosts_of_urls(url: str, host: str) -> None:
    assert host_of(url) == host
