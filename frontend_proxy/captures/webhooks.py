"""Webhooks: a capture that was made asynchronously tells its end."""

import asyncio
import json
import logging
import random
import time
from collections.abc import Sequence
from typing import Any

import httpx

from frontend_proxy.captures.public_addresses import InsideAddress, PublicTransport
from frontend_proxy.captures.webhook_signature import signed_headers, webhook_key
from frontend_proxy.errors import InvalidInput
from frontend_proxy.settings import Settings

logger = logging.getLogger(__name__)

RETRY_AFTER_S = (5, 30, 120, 600)  # seconds; a receiver has about 13 minutes to come back
ATTEMPT_S = 10.0


class Webhooks:
    """Signed with the server's secret; without one there are none."""

    def __init__(self, settings: Settings, retry_after_s: Sequence[float] = RETRY_AFTER_S) -> None:
        secret = settings.webhook_secret
        self._key = webhook_key(secret.get_secret_value()) if secret else None
        self._retry_after_s = retry_after_s
        self._transport = PublicTransport(settings.webhook_inside_hosts)
        # Neither redirects nor a proxy of the environment, which would resolve the name anew.
        self._client = httpx.AsyncClient(
            transport=self._transport, timeout=ATTEMPT_S, follow_redirects=False, trust_env=False
        )

    async def check(self, url: str) -> None:
        """Raises InvalidInput where nothing would be delivered there."""
        if self._key is None:
            raise InvalidInput("webhook_url: this server sends no webhooks (it has no WEBHOOK_SECRET)")
        try:
            async with asyncio.timeout(ATTEMPT_S):
                await self._transport.check(httpx.URL(url))
        except (InsideAddress, httpx.InvalidURL) as error:
            raise InvalidInput(f"webhook_url: {error}") from error
        except TimeoutError:
            raise InvalidInput("webhook_url: its host cannot be looked up") from None

    async def deliver(self, url: str, message_id: str, message: dict[str, Any]) -> bool:
        """Whether the receiver took it (any 2xx), in one of the attempts. 410 says that it never will."""
        body = json.dumps(message, separators=(",", ":")).encode()
        for pause in (*self._retry_after_s, None):
            status = await self._attempt(url, message_id, body)
            if status is not None and (200 <= status < 300 or status == 410):
                return status != 410
            if pause is not None:
                # Up to a fifth longer, so that receivers that failed together are not called together.
                await asyncio.sleep(pause * random.uniform(1, 1.2))
        logger.warning("webhook %s was not taken in %d attempts", message_id, len(self._retry_after_s) + 1)
        return False

    async def _attempt(self, url: str, message_id: str, body: bytes) -> int | None:
        """The receiver's status; None where there is none."""
        assert self._key is not None
        headers = signed_headers(self._key, message_id, int(time.time()), body)
        try:
            async with asyncio.timeout(ATTEMPT_S):
                async with self._client.stream(
                    "POST", url, content=body, headers={"Content-Type": "application/json", **headers}
                ) as response:  # whose body may be without end, and says nothing
                    logger.info("webhook %s: %d", message_id, response.status_code)
                    return response.status_code
        except (httpx.HTTPError, InsideAddress, TimeoutError) as error:
            logger.info("webhook %s: %s", message_id, error or type(error).__name__)
            return None

    async def close(self) -> None:
        await self._client.aclose()
