"""Stands for packages that the server imports and the proof does not use, if a machine has none.

They have 100 MB. `machine_setup` lets each Python of the environment install them when it starts.
"""

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

# For phones' pictures, for videos, and for networks of the ONNX profiles.
PACKAGES = ("av", "onnxruntime", "pillow_heif")


class _Anything(type):
    """A class that can be caught or be a base, and whose attributes are like it."""

    def __getattr__(cls, name: str) -> type:
        return _anything(name)


def _anything(name: str) -> type:
    if name.startswith("__"):
        raise AttributeError(name)
    return _Anything(name, (Exception,), {})


class _StandIn(ModuleType):
    def __init__(self, name: str):
        super().__init__(name)
        self.__path__: list[str] = []

    def __getattr__(self, name: str) -> type:
        return _anything(name)


class _Finder:
    """The last one: a package that is installed comes first."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        return ModuleSpec(name, _Finder, is_package=True) if name.split(".")[0] in PACKAGES else None

    @staticmethod
    def create_module(spec: ModuleSpec) -> ModuleType:
        return _StandIn(spec.name)

    @staticmethod
    def exec_module(module: ModuleType) -> None:
        pass


def install() -> None:
    sys.meta_path.append(_Finder)  # type: ignore[arg-type]
