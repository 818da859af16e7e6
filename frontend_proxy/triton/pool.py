"""Several Tritons as one `ModelServer`: each job goes to one that is there, and on to the next if it was not.

One channel a server, and not gRPC's own round robin over all of them: a session has to stay at its server,
and each server has to be counted, drained and brought back by itself. Keepalive and the bounded, jittered
back-off of the connections are gRPC's (`triton.CHANNEL_OPTIONS`).
"""

import asyncio
import logging
import random
import time
from collections.abc import AsyncGenerator, Sequence

from frontend_proxy.background import Background
from frontend_proxy.errors import ModelUnavailable
from frontend_proxy.jobs import Execution, Job, ModelHealth, Progress, Result
from frontend_proxy.metrics import SERVER_IN_FLIGHT, SERVER_JOBS, SERVER_READY
from frontend_proxy.triton.addresses import DNS, resolve
from frontend_proxy.triton.balancer import Balancer, Server
from frontend_proxy.triton.client import Triton

logger = logging.getLogger(__name__)

CHECK_EVERY_S = 1.0  # give or take a quarter, so that proxies do not ask in step
RESOLVE_EVERY_S = 5.0
NONE_KNOWN = "no model server is known yet; try again in a few seconds"


class Tritons:
    """Made inside a running event loop, where it watches the servers until it is closed.

    addresses: as `triton_addresses.resolve` takes them.
    background: runs the watching.
    slow_start_s: how long a server that comes back has less than its share.
    """

    def __init__(self, addresses: Sequence[str], background: Background, slow_start_s: float = 10.0) -> None:
        self._background = background
        self._addresses = list(addresses)
        self._balancer = Balancer(slow_start_s)
        self._servers: dict[str, Triton] = {}
        self._watches: dict[str, asyncio.Task[None]] = {}
        self._drains: set[asyncio.Task[None]] = set()
        for address in self._addresses:
            if not address.startswith(DNS):
                self._add(address, late=False)
        self._resolving: list[asyncio.Task[None]] = []
        if any(address.startswith(DNS) for address in self._addresses):
            self._resolving.append(background.loop("resolve model servers", self._keep_resolving))

    async def run(self, job: Job, timeout_s: float) -> AsyncGenerator[Progress | Result, None]:
        """See `ModelServer.run`. A job may be sent again: it changes nothing at the server."""
        deadline = time.monotonic() + timeout_s
        tried: list[str] = []
        failure = ModelUnavailable(NONE_KNOWN)
        while name := self._balancer.choose(job.session, tried, time.monotonic()):
            tried.append(name)
            delivered = False
            responses = self._run_at(name, job, deadline - time.monotonic())
            try:
                async for response in responses:
                    delivered = True
                    yield response
                return
            except ModelUnavailable as error:
                self._see(name, False, str(error))
                if delivered:
                    raise
                failure = error.with_traceback(None)
            finally:
                await responses.aclose()
        try:
            raise failure
        finally:
            # Else it and this frame hold each other, and the job's pictures, until garbage is looked for.
            del failure

    async def _run_at(self, name: str, job: Job, timeout_s: float) -> AsyncGenerator[Progress | Result, None]:
        server, account = self._servers[name], self._balancer.servers[name]
        responses = server.run(job, timeout_s)
        outcome = "ended"
        account.in_flight += 1
        SERVER_IN_FLIGHT.labels(name).inc()
        try:
            async for response in responses:
                yield response
        except ModelUnavailable:
            outcome = "unavailable"
            raise
        finally:
            account.in_flight -= 1
            SERVER_IN_FLIGHT.labels(name).dec()
            SERVER_JOBS.labels(name, outcome).inc()
            await responses.aclose()

    async def health(self) -> ModelHealth:
        """See `ModelServer.health`: ready where one server is."""
        names = list(self._servers)
        found = dict(zip(names, await asyncio.gather(*map(self._check, names)), strict=True))
        if len(found) == 1:
            return found[names[0]]
        ready = next((health for health in found.values() if health.ready), None)
        loading = next((health for health in found.values() if health.loading), None)
        why = "; ".join(f"{name}: {health.error}" for name, health in found.items())
        return ready or loading or ModelHealth(False, False, why or NONE_KNOWN, "unknown")

    async def executions(self) -> dict[Execution, int]:
        """See `ModelServer.executions`."""
        counts = await asyncio.gather(*(server.executions() for server in self._servers.values()))
        return {execution: count for one in counts for execution, count in one.items()}

    async def close(self) -> None:
        tasks = [*self._resolving, *self._watches.values(), *self._drains]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(server.close() for server in self._servers.values()))

    def _add(self, name: str, late: bool) -> None:
        self._servers[name] = Triton(name)
        self._balancer.add(name, late)
        self._watches[name] = self._background.loop(f"watch {name}", lambda: self._watch(name))

    def _remove(self, name: str) -> None:
        """Drain it: no new jobs, and its channel closes when the last one has ended."""
        self._watches.pop(name).cancel()
        drain = self._background.task(
            f"drain {name}", self._drain(self._servers.pop(name), self._balancer.remove(name))
        )
        self._drains.add(drain)
        drain.add_done_callback(self._drains.discard)
        SERVER_READY.labels(name).set(0)

    async def _drain(self, server: Triton, account: Server) -> None:
        try:
            while account.in_flight:
                await asyncio.sleep(CHECK_EVERY_S)
        finally:
            await server.close()

    async def _watch(self, name: str) -> None:
        while True:
            await self._check(name)
            await asyncio.sleep(CHECK_EVERY_S * random.uniform(0.75, 1.25))

    async def _check(self, name: str) -> ModelHealth:
        health = await self._servers[name].health()
        if health.ready or health.loading:
            self._see(name, health.ready, "it loads")
        else:
            self._see(name, False, health.error or "")
        return health

    def _see(self, name: str, ready: bool, why_not: str) -> None:
        if self._balancer.see(name, ready, time.monotonic()):
            SERVER_READY.labels(name).set(ready)
            logger.info("%s %s", name, "is ready" if ready else f"gets no jobs: {why_not}")

    async def _keep_resolving(self) -> None:
        """A name that cannot be resolved just now leaves the servers as they are."""
        known = bool(self._servers)
        while True:
            try:
                found = await resolve(self._addresses)
            except OSError as error:
                logger.warning("the model servers' names cannot be resolved: %s", error)
            else:
                for name in found - self._servers.keys():
                    self._add(name, late=known)
                for name in self._servers.keys() - found:
                    self._remove(name)
                known = True
            await asyncio.sleep(RESOLVE_EVERY_S)
