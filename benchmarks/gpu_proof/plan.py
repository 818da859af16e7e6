"""The steps of the proof, in order, and the seconds that each may take at most."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """
    part: the call that runs it: the first needs no server.
    limit_s: after which it is ended. needs: a step without which it cannot be done.
    """

    name: str
    part: int
    limit_s: float
    needs: str | None = None


STEPS = (
    Step("networks", 1, 110),
    Step("repository", 2, 120),
    Step("serving", 2, 110, needs="repository"),
    Step("sockets", 2, 110, needs="repository"),
    Step("parity", 2, 45),
    Step("hops", 2, 35),
    Step("training", 2, 240),  # the last one: it takes what is left
)
# Both together with unpacking: nine minutes.
SECONDS = {1: 120.0, 2: 395.0}


def chosen(part: int | None, names: list[str]) -> list[Step]:
    """The steps of that part, or those named. Raises ValueError for a name that no step has."""
    known = {step.name for step in STEPS}
    for name in names:
        if name not in known:
            raise ValueError(f"no step is called {name}; there are {', '.join(sorted(known))}")
    return [
        step for step in STEPS if (not names or step.name in names) and (part is None or step.part == part)
    ]
