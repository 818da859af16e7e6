"""Webhooks: signed HTTP requests that report the end of an asynchronous capture."""

import asyncio
import json
import logging
import time
from typing import Any

from frontend_proxy.captures.public_addresses import ForbiddenAddress, PublicHttp, Unreachable
from frontend_proxy.errors import InvalidInput
from frontend_proxy.settings import Settings
from frontend_proxy.webhook_signature import signed_headers, webhook_key

logger = logging.getLogger(__name__)

ATTEMPT_S = 10.0


class Webhooks:
    """Signs with the server's secret; without a secret, `enabled` is False and nothing is sent."""

    def __init__(self, settings: Settings, http: PublicHttp | None = None) -> None:
        secret = settings.webhook_secret
        self._key = webhook_key(secret.get_secret_value()) if secret else None
        self._http = http or PublicHttp(settings.webhook_private_hosts)

    @property
    def enabled(self) -> bool:
        return self._key is not None

    async def check(self, url: str) -> None:
        """Raises InvalidInput if nothing can be delivered there."""
        if self._key is None:
            raise InvalidInput("webhook_url: this server sends no webhooks (it has no WEBHOOK_SECRET)")
        try:
            async with asyncio.timeout(ATTEMPT_S):
                await self._http.check(url)
        except ForbiddenAddress as error:
            raise InvalidInput(f"webhook_url: {error}") from error
        except TimeoutError:
            raise InvalidInput("webhook_url: the lookup of its host timed out") from None

    async def send(self, url: str, message_id: str, body: bytes) -> int | None:
        """The receiver's status after one attempt; None if there is no answer within `ATTEMPT_S`."""
        if self._key is None:
            return None
        headers = {
            "Content-Type": "application/json",
            **signed_headers(self._key, message_id, int(time.time()), body),
        }
        try:
            async with asyncio.timeout(ATTEMPT_S):
                status = await self._http.post(url, body, headers)
        except (Unreachable, ForbiddenAddress, OSError) as error:
            logger.info("webhook %s: %s", message_id, error or type(error).__name__)
            return None
        logger.info("webhook %s: %d", message_id, status)
        return status


def encode_message(message: dict[str, Any]) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode()
