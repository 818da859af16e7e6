"""Admission of requests: which pages, which callers, how often, and how long a body may take."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from frontend_proxy.background import Background
from frontend_proxy.concurrency_limit import ConcurrencyLimitPerOwner
from frontend_proxy.errors import RequestTooSlow
from frontend_proxy.holder import holder_of, set_holder
from frontend_proxy.security.auth import STATE, Authenticator, Caller
from frontend_proxy.security.credential_watch import CredentialWatch
from frontend_proxy.security.credentials import take_credential
from frontend_proxy.security.origins import OriginPolicy
from frontend_proxy.security.rate_limits import RateLimits, network
from frontend_proxy.settings import Settings
from frontend_proxy.web.probes import PROBES

# Pages and texture loaders fetch these and cannot send a header. Every other path needs credentials.
PUBLIC = {"/", "/studio", "/docs", "/redoc", "/docs/websocket", "/openapi.json", "/asyncapi.json"}
# A page fetches dozens of these files at once, so they are not counted either.
PAGE_FILES = ("/docs/assets/", "/studio/")
# A result's id cannot be guessed: whoever knows it may fetch the image.
PUBLIC_FOLDERS = ("/textures/", "/results/")


class Guard:
    """ASGI middleware; raises ProxyErrors, which `ErrorMiddleware` around it turns into answers.

    Sets `request.state.caller`: the id of the `Caller`, or None for an anonymous request; and the `holder` of
    the places that the request takes.
    """

    def __init__(
        self, app: ASGIApp, settings: Settings, authenticator: Authenticator, background: Background
    ) -> None:
        self.app = app
        self._authenticator = authenticator
        self._body_timeout_s = settings.body_timeout_s
        self._origins = OriginPolicy(settings.cors_origins, settings.public_url)
        self._limits = RateLimits(
            settings.rate_limit_per_address, settings.rate_limit_per_key, settings.rate_limit_url
        )
        self._sockets = ConcurrencyLimitPerOwner(settings.max_sockets_per_address, "sockets of this address")
        self._credentials = CredentialWatch(authenticator, background)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        credential = take_credential(scope)
        caller = None if _is_free(scope["path"]) else await self._admit(scope, credential)
        scope.setdefault("state", {})[STATE] = caller.id if caller else None
        set_holder(self._holder(scope, caller))
        if scope["type"] == "http":
            await self.app(scope, self._in_time(receive), send)
            return
        with self._sockets.held(network(_address(scope))):
            if caller is None:
                await self.app(scope, receive, send)
            else:
                await self._credentials.serve(self.app, scope, receive, send, caller, credential)

    def _holder(self, scope: Scope, caller: Caller | None) -> str | None:
        if self._authenticator.knows_one_caller:
            return None
        return holder_of(caller.id if caller else None, network(_address(scope)))

    async def _admit(self, scope: Scope, credential: str | None) -> Caller | None:
        """The caller, None for an anonymous one. Raises Forbidden, Unauthorized, TooManyRequests."""
        self._origins.check(scope)
        # Before the credentials are checked, so that they cannot be guessed at full speed.
        await self._limits.count_address(_address(scope))
        path = scope["path"]
        if not self._authenticator.required or path in PUBLIC or path.startswith(PUBLIC_FOLDERS):
            return None
        caller = self._authenticator.identify(credential)
        await self._limits.count_key(caller.id)
        return caller

    def _in_time(self, receive: Receive) -> Receive:
        """`receive`, which raises RequestTooSlow if the body is not complete by its deadline."""
        seconds = self._body_timeout_s
        deadline = asyncio.get_running_loop().time() + seconds
        complete = False

        async def receive_in_time() -> Message:
            nonlocal complete
            if complete:
                return await receive()
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                raise RequestTooSlow(f"the request's body took more than {seconds:g} s") from None
            complete = not message.get("more_body", False)
            return message

        return receive_in_time


def _address(scope: Scope) -> str:
    return scope["client"][0] if scope["client"] else ""


def _is_free(path: str) -> bool:
    """Whether the path is neither counted nor asked for credentials."""
    return path in PROBES or path.startswith(PAGE_FILES)
