"""The ports that the stack listens on: the proxy's on HOST, Triton's on the loopback interface."""

from frontend_proxy.web.listen import port_fault
from serving.settings import ServingSettings
from serving.triton_server import LOOPBACK


def port_faults(settings: ServingSettings) -> dict[int, str]:
    """The ports that cannot be used: why, and what to do, in one sentence that begins with the number."""
    found = {}
    for setting, port in settings.ports.items():
        host = settings.host if setting == "PORT" else LOOPBACK
        change = "change HOST, " if setting == "PORT" else ""
        if fault := port_fault(host, port):
            remedy = f"stop what listens there, {change}or set {setting}"
            found[port] = f"{port} of {host} cannot be used ({fault}): {remedy}"
    return found
