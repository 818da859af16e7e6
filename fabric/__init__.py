"""Makes a seamless, physically based material from a photo of cloth, without weights and without a GPU."""

from fabric.encode import EncodedImage
from fabric.errors import FabricError
from fabric.options import ScanOptions
from fabric.scanner import Scan, scan

__all__ = ["EncodedImage", "FabricError", "Scan", "ScanOptions", "scan"]
