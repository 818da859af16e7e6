"""Several Tritons as one `ModelServer`: a job goes to a ready one, and to the next if that does not answer.

Each server has its own channel. gRPC's round robin over all of them would not do: a session has to stay at
its server, and each server is counted, drained and brought back separately. Keepalive and the bounded,
jittered backoff of the connections are gRPC's (`client.CHANNEL_OPTIONS`).
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
from frontend_proxy.triton.balancer import Balancer, Server
from frontend_proxy.triton.client import Triton
from frontend_proxy.triton_addresses import DNS, resolve

logger = logging.getLogger(__name__)

CHECK_EVERY_S = 1.0  # ± a quarter, so that several proxies do not ask at the same moment
CHECK_STARTING_S = 0.1  # the same for a server that takes no jobs: everybody waits for it
STALE_S = 15.0  # a check takes 6 s at most; an older one says nothing about now
RESOLVE_EVERY_S = 5.0
COUNT_EVERY_S = 1.0
NONE_KNOWN = "no model server is known yet; try again in a few seconds"
UNCHECKED = ModelHealth(False, False, "the model server has not been checked yet", "unknown")


class Tritons:
    """Create it inside a running event loop; it watches the servers until it is closed.

    addresses: as `addresses.resolve` takes them.
    background: runs the loops.
    slow_start_s: for how long a server that comes back gets less than its share.
    """

    def __init__(self, addresses: Sequence[str], background: Background, slow_start_s: float = 10.0) -> None:
        self._background = background
        self._addresses = list(addresses)
        self._balancer = Balancer(slow_start_s)
        self._servers: dict[str, Triton] = {}
        self._checks: dict[str, tuple[float, ModelHealth]] = {}  # when, and what it found
        self._watches: dict[str, asyncio.Task[None]] = {}
        self._drains: set[asyncio.Task[None]] = set()
        self._counting = asyncio.Lock()
        self._counted: tuple[float, dict[Execution, int]] | None = None
        for address in self._addresses:
            if not address.startswith(DNS):
                self._add(address, late=False)
        self._resolving: list[asyncio.Task[None]] = []
        if any(address.startswith(DNS) for address in self._addresses):
            self._resolving.append(background.loop("resolve model servers", self._keep_resolving))

    async def run(self, job: Job, timeout_s: float) -> AsyncGenerator[Progress | Result, None]:
        """See `ModelServer.run`. A job may be sent twice: it changes nothing at the server."""
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
                self._set_ready(name, False, str(error))
                if delivered:
                    raise
                failure = error.with_traceback(None)
            finally:
                await responses.aclose()
        try:
            raise failure
        finally:
            # Otherwise the error and this frame would form a cycle that holds the job's pictures.
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
        """See `ModelServer.health`: ready if one server is. Uses the last checks, so it asks no server."""
        found = [self._last_check(name) for name in self._servers]
        ready = next((health for health in found if health.ready), None)
        loading = next((health for health in found if health.loading), None)
        if ready or loading or len(found) == 1:
            return ready or loading or found[0]
        errors = sorted({health.error or "" for health in found})
        why = f"none of {len(found)} model servers is ready: {'; '.join(errors)}" if found else NONE_KNOWN
        return ModelHealth(False, False, why, "unknown")

    def _last_check(self, name: str) -> ModelHealth:
        checked, health = self._checks.get(name, (0.0, UNCHECKED))
        if health is not UNCHECKED and time.monotonic() - checked > STALE_S:
            error = f"the model server was not checked for {STALE_S:g} s"
            return ModelHealth(False, False, error, health.device)
        return health

    async def executions(self) -> dict[Execution, int]:
        """See `ModelServer.executions`. Asks the servers once a second at most."""
        async with self._counting:
            if self._counted is None or time.monotonic() - self._counted[0] >= COUNT_EVERY_S:
                counts = await asyncio.gather(*(server.executions() for server in self._servers.values()))
                merged = {execution: count for one in counts for execution, count in one.items()}
                self._counted = (time.monotonic(), merged)
            return self._counted[1]

    async def close(self) -> None:
        tasks = [*self._resolving, *self._watches.values(), *self._drains]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(server.close() for server in self._servers.values()))

    def _add(self, name: str, late: bool) -> None:
        self._servers[name] = Triton(name, self._background)
        self._balancer.add(name, late)
        self._watches[name] = self._background.loop("watch model server", lambda: self._watch(name), name)

    def _remove(self, name: str) -> None:
        """Drain the server: it gets no new jobs, and its channel closes after the last job has ended."""
        self._watches.pop(name).cancel()
        self._checks.pop(name, None)
        drain = self._background.task(
            "drain model server", self._drain(self._servers.pop(name), self._balancer.remove(name))
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
        server, logged = self._servers[name], ""
        while True:
            health = await server.health()
            self._checks[name] = (time.monotonic(), health)
            changed = self._set_ready(name, health.ready, server.problem)
            if server.problem not in ("", logged) and not changed:
                logger.info("model server %s: %s", name, server.problem)
            logged = server.problem
            pause = CHECK_EVERY_S if health.ready else CHECK_STARTING_S
            await asyncio.sleep(pause * random.uniform(0.75, 1.25))

    def _set_ready(self, name: str, ready: bool, problem: str) -> bool:
        """Record whether the server takes jobs. Returns whether that has changed, which is then logged."""
        changed = self._balancer.set_ready(name, ready, time.monotonic())
        if changed:
            SERVER_READY.labels(name).set(ready)
            logger.info("model server %s %s", name, "is ready" if ready else f"gets no jobs: {problem}")
        return changed

    async def _keep_resolving(self) -> None:
        """While a name cannot be resolved, the known servers stay."""
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
