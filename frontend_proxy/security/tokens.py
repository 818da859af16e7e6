"""JSON Web Tokens (RFC 7519): which keys verify them, and which claims they must have."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jwt
from jwt.algorithms import RSAAlgorithm

from frontend_proxy.errors import Unauthorized
from frontend_proxy.security.watched_file import WatchedFile
from frontend_proxy.settings import Settings

EXPIRED = "the token has expired; get a new one"
_LEEWAY_S = 10  # between the clocks of the issuer and of this server

_FindKey = Callable[[dict[str, Any]], Any]


@dataclass(frozen=True)
class Claims:
    """The claims of a valid token that the proxy uses. expires_at: Unix time."""

    issuer: Any
    subject: str
    expires_at: float


class TokenVerifier:
    """Verifies tokens with the keys that the settings name.

    Each key verifies its own algorithm only, so an RS256 public key is never used as an HS256 secret.
    """

    def __init__(self, settings: Settings) -> None:
        """Raises ValueError or OSError if a key, a file or their combination is unusable, or none is set."""
        self._files: list[WatchedFile[Any]] = []
        try:
            self._keys = self._find_keys(settings)
        except (jwt.PyJWTError, json.JSONDecodeError) as error:
            raise ValueError(f"the keys of JWT_PUBLIC_KEY_FILE or JWT_JWKS_FILE: {error}") from error
        self._audience = settings.jwt_audience
        self._issuer = settings.jwt_issuer
        if not self._keys:
            raise ValueError(
                "JWT_AUDIENCE and JWT_ISSUER need a key: set JWT_SECRET, JWT_PUBLIC_KEY_FILE or JWT_JWKS_FILE"
            )

    @property
    def version(self) -> int:
        """How often the key files have changed."""
        for file in self._files:
            file.read()
        return sum(file.version for file in self._files)

    def verify(self, token: str) -> Claims:
        """The token's claims. Raises Unauthorized."""
        try:
            header = jwt.get_unverified_header(token)
            find_key = self._keys.get(str(header.get("alg")))  # it may be any JSON
            if find_key is None:
                raise Unauthorized(f"the token's alg must be one of {', '.join(sorted(self._keys))}")
            claims = jwt.decode(
                token,
                find_key(header),
                algorithms=[header["alg"]],
                audience=self._audience,
                issuer=self._issuer,
                leeway=_LEEWAY_S,
                options={"require": ["exp", "sub"], "verify_aud": self._audience is not None},
            )
            return Claims(claims.get("iss"), str(claims["sub"]), float(claims["exp"]))
        except jwt.ExpiredSignatureError:
            raise Unauthorized(EXPIRED) from None
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError) as error:  # numbers may be any JSON
            raise Unauthorized(f"the token is not valid: {type(error).__name__}") from None

    def _find_keys(self, settings: Settings) -> dict[str, _FindKey]:
        """For each accepted algorithm, the function that finds the key for a token's header."""
        found: dict[str, _FindKey] = {}
        if settings.jwt_secret is not None:
            secret = settings.jwt_secret.get_secret_value()
            if len(secret.encode()) < 32:
                raise ValueError("JWT_SECRET has fewer than 32 bytes (RFC 7518, section 3.2)")
            found["HS256"] = lambda header: secret
        if settings.jwt_jwks_file:
            key_set = WatchedFile(settings.jwt_jwks_file, _rsa_keys)
            if not key_set.read():
                raise ValueError("JWT_JWKS_FILE contains no RSA key")
            self._files.append(key_set)
            found["RS256"] = lambda header: _key_of(key_set.read(), header)
        elif settings.jwt_public_key_file:
            public_key = WatchedFile(
                settings.jwt_public_key_file, RSAAlgorithm(RSAAlgorithm.SHA256).prepare_key
            )
            self._files.append(public_key)
            found["RS256"] = lambda header: public_key.read()
        return found


def _rsa_keys(text: str) -> list[jwt.PyJWK]:
    """The RSA keys of a key set (RFC 7517). None are left when all were revoked: then no token is valid."""
    content = json.loads(text)
    if not isinstance(content, dict):
        raise jwt.PyJWKSetError("not a JSON object")
    if content.get("keys") == []:
        return []
    return [key for key in jwt.PyJWKSet.from_dict(content).keys if key.key_type == "RSA"]


def _key_of(keys: list[jwt.PyJWK], header: dict[str, Any]) -> Any:
    """The key that the token's `kid` names; a set of one key needs no `kid`."""
    if "kid" in header or len(keys) != 1:
        keys = [key for key in keys if key.key_id is not None and key.key_id == header.get("kid")]
    if not keys:
        raise Unauthorized("the token's kid names no known key")
    return keys[0].key
