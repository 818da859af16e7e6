"""Under load, answers get fewer denoising steps before any of them fails."""

import math

RISE = (0.5, 0.75)  # the pressure at which levels 1 and 2 begin
FALL = (0.3, 0.5)  # the pressure below which they may end
HOLD_S = 3.0  # how long the pressure must stay below: a shorter time would make the picture flicker
MIN_STEPS = 2


class Degradation:
    """Levels with hysteresis: 0 keeps all steps, 1 removes a quarter of them, 2 half of them.

    A level begins at once, and ends after the pressure has been low for `HOLD_S`.
    """

    def __init__(self) -> None:
        self._level = 0
        # For each level: since when the pressure has been low enough to end it.
        self._low_since: list[float | None] = [None] * len(FALL)

    def level(self, pressure: float, now: float) -> int:
        """`pressure` is 0 if idle and 1 if answers fail; `now`, in seconds, must not decrease."""
        for index, threshold in enumerate(FALL):
            if pressure >= threshold:
                self._low_since[index] = None
            elif self._low_since[index] is None:
                self._low_since[index] = now
        self._level = max(self._level, sum(pressure >= threshold for threshold in RISE))
        while self._level and self._may_end(self._level, now):
            self._level -= 1
        return self._level

    def _may_end(self, level: int, now: float) -> bool:
        since = self._low_since[level - 1]
        return since is not None and now - since >= HOLD_S


def fewer_steps(steps: int, level: int) -> int:
    """4 → 3 → 2 at the levels 0, 1, 2, and others in proportion; but never fewer than `MIN_STEPS` of them.

    A single step becomes none: the light of the scene alone, where the checkpoint reads one. Elsewhere the
    pipeline takes its one step all the same.
    """
    if steps == 1:
        return 0 if level else 1
    return max(min(steps, MIN_STEPS), math.ceil(steps * (4 - level) / 4))
