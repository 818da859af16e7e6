"""The memory that a proxy must be allowed."""

from frontend_proxy.settings import Settings

OWN_BYTES = 512 * 2**20  # of the proxy's processes beside that


def memory_of_a_proxy():
    """Bytes: one worker process at its limit, the requests in flight, and the proxy's own."""
    settings = Settings(_env_file=None)
    return settings.max_worker_memory_bytes + settings.max_bytes_in_flight + OWN_BYTES
