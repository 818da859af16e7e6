"""A colour profile as a formula: what a file's red, green and blue are in linear sRGB (ICC.1:2010).

Only the kind that cameras and displays have: a curve for each colour, and a matrix. Pillow applies all kinds,
but to whole steps of eight bits.
"""

import io
import struct
from dataclasses import dataclass

import numpy as np
from PIL import ImageCms

from fabric.light import srgb_to_linear

_TABLES = b"A2B0", b"A2B1", b"D2B0", b"D2B1"  # which are used instead of curves and matrix
_PARAMETERS = 1, 3, 4, 5, 7  # of each kind of parametric curve
_COLOURS = b"r", b"g", b"b"
# IEC 61966-2-1's primaries in the light of D50, as profiles have them: columns are red, green and blue.
_SRGB = np.array([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]])
_RANGE, _VOLUME = 0.5, 0.05  # of the curves, and the matrix's determinant: less is no camera's or display's
_BLACK = 1e-4
_CODES = np.arange(256) / 255

Array = np.ndarray


@dataclass(frozen=True)
class Profile:
    """curves: (256, 3) light of each code, increasing. matrix: 3×3 from that light to linear sRGB."""

    curves: Array
    matrix: Array

    def codes_of(self, srgb: Array) -> Array:
        """The file's own codes, 0 to 255, of sRGB codes (H, W, 3) uint8: (H, W, 3) float32."""
        light = srgb_to_linear(srgb) @ np.linalg.inv(self.matrix).T
        codes = [np.interp(light[..., n], self.curves[:, n], np.arange(256)) for n in range(3)]
        return np.stack(codes, axis=-1).astype(np.float32)

    def rises(self, codes: Array, change: Array) -> Array:
        """How much linear sRGB rises where the file's codes (H, W, 3) rise by `change`, some steps."""
        slopes = np.gradient(self.curves, axis=0)
        at = np.rint(codes).astype(np.intp)
        light = np.stack([slopes[at[..., n], n] for n in range(3)], axis=-1) * change
        return (light @ self.matrix.T).astype(np.float32)


def read_profile(icc: bytes) -> Profile | None:
    """None for a profile of other colours than RGB, one with tables, and a damaged one."""
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        ImageCms.buildTransform(opened, ImageCms.createProfile("sRGB"), "RGB", "RGB")
        return _profile(icc)
    except (ImageCms.PyCMSError, OSError, LookupError, ValueError, ArithmeticError, struct.error):
        return None  # Pillow's decision counts: what it cannot apply is not applied to the pixels, either


def _profile(icc: bytes) -> Profile | None:
    """Raises LookupError, ValueError, ArithmeticError and struct.error for a damaged one."""
    tags = _tags(icc)
    if icc[16:24] != b"RGB XYZ " or any(name in tags for name in _TABLES):
        return None
    columns = [_numbers(tags[colour + b"XYZ"], 8, 3) for colour in _COLOURS]
    matrix = np.linalg.inv(_SRGB) @ np.array(columns).T
    curves = np.stack([_curve(tags[colour + b"TRC"]) for colour in _COLOURS], axis=1)
    if not np.isfinite(curves).all() or (np.diff(curves, axis=0) < 0).any():
        return None
    usable = (np.ptp(curves, axis=0) > _RANGE).all() and abs(np.linalg.det(matrix)) > _VOLUME
    black = curves[0].max() < _BLACK  # Pillow makes a brighter one black, and what is near it darker
    return Profile(curves, matrix) if usable and black else None


def _tags(icc: bytes) -> dict[bytes, bytes]:
    """The profile's elements by their signatures."""
    (count,) = struct.unpack_from(">I", icc, 128)
    entries = (struct.unpack_from(">4sII", icc, 132 + 12 * number) for number in range(min(count, 100)))
    return {name: icc[at : at + size] for name, at, size in entries}


def _numbers(element: bytes, at: int, count: int) -> list[float]:
    """s15Fixed16 numbers."""
    return [value / 65536 for value in struct.unpack_from(f">{count}i", element, at)]


def _curve(element: bytes) -> Array:
    """The light of each code, (256,), 0 to 1 (ICC.1:2010, 10.5 and 10.15)."""
    if element[:4] == b"curv":
        (count,) = struct.unpack_from(">I", element, 8)
        if count > 1:
            table = np.array(struct.unpack_from(f">{count}H", element, 12)) / 65535
            return np.interp(_CODES, np.linspace(0, 1, count), table)
        return _CODES ** (struct.unpack_from(">H", element, 12)[0] / 256 if count else 1.0)
    if element[:4] != b"para":
        raise ValueError("this is no curve")
    (kind,) = struct.unpack_from(">H", element, 8)
    g, *more = _numbers(element, 12, _PARAMETERS[kind])
    a, b = more[:2] or (1.0, 0.0)
    if kind < 3:  # 0 below the zero of what is raised to a power
        c, d, e = 0.0, -b / a, more[2] if kind == 2 else 0.0
        f = e
    else:
        c, d, e, f = [*more[2:], 0.0, 0.0][:4]
    with np.errstate(all="ignore"):  # numbers that make no curve are refused afterwards
        return np.where(_CODES >= d, np.maximum(a * _CODES + b, 0) ** g + e, c * _CODES + f)
