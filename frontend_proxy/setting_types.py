"""Types of settings with checks of our own. Each check raises ValueError with the reason."""

import importlib.util
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, SecretStr
from pydantic_settings import NoDecode

from frontend_proxy.origin import parse_origin
from frontend_proxy.triton_addresses import check_address
from frontend_proxy.webhook_signature import webhook_key


def _split(value: object) -> object:
    """`a, b` or `["a", "b"]`, as templates of other frameworks write it, as a list."""
    if isinstance(value, str):
        text = value.strip()
        if text.startswith("[") and text.endswith("]"):
            text = text[1:-1]
        parts = (part.strip().strip("\"'").strip() for part in text.split(","))
        return [part.rstrip("/") for part in parts if part]
    return value


def _normal_origin(value: str) -> str:
    """As browsers send it: in lower case, without a default port."""
    if value in ("*", "null"):
        return value
    origin = parse_origin(value)
    if origin is None:
        raise ValueError(
            f"{value!r} is not an origin: write scheme and host alone, such as https://shop.example"
        )
    return str(origin)


def _rates(value: str) -> str:
    from limits import parse_many  # here: `make serve` reads the settings before it starts anything

    parse_many(value)
    return value


def _storage(value: str) -> str:
    from limits.errors import ConfigurationError
    from limits.storage import storage_from_string

    try:
        storage_from_string(f"async+{value}", implementation="redispy")
    except ConfigurationError as error:
        raise ValueError(f"{error} (for Redis: pip install lucy-serve[redis])") from error
    return value


def _redis(value: SecretStr) -> SecretStr:
    if not value.get_secret_value().startswith(("redis://", "rediss://", "unix://")):
        raise ValueError("it must begin with redis://, rediss:// or unix://")
    _check_installed("redis", "obstore")
    return value


def _bucket(value: str) -> str:
    _check_installed("obstore")
    return value


def _check_installed(*packages: str) -> None:
    if any(importlib.util.find_spec(package) is None for package in packages):
        raise ValueError("its client is missing: pip install lucy-serve[redis]")


def _signing_secret(value: SecretStr) -> SecretStr:
    """A secret as in the Standard Webhooks specification."""
    webhook_key(value.get_secret_value())
    return value


Rates = Annotated[str, AfterValidator(_rates)]
RateStorage = Annotated[str, AfterValidator(_storage)]
CommaSeparated = Annotated[list[str], NoDecode, BeforeValidator(_split)]
Origins = Annotated[list[Annotated[str, AfterValidator(_normal_origin)]], NoDecode, BeforeValidator(_split)]
Address = Annotated[str, AfterValidator(check_address)]
Addresses = Annotated[list[Address], NoDecode, BeforeValidator(_split)]
Bucket = Annotated[str, AfterValidator(_bucket)]
RedisURL = Annotated[SecretStr, AfterValidator(_redis)]
SigningSecret = Annotated[SecretStr, AfterValidator(_signing_secret)]
