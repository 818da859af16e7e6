"""Old names of settings, which work for one release, with a warning: flags, environment and `.env`."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
)

NEW_NAMES = {"webhook_inside_hosts": "webhook_private_hosts"}  # old: new


class OldNames(PydanticBaseSettingsSource):
    """Values that are given under an old name. Every other source has priority."""

    def __init__(self, settings_cls: type[BaseSettings], *sources: PydanticBaseSettingsSource) -> None:
        """sources: the environment, then `.env`."""
        super().__init__(settings_cls)
        self._sources = sources

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        raise NotImplementedError("all values come from __call__")

    def __call__(self) -> dict[str, Any]:
        return {NEW_NAMES[old]: value for old, value in _given(self._sources).items()}


def with_new_flags(arguments: Sequence[str]) -> list[str]:
    """The command line with the new flag in place of each old one."""
    return [_renamed_flag(argument) for argument in arguments]


def warnings(settings_cls: type[BaseSettings], arguments: Sequence[str]) -> list[str]:
    """A sentence for each old name in the environment, in `.env` and on the command line."""
    found = _given((EnvSettingsSource(settings_cls), DotEnvSettingsSource(settings_cls)))
    names = [(old.upper(), NEW_NAMES[old].upper()) for old in found]
    flags = [(_flag(argument), _flag(_renamed_flag(argument))) for argument in arguments]
    return [
        f"{old} is now called {new}; the old name works in this release only"
        for old, new in names + [pair for pair in flags if pair[0] != pair[1]]
    ]


def _given(sources: Sequence[PydanticBaseSettingsSource]) -> dict[str, str]:
    """Values by old name; the first source that has one has priority."""
    found: dict[str, str] = {}
    for source in sources:
        variables: Mapping[str, str | None] = getattr(source, "env_vars", {})
        for old in NEW_NAMES:
            if value := variables.get(old):
                found.setdefault(old, value)
    return found


def _renamed_flag(argument: str) -> str:
    flag = _flag(argument)
    new = NEW_NAMES.get(flag.removeprefix("--").replace("-", "_")) if flag.startswith("--") else None
    return argument if new is None else f"--{new.replace('_', '-')}{argument.removeprefix(flag)}"


def _flag(argument: str) -> str:
    return argument.partition("=")[0]
