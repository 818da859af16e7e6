"""How glibc's malloc treats large blocks; other C libraries keep their defaults (mallopt(3))."""

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h


def keep_large_blocks() -> None:
    """Keep in this process what one call frees, for the next call.

    A scan's pictures are megabytes each; allocating them anew costs a page fault for every 4 KB. 32 MB is the
    most that glibc keeps in one piece; larger ones are given back, as before.
    """
    _set(_M_MMAP_THRESHOLD, 1 << 25)
    _set(_M_TRIM_THRESHOLD, 1 << 27)


def give_back_large_blocks() -> None:
    """Map each block from 128 KiB on by itself, so that it grows without a copy and is gone once it is freed.

    glibc begins so, but raises the threshold to the largest block that was freed. Then bodies of requests,
    which arrive side by side, grow in the heap: each copy leaves a hole, and the same bodies took up to twice
    their memory, in every second run of `tests/frontend_proxy/test_memory.py`.
    """
    _set(_M_MMAP_THRESHOLD, 1 << 17)


def _set(option: int, size: int) -> None:
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        mallopt(option, size)
