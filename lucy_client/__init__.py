"""A client of Lucy Serve: captures, live keyframes, fabrics and batches, synchronous and asynchronous."""

from lucy_client.async_client import AsyncLucy
from lucy_client.calls import CaptureResult
from lucy_client.client import Lucy
from lucy_client.errors import LucyError
from lucy_client.events import Progress
from lucy_client.keyframes import AsyncKeyframeSession, KeyframeAnswer, KeyframeSession
from lucy_client.retries import Retries

__all__ = [
    "AsyncKeyframeSession",
    "AsyncLucy",
    "CaptureResult",
    "KeyframeAnswer",
    "KeyframeSession",
    "Lucy",
    "LucyError",
    "Progress",
    "Retries",
]
