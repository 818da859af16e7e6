"""The server that hostile clients attack: on this machine only."""

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

SOURCES = ("127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5")  # the hostile clients' own addresses


@dataclass(frozen=True)
class Target:
    """A proxy at a loopback address. key: an API key that it accepts."""

    host: str
    port: int
    key: str

    @classmethod
    def at(cls, url: str, key: str) -> "Target":
        """Raises ValueError if `url` is not http:// with a loopback IP address and a port."""
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname or not parts.port:
            raise ValueError(f"{url} is not like http://127.0.0.1:5000")
        if not ipaddress.ip_address(parts.hostname).is_loopback:
            raise ValueError(f"{parts.hostname} is not a loopback address; other machines are never attacked")
        return cls(parts.hostname, parts.port, key)

    def head(self, method: str, path: str, headers: dict[str, str], with_key: bool = True) -> bytes:
        """A request's head, up to and with its empty line."""
        credential = {"Authorization": f"Bearer {self.key}"} if with_key else {}
        fields = {"Host": f"{self.host}:{self.port}", **credential, **headers}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
        return "\r\n".join([*lines, "", ""]).encode()
