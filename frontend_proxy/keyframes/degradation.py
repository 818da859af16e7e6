"""Under load, answers lose steps before they fail: how many, from how full the server is."""

import math

RISE = (0.5, 0.75)  # the pressure at which each level begins
FALL = (0.3, 0.5)  # and under which it may end
HOLD_S = 3.0  # for so long it must have been under it: otherwise the picture's look would flicker
LEAST_STEPS = 2


class Degradation:
    """Levels with hysteresis: 0 takes nothing, 1 a quarter of the steps, 2 half of them.

    A level is entered at once, and left after pressure has been low for `HOLD_S`.
    """

    def __init__(self) -> None:
        self._level = 0
        # Since when the pressure has been low enough for each level to end.
        self._low_since: list[float | None] = [None] * len(FALL)

    def level(self, pressure: float, now: float) -> int:
        """`pressure` is 0 when idle and 1 where answers fail; `now`, in seconds, never goes back."""
        for index, threshold in enumerate(FALL):
            if pressure >= threshold:
                self._low_since[index] = None
            elif self._low_since[index] is None:
                self._low_since[index] = now
        self._level = max(self._level, sum(pressure >= threshold for threshold in RISE))
        while self._level and self._quiet(self._level, now):
            self._level -= 1
        return self._level

    def _quiet(self, level: int, now: float) -> bool:
        since = self._low_since[level - 1]
        return since is not None and now - since >= HOLD_S


def fewer_steps(steps: int, level: int) -> int:
    """4 → 3 → 2 at the levels 0, 1, 2, and others in proportion; 2 at least where there were 2."""
    return max(min(steps, LEAST_STEPS), math.ceil(steps * (4 - level) / 4))
