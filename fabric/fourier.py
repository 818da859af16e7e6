"""SciPy's Fourier transforms, imported when the first is computed.

The proxy imports this package for its names and packs; scans are made in a worker process. SciPy would take
20 MB of the proxy's memory and half a second of its start.
"""

from typing import Any


def __getattr__(name: str) -> Any:
    from scipy import fft

    return getattr(fft, name)
