"""A model server whose jobs are counted in the metrics."""

import asyncio
from collections.abc import AsyncGenerator, Mapping

from frontend_proxy.errors import ProxyError
from frontend_proxy.jobs import Execution, Job, ModelHealth, ModelServer, Progress, Result
from frontend_proxy.metrics import IN_FLIGHT, JOBS, count_stages


class InstrumentedServer:
    """Forwards calls to another `ModelServer`. A job's outcome is `done`, `cancelled` or an error's code."""

    def __init__(self, server: ModelServer) -> None:
        self._server = server

    async def run(self, job: Job, timeout_s: float) -> AsyncGenerator[Progress | Result, None]:
        outcome = "INTERNAL"
        responses = self._server.run(job, timeout_s)
        IN_FLIGHT.labels(job.mode).inc()
        try:
            async for response in responses:
                if isinstance(response, Result):
                    outcome = "done"
                    count_stages(job.mode, response.report)
                yield response
        except ProxyError as error:
            outcome = error.code
            raise
        except (asyncio.CancelledError, GeneratorExit):
            if outcome != "done":  # closing the generator after the result is a job's normal end
                outcome = "cancelled"
            raise
        finally:
            IN_FLIGHT.labels(job.mode).dec()
            JOBS.labels(job.mode, outcome).inc()
            await responses.aclose()

    async def health(self) -> ModelHealth:
        return await self._server.health()

    async def executions(self) -> Mapping[Execution, int]:
        return await self._server.executions()

    async def close(self) -> None:
        await self._server.close()
