"""Packs: a fabric as one file that Blender, Unreal, Three.js and iOS open."""

from fabric.packs.pack import FORMATS, VERSION, Pack, make_pack, pack_format
from fabric.packs.packed import PackedFabric

__all__ = ["FORMATS", "VERSION", "Pack", "PackedFabric", "make_pack", "pack_format"]
