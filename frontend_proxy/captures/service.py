"""What `/virtual-tryon` needs of the captures' storage and execution."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from frontend_proxy.answer_schemas import CaptureProgress
from frontend_proxy.captures.deliveries import Deliveries
from frontend_proxy.captures.idempotency import IdempotencyKey
from frontend_proxy.captures.record import Record
from frontend_proxy.captures.run import CaptureRun
from frontend_proxy.jobs import Job
from frontend_proxy.metrics import Backlog


class CaptureService(Protocol):
    """`LocalCaptures` in one process, `RedisCaptures` in several."""

    deliveries: Deliveries

    async def check_room(self) -> None:
        """Raises Overloaded or StorageUnavailable if there is no room for one more now: no work is done for
        it in vain. `accept` decides."""
        ...

    async def accept(
        self,
        jobs: list[Job],
        base_url: str,
        detached: bool,
        webhook_url: str | None = None,
        key: IdempotencyKey | None = None,
        owner: str | None = None,
    ) -> CaptureRun | Record:
        """Accept a capture with one sample for each job.

        base_url: base of the URLs that the client gets.
        detached: the client does not wait for it.
        key: if it belongs to a capture already, that one's record is returned.
        owner: who may read and delete it.

        Returns a run to wait for, or the record. Raises Overloaded, InsufficientStorage, KeyReused, Conflict,
        StorageUnavailable.
        """
        ...

    async def enqueue(self, record: Record, jobs: list[Job]) -> None:
        """Make this capture of a batch, besides those that somebody waits for. Returns when it is queued.

        It ends as any other, under the id of `record`. Has no effect on one that is known already, unless
        its process stopped while it was made. Raises Overloaded, InsufficientStorage, StorageUnavailable.
        """
        ...

    async def progress(self, result_id: str) -> CaptureProgress | None:
        """None if it is not known here."""
        ...

    async def find(self, result_id: str) -> Record:
        """Raises NotFound."""
        ...

    async def image(self, result_id: str, name: str) -> bytes | None:
        """A sample, like `0.png`; None if there is none or it has expired."""
        ...

    async def remove(self, result_id: str) -> None:
        """Delete a capture; one that runs is cancelled, in another process at its next step.

        Raises NotFound.
        """
        ...

    async def backlog(self) -> Backlog | None:
        """None if there is no queue, or it is away."""
        ...

    def running(self) -> AbstractAsyncContextManager[None]:
        """Background work runs inside this context."""
        ...


async def end_tasks(tasks: Callable[[], set[asyncio.Task[None]]]) -> None:
    """Cancel the tasks and wait for their end; again after a second for those that go on, or that those have
    started: redis-py loses a cancel that comes while it connects."""
    while running := {task for task in tasks() if not task.done()}:
        for task in running:
            task.cancel()
        await asyncio.wait(running, timeout=1)
