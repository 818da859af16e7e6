"""Idempotency-Key: a request that is sent twice is answered once (draft-ietf-httpapi-idempotency-key-header).

A key stands for one capture, for as long as its result is kept. A capture that failed or was removed gives
its key free, so that a client may simply send the request again.
"""

import contextlib
import fcntl
import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pydantic import BaseModel

from frontend_proxy.captures.results import Ownership, Record, Results, storage_errors
from frontend_proxy.errors import InvalidInput, KeyReused

HEADER = "Idempotency-Key"
_KEY = re.compile(r"[\x20-\x7e]{1,255}")


@dataclass(frozen=True)
class IdempotencyKey:
    """A key as it is stored, and the fingerprint of the request that it came with.

    Clients do not see each other's keys. Raises InvalidInput for what is no key.
    """

    name: str
    fingerprint: str

    @classmethod
    def of(cls, key: str, client: str, fingerprint: str) -> "IdempotencyKey":
        if not _KEY.fullmatch(key):
            raise InvalidInput(f"{HEADER} must have 1 to 255 characters of ASCII")
        return cls(hashlib.sha256(f"{client}\n{key}".encode()).hexdigest(), fingerprint)


class Claim(BaseModel):
    """What a key stands for."""

    fingerprint: str
    result_id: str

    def of(self, key: IdempotencyKey, record: Record | None) -> Record | None:
        """The capture that the key stands for, if its record says so. Raises KeyReused if that was another
        request's."""
        if record is None or record.state == "failed":
            return None
        if self.fingerprint != key.fingerprint:
            raise KeyReused(f"this {HEADER} was sent with another request; choose a new one for each")
        return record


class IdempotencyKeys:
    """They are kept beside the results, so they hold across restarts and proxies. All methods block."""

    def __init__(self, results: Results) -> None:
        self._results = results
        self._directory = results.directory / "keys"

    def find(self, key: IdempotencyKey) -> Record | None:
        """The capture that the key stands for. Raises KeyReused if that was another request's."""
        try:
            claim = Claim.model_validate_json((self._directory / key.name).read_bytes())
        except (OSError, ValueError):
            return None
        return claim.of(key, self._results.load(claim.result_id))

    def claim(
        self, key: IdempotencyKey, result_id: str, create: Callable[[], Ownership]
    ) -> Record | Ownership:
        """The capture that the key stands for; where there is none, what `create` makes under `result_id`.

        Raises KeyReused, and what `create` raises.
        """
        with self._locked():
            if record := self.find(key):
                return record
            created = create()
            claim = Claim(fingerprint=key.fingerprint, result_id=result_id)
            with contextlib.suppress(OSError):  # a full disk: the capture goes on, its repeat is not known
                (self._directory / key.name).write_text(claim.model_dump_json())
            return created

    def sweep(self) -> None:
        """Forget the keys whose captures are gone."""
        if not self._directory.is_dir():
            return
        with self._locked():
            for path in self._directory.iterdir():
                try:
                    claim = Claim.model_validate_json(path.read_bytes())
                except (OSError, ValueError):
                    claim = None
                if path.name != ".lock" and (claim is None or not self._results.exists(claim.result_id)):
                    path.unlink(missing_ok=True)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Two proxies that share the folder must not both take a key for new."""
        with storage_errors():
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = (self._directory / ".lock").open("wb")
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
