"""Graceful shutdown: not ready, then no new connections, then the last answers, then the end."""

import asyncio
import contextlib
import logging
import math
import socket
from collections.abc import Callable

import uvicorn
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from frontend_proxy.settings import Settings

logger = logging.getLogger(__name__)

SERVICE_RESTART = 1012  # IANA's registry of WebSocket close codes


class Shutdown:
    """The state of the shutdown, which readiness reports and sockets wait for."""

    def __init__(self) -> None:
        self.ready = True  # False as soon as the signal arrives
        self.begun = asyncio.Event()  # from then on no new work is started


class Server(uvicorn.Server):
    """uvicorn's server with a shutdown of at most `shutdown_delay_s` + `shutdown_timeout_s`.

    During the delay everything is served, but readiness reports 503. Then the port closes, and running
    requests and sockets have the timeout to finish. A socket closes itself after its last answer. In the end
    uvicorn closes the remaining sockets and cancels the remaining requests.
    """

    def __init__(self, config: uvicorn.Config, settings: Settings, shutdown: Shutdown) -> None:
        super().__init__(config)
        self._settings = settings
        self._shutdown = shutdown

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._shutdown.ready = False
        if self._settings.shutdown_delay_s:
            logger.info("not ready; the port closes in %g s", self._settings.shutdown_delay_s)
            await self._until(lambda: self.force_exit, self._settings.shutdown_delay_s)
        for server in self.servers:
            server.close()
        self._shutdown.begun.set()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._settings.shutdown_timeout_s
        await self._until(lambda: self.force_exit or not self._open_sockets(), deadline - loop.time())
        self.config.timeout_graceful_shutdown = max(1, math.ceil(deadline - loop.time()))
        await super().shutdown(sockets)

    async def _until(self, condition: Callable[[], bool], seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not condition():
                    await asyncio.sleep(0.05)

    def _open_sockets(self) -> bool:
        return any(isinstance(one, WebSocketsSansIOProtocol) for one in self.server_state.connections)
