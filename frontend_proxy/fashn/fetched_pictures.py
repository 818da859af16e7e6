"""Pictures that a request names by URL."""

import asyncio

from frontend_proxy.captures.public_addresses import ForbiddenAddress, PublicHttp, TooLarge, Unreachable
from frontend_proxy.errors import ImageTooLarge, InvalidInput
from frontend_proxy.settings import Settings
from frontend_proxy.web.byte_budget import Hold
from frontend_proxy.web.request_bytes import evictable

FETCH_S = 20.0


class FetchedPictures:
    """Only from the public internet over https, but for the hosts that the settings name."""

    def __init__(self, settings: Settings, http: PublicHttp | None = None) -> None:
        self._http = http or PublicHttp(settings.picture_private_hosts, what="a picture")
        self._max_bytes = settings.max_image_bytes

    async def get(self, name: str, text: str, hold: Hold) -> str | bytes:
        """The picture behind a URL; text that is none as it is.

        name: of the input, for messages. hold: its bytes count as if the client had sent them.
        Raises InvalidInput, ImageTooLarge, TooManyRequests, ServerFull.
        """
        if not text.lower().startswith(("http://", "https://")):
            return text
        try:
            async with evictable(hold), asyncio.timeout(FETCH_S):
                status, data = await self._http.get(text, self._max_bytes, hold.grow)
        except ForbiddenAddress as error:
            raise InvalidInput(f"{name}: {error}") from error
        except TooLarge as error:
            raise ImageTooLarge(f"{name}: {error}") from error
        except (Unreachable, OSError, TimeoutError) as error:
            reason = error if str(error) else type(error).__name__
            raise InvalidInput(f"{name}: the URL cannot be fetched: {reason}") from error
        if status != 200:
            raise InvalidInput(f"{name}: the URL's server answered {status}")
        return data
