"""What the batches need of their storage: a folder, or Redis."""

from typing import Protocol

from frontend_proxy.batches.record import BatchRecord
from frontend_proxy.captures.deliveries import Deliveries
from frontend_proxy.captures.idempotency import IdempotencyKey


class Lease(Protocol):
    """The right to work on one batch, which one process has at a time."""

    async def renew(self) -> bool:
        """False if another process has it now."""
        ...

    async def release(self) -> None: ...


class BatchStore(Protocol):
    """`LocalBatches` or `RedisBatches`. Methods raise StorageUnavailable, those that write also
    InsufficientStorage."""

    deliveries: Deliveries

    async def create(
        self, record: BatchRecord, request: bytes, key: IdempotencyKey | None
    ) -> BatchRecord | None:
        """Store a new batch; if the key belongs to one already, return that one's record instead.

        Raises Overloaded, KeyReused, Conflict.
        """
        ...

    async def load(self, batch_id: str) -> BatchRecord | None:
        """None if there is none or it has expired."""
        ...

    async def request(self, batch_id: str) -> bytes | None:
        """What `create` got; None if it is gone."""
        ...

    async def save(self, record: BatchRecord) -> None:
        """Raises FileNotFoundError if the batch was deleted."""
        ...

    async def finish(self, record: BatchRecord) -> None:
        """Save the end, delete the request, and have the webhook delivered. Raises as `save` does."""
        ...

    async def remove(self, record: BatchRecord) -> None: ...

    async def cancel(self, batch_id: str) -> None:
        """Tell whoever works on it."""
        ...

    async def cancelled(self, batch_id: str) -> bool: ...

    async def unfinished(self) -> dict[str, str | None]:
        """The batches that are not done, the oldest first, and the holder of each."""
        ...

    async def claim(self, batch_id: str) -> Lease | None:
        """None if another process has it."""
        ...

    async def sweep(self) -> None:
        """Delete what has expired."""
        ...

    async def close(self) -> None: ...
