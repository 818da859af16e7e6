"""Every setting of `make serve`: one object for the supervisor, the doctor and the Triton that they start.

The proxy's settings are the same ones: the proxy is started with this process's environment and `.env`.
"""

from pathlib import Path
from typing import Any, Self

from pydantic import Field, ValidationError, model_validator

from frontend_proxy.settings import Settings
from frontend_proxy.web.listen import local_addresses, url_host
from serving.cpu_settings import CpuSettings
from serving.errors import CannotServe
from serving.gpu_settings import GpuSettings

ROOT = Path(__file__).resolve().parent.parent


class ServingSettings(CpuSettings, GpuSettings, Settings):
    """The proxy's settings and those of its Triton, from the environment or `.env`."""

    triton_grpc_port: int = Field(8001, ge=1, le=65535, description="gRPC port of the Triton that is started")
    triton_http_port: int | None = Field(
        None, ge=1, le=65535, description="its HTTP port; empty: no HTTP, which nothing here needs"
    )
    triton_metrics_port: int = Field(8002, ge=1, le=65535, description="its port of Prometheus metrics")

    @model_validator(mode="after")
    def _ports_differ(self) -> Self:
        ports = list(self.ports.values())
        if len(set(ports)) < len(ports):
            raise ValueError(f"{', '.join(self.ports)} must differ from each other")
        return self

    @property
    def ports(self) -> dict[str, int]:
        """The setting and the number of each port that the stack listens on."""
        names = ("port", "triton_grpc_port", "triton_http_port", "triton_metrics_port")
        values = ((name.upper(), getattr(self, name)) for name in names)
        return {name: value for name, value in values if value is not None}

    @property
    def base_url(self) -> str:
        """The proxy's URL for people on this machine."""
        return f"http://{url_host(self.host)}:{self.port}"

    @property
    def proxy_addresses(self) -> list[str]:
        """Addresses of which one answers health checks of the proxy."""
        return local_addresses(self.host)


def load_settings(**given: Any) -> ServingSettings:
    """The settings; `given` values that are not None override them.

    Raises CannotServe, which names each wrong setting.
    """
    try:
        return ServingSettings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        faults = [(".".join(map(str, it["loc"])).upper(), it["msg"]) for it in error.errors()]
        raise CannotServe("; ".join(f"{name}: {text}" if name else text for name, text in faults)) from error
