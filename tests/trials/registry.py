"""The list of all trials."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from tests.trials.client import Server


@dataclass(frozen=True)
class Trial:
    """kind: its number in the list of trials (P1, W3 …). what: what the user does."""

    kind: str
    what: str
    run: Callable[[Server], Awaitable[Any]]

    @property
    def name(self) -> str:
        return f"{self.kind}: {self.what}"


TRIALS: list[Trial] = []


def trial(kind: str, *variants: Any) -> Callable[[Any], Any]:
    """Registers an async function (server, *variant); its docstring says what the user does.

    variants: the function is one trial for each of them; none: a single one.
    """

    def register(function: Any) -> Any:
        what = (function.__doc__ or function.__name__).strip().split("\n")[0].rstrip(".")
        for variant in variants or (None,):
            arguments = () if variant is None else (variant,)
            label = what if variant is None else f"{what} ({variant})"

            async def run(server: Server, arguments: tuple[Any, ...] = arguments) -> None:
                await function(server, *arguments)

            TRIALS.append(Trial(kind, label, run))
        return function

    return register
