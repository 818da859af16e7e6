"""The door: who may come in, how often, and how long a body may take."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from frontend_proxy.errors import RequestTooSlow
from frontend_proxy.health import PROBES
from frontend_proxy.limit import LimitEach
from frontend_proxy.security.auth import Authenticator, take_credential
from frontend_proxy.security.cors import check_origin
from frontend_proxy.security.rate_limits import RateLimits, network
from frontend_proxy.settings import Settings

# What a page or a texture loader fetches, and cannot send a header with. Any other path needs credentials.
PUBLIC = {"/", "/studio", "/docs", "/redoc", "/docs/websocket", "/openapi.json", "/asyncapi.json"}
# A page fetches dozens at once, each a file: they are not counted either.
PAGE_FILES = ("/docs/assets/", "/studio/")
# A result's id cannot be guessed: whoever has it may see it.
PUBLIC_FOLDERS = ("/textures/", "/results/")


class Guard:
    """ASGI middleware; raises ProxyErrors, which `ErrorMiddleware` around it turns into answers."""

    def __init__(self, app: ASGIApp, settings: Settings, authenticator: Authenticator) -> None:
        self.app = app
        self._settings = settings
        self._authenticator = authenticator
        self._limits = RateLimits(
            settings.rate_limit_per_address, settings.rate_limit_per_key, settings.rate_limit_url
        )
        self._sockets = LimitEach(settings.max_sockets_per_address, "sockets of this address")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        credential = take_credential(scope)
        if not _is_free(scope["path"]):
            await self._admit(scope, credential)
        if scope["type"] == "http":
            await self.app(scope, self._in_time(receive), send)
        else:
            with self._sockets.held(network(_address(scope))):
                await self.app(scope, receive, send)

    async def _admit(self, scope: Scope, credential: str | None) -> None:
        """Raises Forbidden, Unauthorized, TooManyRequests."""
        if scope["type"] == "websocket":
            check_origin(scope, self._settings.cors_origins)
        # Before the credentials are looked at, so that they cannot be guessed at full speed.
        await self._limits.count_address(_address(scope))
        path = scope["path"]
        if self._authenticator.required and path not in PUBLIC and not path.startswith(PUBLIC_FOLDERS):
            scope["client_name"] = self._authenticator.identify(credential)
            await self._limits.count_key(scope["client_name"])

    def _in_time(self, receive: Receive) -> Receive:
        """`receive`, which raises RequestTooSlow where the body is not whole by its deadline."""
        seconds = self._settings.body_timeout_s
        deadline = asyncio.get_running_loop().time() + seconds
        whole = False

        async def receive_in_time() -> Message:
            nonlocal whole
            if whole:
                return await receive()
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                raise RequestTooSlow(f"the request's body took more than {seconds:g} s") from None
            whole = not message.get("more_body", False)
            return message

        return receive_in_time


def _address(scope: Scope) -> str:
    return scope["client"][0] if scope["client"] else ""


def _is_free(path: str) -> bool:
    """Neither counted nor asked for credentials."""
    return path in PROBES or path.startswith(PAGE_FILES)
