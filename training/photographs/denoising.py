"""Intel's Open Image Denoise, from the library that Blender's package has.

Called through its C interface, so that the passes of all lights of the basis are cleaned without a file
between.
"""

import ctypes
import importlib.util
from functools import lru_cache
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

_FLOAT3 = 3
Quality = Literal["fast", "balanced", "best"]
# Of its network. Each takes twice as long as the one before; the best leaves a fifth less grain.
_QUALITIES: dict[Quality, int] = {"fast": 4, "balanced": 5, "best": 6}


@lru_cache
def _library() -> ctypes.CDLL:
    spec = importlib.util.find_spec("bpy")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("the package `bpy` is missing: see training/photographs/README.md")
    library = ctypes.CDLL(str(Path(spec.origin).parent / "lib" / "libOpenImageDenoise.so.2"))
    for name in ("oidnNewDevice", "oidnNewFilter"):
        getattr(library, name).restype = ctypes.c_void_p
    library.oidnNewDevice.argtypes = [ctypes.c_int]
    library.oidnNewFilter.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    for name in ("oidnCommitDevice", "oidnCommitFilter", "oidnExecuteFilter", "oidnReleaseFilter"):
        getattr(library, name).argtypes = [ctypes.c_void_p]
    library.oidnSetSharedFilterImage.argtypes = [
        ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int,
        *[ctypes.c_size_t] * 5,
    ]  # fmt: skip
    library.oidnSetFilterBool.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_bool]
    library.oidnSetFilterInt.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]
    library.oidnSetDeviceInt.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]
    library.oidnSetDeviceBool.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_bool]
    library.oidnGetDeviceError.argtypes = [ctypes.c_void_p, ctypes.POINTER(ctypes.c_char_p)]
    library.oidnGetDeviceError.restype = ctypes.c_int
    return library


@lru_cache
def _device(threads: int) -> int:
    library = _library()
    device = library.oidnNewDevice(1)  # the CPU
    library.oidnSetDeviceInt(device, b"numThreads", threads)
    library.oidnSetDeviceBool(device, b"setAffinity", False)
    library.oidnCommitDevice(device)
    return int(device)


def denoise(
    passes: np.ndarray, albedo: np.ndarray, normal: np.ndarray, threads: int = 1, quality: Quality = "best"
) -> np.ndarray:
    """passes: (G, h, w, 3) linear light; albedo, normal: (h, w, 3), free of noise. Returns cleaned passes."""
    library, device = _library(), _device(threads)
    count, height, width = passes.shape[:3]
    guides = [np.ascontiguousarray(guide, np.float32) for guide in (albedo, normal)]
    colour = np.ascontiguousarray(passes, np.float32)
    cleaned = np.empty_like(colour)
    run = library.oidnNewFilter(device, b"RT")
    for name, guide in zip((b"albedo", b"normal"), guides, strict=True):
        library.oidnSetSharedFilterImage(run, name, guide.ctypes.data, _FLOAT3, width, height, 0, 0, 0)
    library.oidnSetFilterBool(run, b"hdr", True)
    library.oidnSetFilterBool(run, b"cleanAux", True)
    library.oidnSetFilterInt(run, b"quality", _QUALITIES[quality])
    for index in range(count):
        for name, images in ((b"color", colour), (b"output", cleaned)):
            library.oidnSetSharedFilterImage(
                run, name, images[index].ctypes.data, _FLOAT3, width, height, 0, 0, 0
            )
        library.oidnCommitFilter(run)
        library.oidnExecuteFilter(run)
    message = ctypes.c_char_p()
    error = library.oidnGetDeviceError(device, ctypes.byref(message))
    library.oidnReleaseFilter(run)
    if error:
        raise RuntimeError(f"Open Image Denoise: {(message.value or b'').decode()}")
    return cleaned


def denoise_white(
    passes: np.ndarray,
    albedo: np.ndarray,
    normal: np.ndarray,
    alpha: np.ndarray,
    threads: int = 1,
    quality: Quality = "best",
) -> np.ndarray:
    """The same for passes under white lights, three in one run: three times as fast.

    Under white light a surface's brightness carries nearly all of the picture; its colour is the albedo's,
    and what light from coloured neighbours changes of it is smooth. So three passes' brightness is cleaned
    as the red, green and blue of one picture. Only the part of the picture that is covered is looked at.
    """
    rows, columns = np.flatnonzero(alpha.max(axis=1) > 0), np.flatnonzero(alpha.max(axis=0) > 0)
    cleaned = np.zeros_like(passes)
    if not rows.size:
        return cleaned
    place = (slice(max(rows[0] - 4, 0), rows[-1] + 5), slice(max(columns[0] - 4, 0), columns[-1] + 5))
    colour, own, facing = passes[:, place[0], place[1]], albedo[place], normal[place]
    bright = colour.mean(axis=-1)
    count = len(bright)
    padded = np.concatenate([bright, np.repeat(bright[-1:], -count % 3, axis=0)])
    packed = np.moveaxis(padded.reshape(-1, 3, *padded.shape[1:]), 1, -1)
    grey = own.mean(axis=-1, keepdims=True)
    done = denoise(packed, np.repeat(grey, 3, axis=-1), facing, threads, quality)
    smooth = np.moveaxis(done, -1, 1).reshape(-1, *padded.shape[1:])[:count]
    tint = (own + 1e-4) / (grey + 1e-4)
    for index in range(count):
        expected = tint * bright[index][..., None]
        level = 1e-4 * float(bright[index].max()) + 1e-7
        change = (_blur(colour[index]) + level) / (_blur(expected) + level)
        cleaned[index, place[0], place[1]] = (
            np.maximum(smooth[index], 0)[..., None] * tint * np.clip(change, 0.4, 2.5)
        )
    return cleaned * (alpha > 1e-3)[None, ..., None]


def _blur(picture: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(picture, (0, 0), 4.0)
