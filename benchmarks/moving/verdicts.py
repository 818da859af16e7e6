"""The demands on what is displayed while a person moves. Errors are in grey levels from the photograph."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.verdict import Verdict

WHERE = ("inside", "edge")


def verdicts(rows: Sequence[dict[str, Any]]) -> list[Verdict]:
    """rows: of `measure`: `motion`, `way`, `keyframes`, and the errors `inside`, `edge` and `flicker`."""
    found = []
    for motion in dict.fromkeys(row["motion"] for row in rows):
        light, blend = (
            _errors(rows, motion, way, keyframes)
            for way, keyframes in (("light", "every 1.5 s"), ("blend", "every 0.5 s"))
        )
        found.append(
            Verdict(
                f"{motion}: light every 1.5 s is better than the blend every 0.5 s, inside and at the edge",
                ", ".join(f"{light[it]:.1f} and {blend[it]:.1f} {it}" for it in WHERE),
                all(light[it] < blend[it] for it in WHERE),
            )
        )
        picture = _errors(rows, motion, "picture", "as fast as they come")
        found.append(
            Verdict(
                f"{motion}: it is better than pictures as fast as they come, inside and at the edge",
                ", ".join(f"{light[it]:.1f} and {picture[it]:.1f} {it}" for it in WHERE),
                all(light[it] < picture[it] for it in WHERE),
            )
        )
        film = _errors(rows, motion, "film", "each frame")
        if film:
            light = _errors(rows, motion, "light as a film", "every 1.5 s")
            found.append(
                Verdict(
                    f"{motion}: the service's film is as near as a film of light every 1.5 s, and as steady",
                    f"{film['inside']:.1f} and {light['inside']:.1f} inside; "
                    f"flicker {film['flicker']:.2f} and {light['flicker']:.2f}",
                    film["inside"] <= light["inside"] + 1 and film["flicker"] <= light["flicker"] + 0.1,
                )
            )
    return found


def _errors(rows: Sequence[dict[str, Any]], motion: str, way: str, keyframes: str) -> dict[str, float]:
    """Means over the films of this motion; empty if there are none."""
    wanted = [it for it in rows if (it["motion"], it["way"], it["keyframes"]) == (motion, way, keyframes)]
    names = (*WHERE, "flicker") if wanted else ()
    return {name: float(np.mean([row[name] for row in wanted])) for name in names}
