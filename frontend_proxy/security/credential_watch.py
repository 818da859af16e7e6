"""Closes WebSockets whose API key was revoked or whose token has expired."""

import asyncio
import contextlib
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from frontend_proxy.background import Background
from frontend_proxy.errors import Unauthorized
from frontend_proxy.security.auth import Authenticator, Caller

POLICY_VIOLATION = 1008  # RFC 6455, section 7.4.1
CHECK_EVERY_S = 1.0
GRACE_S = 1.5  # for an answer in progress, and again for the close itself
_REVOKED = "the credential was revoked; connect again with a valid one"
_EXPIRED = "the token has expired; connect again with a new one"
_CHECKS_AT_ONCE = 50  # verifying an RS256 token takes about 50 µs of the event loop's time


@dataclass(eq=False)
class _Watched:
    caller: Caller
    credential: str | None
    end: Callable[[str], None]
    ended: bool = field(default=False)


class CredentialWatch:
    """Checks the credentials of open WebSockets once a second, as long as there are any."""

    def __init__(self, authenticator: Authenticator, background: Background) -> None:
        self._authenticator = authenticator
        self._background = background
        self._watched: set[_Watched] = set()
        self._loop: asyncio.Task[None] | None = None

    async def serve(
        self, app: ASGIApp, scope: Scope, receive: Receive, send: Send, caller: Caller, credential: str | None
    ) -> None:
        """Run the app for one WebSocket until it ends or the credential does."""
        socket = _RevocableSocket(receive, send)

        def end(reason: str) -> None:
            self._background.task("close a socket", socket.close(reason))

        with self._watching(_Watched(caller, credential, end)):
            await socket.run(app, scope)

    @contextmanager
    def _watching(self, watched: _Watched) -> Iterator[None]:
        self._watched.add(watched)
        if self._loop is None:
            self._loop = self._background.loop("check the credentials of sockets", self._check_regularly)
        try:
            yield
        finally:
            self._watched.discard(watched)
            if not self._watched:
                self._loop.cancel()
                self._loop = None

    async def _check_regularly(self) -> None:
        version: int | None = None
        while True:
            await asyncio.sleep(CHECK_EVERY_S)
            changed = version != (version := self._authenticator.version)
            for number, watched in enumerate(list(self._watched), 1):
                self._check(watched, changed)
                if changed and number % _CHECKS_AT_ONCE == 0:
                    await asyncio.sleep(0)

    def _check(self, watched: _Watched, keys_changed: bool) -> None:
        if watched.ended:
            return
        reason = None
        if time.time() >= (watched.caller.expires_at or math.inf):
            reason = _EXPIRED
        elif keys_changed:
            try:
                self._authenticator.identify(watched.credential)
            except Unauthorized:
                reason = _REVOKED
        if reason is not None:
            watched.ended = True
            watched.end(reason)


class _RevocableSocket:
    """A WebSocket that can be closed beside the app that serves it."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._closing = self._closed = self._ended = False
        self._answered = asyncio.Event()
        self._limit = asyncio.timeout(None)

    async def run(self, app: ASGIApp, scope: Scope) -> None:
        try:
            async with self._limit:
                await app(scope, self._receive_unless_closing, self._send_unless_closed)
        except TimeoutError:
            if not self._limit.expired():
                raise
        finally:
            self._ended = True

    async def close(self, reason: str) -> None:
        """Close with 1008. Messages are ignored from now on; an answer in progress has `GRACE_S` to go out.

        A client that reads nothing cannot be told: the connection then ends without a close frame.
        """
        self._closing = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GRACE_S):
                await self._answered.wait()
        self._closed = True
        try:
            async with asyncio.timeout(GRACE_S):
                await self._send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": reason})
        except (TimeoutError, OSError, RuntimeError):  # blocked, gone, or closed by the app
            if not self._ended:
                self._limit.reschedule(0)

    async def _receive_unless_closing(self) -> Message:
        message = await self._receive()
        while self._closing and message["type"] == "websocket.receive":
            message = await self._receive()
        return message

    async def _send_unless_closed(self, message: Message) -> None:
        if self._closed:
            return
        await self._send(message)
        if self._closing:
            self._answered.set()
