"""Authentication: API keys and JSON Web Tokens, for requests and for a WebSocket's handshake."""

import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.types import Scope

from frontend_proxy.errors import Unauthorized
from frontend_proxy.security.credentials import QUERY, SUBPROTOCOL
from frontend_proxy.security.watched_file import WatchedFile
from frontend_proxy.settings import Settings

if TYPE_CHECKING:
    from frontend_proxy.security.tokens import TokenVerifier

STATE = "caller"  # the name of the caller's id in a request's state
_KEY = re.compile(r"[A-Za-z0-9._~-]{16,}")  # a subprotocol and a query can hold it without encoding


@dataclass(frozen=True)
class Caller:
    """Who sent a request.

    id: `key:…` or `jwt:…` and a digest. The same credential, or the same issuer and subject, always has the
        same id. It shows neither the key nor the subject, so logs and stored records may contain it.
    expires_at: Unix time at which the token expires; None for an API key.
    """

    id: str
    expires_at: float | None = None


class Authenticator:
    """Checks credentials against the keys that the settings name; `required` is False if they name none."""

    def __init__(self, settings: Settings) -> None:
        """Raises ValueError or OSError, with the reason, if a key or a file is unusable.

        A setting that is present and contains no key is refused: it would leave the service open to everyone.
        """
        api_keys = settings.api_keys.get_secret_value()
        self._keys = [_digest(key) for key in parse_keys(api_keys)]
        if api_keys and not self._keys:
            raise ValueError("API_KEYS is set and contains no key; remove it to let everyone call")
        self._key_file = WatchedFile(settings.api_keys_file, _digests) if settings.api_keys_file else None
        if self._key_file and not self._key_file.read():
            raise ValueError("API_KEYS_FILE contains no key; remove the setting to let everyone call")
        self._tokens = _token_verifier(settings)
        self.required = bool(self._keys or self._key_file or self._tokens)

    @property
    def version(self) -> int:
        """Changes whenever a key file has changed: credentials that were valid may be revoked now."""
        self._known_keys()  # reads the file again if it has changed
        return sum(it.version for it in (self._tokens, self._key_file) if it)

    @property
    def knows_one_caller(self) -> bool:
        """Whether a single API key is all that is accepted."""
        return self._tokens is None and len(self._known_keys()) == 1

    def identify(self, credential: str | None) -> Caller:
        """The caller that the credential belongs to. Raises Unauthorized."""
        if not credential:
            raise Unauthorized(
                "credentials are needed: an Authorization: Bearer or X-API-Key header, or for a WebSocket "
                f"the subprotocol {SUBPROTOCOL}… or ?{QUERY}=…"
            )
        digest = _digest(credential)
        # Compares with every key, in constant time, even after a match.
        if sum([hmac.compare_digest(digest, key) for key in self._known_keys()]):
            return Caller(f"key:{digest.hex()[:32]}")
        if self._tokens and credential.count(".") == 2:
            claims = self._tokens.verify(credential)
            name = json.dumps([claims.issuer, claims.subject])
            return Caller(f"jwt:{_digest(name).hex()[:32]}", claims.expires_at)
        raise Unauthorized("the API key is not known")

    def _known_keys(self) -> list[bytes]:
        return self._keys + (self._key_file.read() if self._key_file else [])


def _token_verifier(settings: Settings) -> "TokenVerifier | None":
    """None without settings of tokens: what they need takes 0.1 s of processor time at the start."""
    names = (name for name in Settings.model_fields if name.startswith("jwt_"))
    if all(getattr(settings, name) is None for name in names):
        return None
    from frontend_proxy.security.tokens import TokenVerifier

    return TokenVerifier(settings)


def caller_of(scope: Scope) -> str | None:
    """The id of the `Caller` of a request or a WebSocket; None for an anonymous one."""
    caller: str | None = scope.get("state", {}).get(STATE)
    return caller


def parse_keys(text: str) -> list[str]:
    """API keys, separated by commas, blanks or lines; a # begins a comment. Raises ValueError."""
    lines = (line.partition("#")[0] for line in text.splitlines())
    keys = [key for line in lines for key in re.split(r"[,\s]+", line) if key]
    for number, key in enumerate(keys, 1):
        if not _KEY.fullmatch(key):
            raise ValueError(
                f"API key {number} of {len(keys)} is not 16 or more of the characters A-Z a-z 0-9 . _ ~ -; "
                "`openssl rand -hex 32` makes a good one"
            )
    return keys


def _digests(text: str) -> list[bytes]:
    return [_digest(key) for key in parse_keys(text)]


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
