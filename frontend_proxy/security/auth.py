"""Who asks: API keys and JSON Web Tokens, over HTTP and at a WebSocket's opening."""

import hashlib
import hmac
import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlencode

import jwt
from jwt.algorithms import RSAAlgorithm
from starlette.datastructures import Headers
from starlette.types import Scope

from frontend_proxy.errors import Unauthorized
from frontend_proxy.security.watched_file import WatchedFile
from frontend_proxy.settings import Settings

SUBPROTOCOL = "lucy.auth."  # and the credential, beside the subprotocol that is wanted
QUERY = "token"
_LEEWAY_S = 10  # between the clocks of whoever signs and ours
_KEY = re.compile(r"[A-Za-z0-9._~-]{16,}")  # what a subprotocol and a query may hold as it is


class Authenticator:
    """Checks credentials against what the settings name; `required` is False where they name nothing.

    A JWT (RFC 7519) must carry `sub` and `exp`. Each kind of key verifies its own algorithm only, so an
    RS256 public key is never taken for an HS256 secret.
    """

    def __init__(self, settings: Settings) -> None:
        """Raises ValueError or OSError where a key or a file is unusable; the message says which."""
        self._keys = [_digest(key) for key in parse_keys(settings.api_keys.get_secret_value())]
        self._key_file = (
            WatchedFile(settings.api_keys_file, lambda text: [_digest(key) for key in parse_keys(text)])
            if settings.api_keys_file
            else None
        )
        try:
            self._jwt_keys = _jwt_keys(settings)
        except (jwt.PyJWTError, json.JSONDecodeError) as error:
            raise ValueError(f"the keys of JWT_PUBLIC_KEY_FILE or JWT_JWKS_FILE: {error}") from error
        self._audience = settings.jwt_audience
        self._issuer = settings.jwt_issuer
        self.required = bool(self._keys or self._key_file or self._jwt_keys)

    def identify(self, credential: str | None) -> str:
        """The client's name for limits and logs, `key:…` or `jwt:…`, from which no secret can be told.

        Raises Unauthorized.
        """
        if not credential:
            raise Unauthorized(
                "credentials are needed: an Authorization: Bearer or X-API-Key header, or for a WebSocket "
                f"the subprotocol {SUBPROTOCOL}… or ?{QUERY}=…"
            )
        if self._jwt_keys and credential.count(".") == 2:
            return f"jwt:{self._subject(credential)}"
        digest = _digest(credential)
        known = self._keys + (self._key_file.read() if self._key_file else [])
        # Every key is compared, in constant time, whether or not one has matched already.
        if not sum([hmac.compare_digest(digest, key) for key in known]):
            raise Unauthorized("the API key is not known here")
        return f"key:{digest.hex()[:12]}"

    def _subject(self, token: str) -> str:
        try:
            header = jwt.get_unverified_header(token)
            find_key = self._jwt_keys.get(str(header.get("alg")))  # it may be any JSON
            if find_key is None:
                raise Unauthorized(f"the token's alg must be one of {', '.join(sorted(self._jwt_keys))}")
            claims = jwt.decode(
                token,
                find_key(header),
                algorithms=[header["alg"]],
                audience=self._audience,
                issuer=self._issuer,
                leeway=_LEEWAY_S,
                options={"require": ["exp", "sub"], "verify_aud": self._audience is not None},
            )
        except jwt.ExpiredSignatureError:
            raise Unauthorized("the token has expired; get a new one") from None
        except jwt.PyJWTError as error:
            raise Unauthorized(f"the token is not valid here: {type(error).__name__}") from None
        return str(claims["sub"])


def take_credential(scope: Scope) -> str | None:
    """The credential of a request or a WebSocket's opening (browsers can set no headers there).

    It is taken out of the query and the subprotocols, so that neither uvicorn's log nor the answer's
    `Sec-WebSocket-Protocol` repeats it.
    """
    headers = Headers(scope=scope)
    scheme, _, bearer = headers.get("Authorization", "").partition(" ")
    found = (bearer.strip() if scheme.lower() == "bearer" else None) or headers.get("X-API-Key")
    if scope["type"] != "websocket":
        return found
    offered = scope.get("subprotocols", [])
    scope["subprotocols"] = [name for name in offered if not name.startswith(SUBPROTOCOL)]
    query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    kept = [(name, value) for name, value in query if name != QUERY]
    scope["query_string"] = urlencode(kept).encode("latin-1")
    in_subprotocol = (name.removeprefix(SUBPROTOCOL) for name in offered if name.startswith(SUBPROTOCOL))
    return found or next(in_subprotocol, None) or dict(query).get(QUERY)


def parse_keys(text: str) -> list[str]:
    """API keys, separated by commas or lines; what follows a # is a comment. Raises ValueError."""
    lines = (line.partition("#")[0] for line in text.splitlines())
    keys = [key for line in lines for key in re.split(r"[,\s]+", line) if key]
    for number, key in enumerate(keys, 1):
        if not _KEY.fullmatch(key):
            raise ValueError(
                f"API key {number} of {len(keys)} has another form than 16 or more of A-Z a-z 0-9 . _ ~ -; "
                "`openssl rand -hex 32` makes a good one"
            )
    return keys


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def _jwt_keys(settings: Settings) -> dict[str, Callable[[dict[str, Any]], Any]]:
    """For each algorithm that is accepted, how the key is found by the token's header."""
    found: dict[str, Callable[[dict[str, Any]], Any]] = {}
    if settings.jwt_secret is not None:
        secret = settings.jwt_secret.get_secret_value()
        if len(secret.encode()) < 32:
            raise ValueError("JWT_SECRET has fewer than 32 bytes (RFC 7518, section 3.2)")
        found["HS256"] = lambda header: secret
    if settings.jwt_jwks_file:
        key_set = WatchedFile(settings.jwt_jwks_file, jwt.PyJWKSet.from_json)
        found["RS256"] = lambda header: _key_of(key_set.read(), header)
    elif settings.jwt_public_key_file:
        public_key = WatchedFile(settings.jwt_public_key_file, RSAAlgorithm(RSAAlgorithm.SHA256).prepare_key)
        found["RS256"] = lambda header: public_key.read()
    return found


def _key_of(key_set: jwt.PyJWKSet, header: dict[str, Any]) -> Any:
    """The RSA key of the token's `kid`; a set of one key needs none."""
    keys = [key for key in key_set.keys if key.key_type == "RSA"]
    if "kid" in header or len(keys) != 1:
        keys = [key for key in keys if key.key_id is not None and key.key_id == header.get("kid")]
    if not keys:
        raise Unauthorized("the token's kid names no key that is known here")
    return keys[0].key
