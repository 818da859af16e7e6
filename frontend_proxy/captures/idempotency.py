"""Idempotency-Key: a request that is sent twice is answered once (draft-ietf-httpapi-idempotency-key-header).

A key belongs to one capture until its result expires. After the capture failed or was deleted, the key is
free again, so a client may simply repeat the request.
"""

import contextlib
import fcntl
import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pydantic import BaseModel

from frontend_proxy.captures.record import Record
from frontend_proxy.captures.results import CaptureLock, Results
from frontend_proxy.captures.storage_errors import storage_errors
from frontend_proxy.errors import InvalidInput, KeyReused

HEADER = "Idempotency-Key"
_KEY = re.compile(r"[\x20-\x7e]{1,255}")
_NAME = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class IdempotencyKey:
    """A key as it is stored, and the fingerprint of the request that it came with."""

    name: str
    fingerprint: str

    @classmethod
    def of(cls, key: str, client: str, fingerprint: str) -> "IdempotencyKey":
        """The key of a header's value; keys of different clients differ. Raises InvalidInput.

        client: `callers.client_of` the request.
        """
        if not _KEY.fullmatch(key):
            raise InvalidInput(f"{HEADER} must have 1 to 255 characters of ASCII")
        name = f"{client}\n{key}".encode("utf-8", "surrogatepass")  # a token's subject may be any JSON string
        return cls(hashlib.sha256(name).hexdigest(), fingerprint)


class Claim(BaseModel):
    """The capture or batch that a key belongs to. arriving: its record is stored only when all of its request
    is there."""

    fingerprint: str
    result_id: str
    arriving: bool = False

    def of(self, key: IdempotencyKey, record: Record | None) -> Record | None:
        """The capture's record; None if the key is free again. Raises KeyReused for a different request."""
        if record is None or record.state == "failed":
            return None
        if self.fingerprint != key.fingerprint:
            raise KeyReused(
                f"this {HEADER} was sent with a different request; use a new key for each request"
            )
        return record


class IdempotencyKeys:
    """Keys in the results' folder, so they hold across restarts and proxies. All methods block."""

    def __init__(self, results: Results) -> None:
        self._results = results
        self._directory = results.directory / "keys"

    def find(self, key: IdempotencyKey) -> Record | None:
        """The capture that the key belongs to. Raises KeyReused, StorageUnavailable."""
        try:
            claim = Claim.model_validate_json((self._directory / key.name).read_bytes())
        except (OSError, ValueError):
            return None
        return claim.of(key, self._results.load(claim.result_id))

    def claim(
        self, key: IdempotencyKey, result_id: str, create: Callable[[], CaptureLock]
    ) -> Record | CaptureLock:
        """The capture that the key belongs to; if there is none, what `create` makes under `result_id`.

        Raises KeyReused, and what `create` raises.
        """
        with self._locked():
            if record := self.find(key):
                return record
            created = create()
            claim = Claim(fingerprint=key.fingerprint, result_id=result_id)
            with contextlib.suppress(OSError):  # on a full disk the capture goes on without its key
                (self._directory / key.name).write_text(claim.model_dump_json())
            return created

    def sweep(self) -> None:
        """Delete the keys whose captures are gone. Other files in the folder stay."""
        if not self._directory.is_dir():
            return
        with self._locked():
            for path in self._directory.iterdir():
                if _NAME.fullmatch(path.name) and not self._is_claimed(path.name):
                    with contextlib.suppress(OSError):
                        path.unlink(missing_ok=True)

    def _is_claimed(self, name: str) -> bool:
        try:
            claim = Claim.model_validate_json((self._directory / name).read_bytes())
        except ValueError:  # half a file, since the machine lost power
            return False
        except OSError:  # the disk fails for a moment
            return True
        return self._results.exists(claim.result_id)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Prevents that two proxies which share the folder both take a key as new."""
        with storage_errors():
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = (self._directory / ".lock").open("wb")
        with file:
            with storage_errors():
                fcntl.flock(file, fcntl.LOCK_EX)
            yield
