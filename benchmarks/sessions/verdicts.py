"""The demands on Lucy Serve compared with the previous backend, judged from one run's measurements."""

from collections.abc import Callable

import numpy as np

from benchmarks.baseline.steps import STEPS
from benchmarks.sessions.figures import Figures, figures, growth_of
from benchmarks.sessions.servers import BASELINE, LUCY, STAGES
from benchmarks.verdict import Verdict

STEADY_AFTER_S = 120  # by then every batch size has occurred and its memory is allocated


def side_by_side(section: dict) -> list[Verdict]:
    """Verdicts on the section that `full` and `quick` write; demands that were not measured are left out."""
    loads, verdicts = section["loads"], []
    lone, eight = ({"sessions": count, "loop": "closed", "captures": 0} for count in (1, 8))
    ours, theirs = (figures(loads, server=name, **lone) for name in (LUCY, BASELINE))
    if ours and theirs:
        p50, old = ours.percentile(50), theirs.percentile(50)
        verdicts += [
            _at_most(
                "a lone keyframe, socket to socket: at most 0.45 times the previous backend",
                p50 / old,
                0.45,
                _of(p50, old) + _in_turns(loads, _p50, lone),
            ),
            *_with_equal_steps(section),
            Verdict("its p50 ≤ 300 ms", f"{p50:.0f} ms", p50 <= 300),
            _stage_share(ours),
        ]
    ours, theirs = (figures(loads, server=name, **eight) for name in (LUCY, BASELINE))
    if ours and theirs:
        rate, old_rate = ours.per_second, theirs.per_second
        p99, old = ours.percentile(99), theirs.percentile(99)
        verdicts += [
            Verdict(
                "8 sessions: at least 3 times the previous backend's results a second",
                f"{rate / old_rate:.2f} times: {rate:.1f} and {old_rate:.1f} a second"
                f"{_in_turns(loads, lambda it: it.per_second, eight)}",
                rate >= 3 * old_rate,
            ),
            _at_most(
                "8 sessions: at most 0.4 times the previous backend's p99",
                p99 / old,
                0.4,
                f"{_of(p99, old)}, of {ours.answers} and {theirs.answers} keyframes"
                f"{_in_turns(loads, lambda it: it.percentile(99), eight)}",
            ),
        ]
    for name, most in ((LUCY, 1.3), (BASELINE, None)):
        with_capture = {**lone, "captures": 1}
        alone, beside = (figures(loads, server=name, **kind) for kind in (lone, with_capture))
        if alone and beside and beside.answers:
            ratio = beside.percentile(50) / alone.percentile(50)
            found = f"{ratio:.2f} times: {_of(beside.percentile(50), alone.percentile(50))}"
            if most:
                found += _in_turns(loads, _p50, {**with_capture, "server": name}, {**lone, "server": name})
                demand = f"with a capture under way a keyframe's p50 grows at most {most} times"
                verdicts.append(Verdict(demand, found, ratio <= most))
            elif verdicts:
                last = verdicts[-1]
                verdicts[-1] = Verdict(
                    last.demand, f"{last.found} (the previous backend: {ratio:.1f} times)", last.met
                )
    crowd = figures(loads, server=LUCY, sessions=16, loop="open", captures=0)
    if crowd:
        verdicts.append(_fair(crowd))  # its worst turn
    ready = section["ready_s"][LUCY]
    verdicts.append(
        Verdict(
            "from the command to ready, with exported artefacts: at most 6 s",
            f"{max(ready):.1f} s (the previous backend: {max(section['ready_s'][BASELINE]):.1f} s)",
            max(ready) <= 6,
        )
    )
    return verdicts


def soak(section: dict) -> list[Verdict]:
    """Verdicts on the section that `soak` writes."""
    load = section["load"]
    minutes = load["seconds"] / 60
    verdicts = [_fair(Figures([load]), f", over {minutes:.0f} minutes")]
    steady = np.array(
        [(at, mb) for at, mb in load["memory_mb"] if at >= min(STEADY_AFTER_S, load["seconds"] / 2)]
    )
    if len(steady) > 3:
        early, late = (np.median(part) for part in np.array_split(steady[:, 1], 4)[::3])
        slope = np.polyfit(steady[:, 0] / 60, steady[:, 1], 1)[0]
        verdicts.append(
            Verdict(
                f"16 sessions in open loop: memory level over {minutes:.0f} minutes (± 3 %, once warm)",
                f"{early:.0f} MB, then {late:.0f} MB; {slope:+.1f} MB a minute",
                bool(abs(late / early - 1) <= 0.03),
            )
        )
    return verdicts


def _with_equal_steps(section: dict) -> list[Verdict]:
    """The lone keyframe again with the previous backend's steps, since the checkpoint's own are fewer."""
    ours, theirs = (growth_of(section, server, "steps").get(STEPS["keyframe"]) for server in (LUCY, BASELINE))
    if ours is None or theirs is None:
        return []
    demand = f"with {STEPS['keyframe']} steps, as the previous backend's: faster than the previous backend"
    return [_at_most(demand, ours / theirs, 1, _of(ours, theirs))]


def _of(ms: float, other: float) -> str:
    return f"{ms:.0f} and {other:.0f} ms"


def _at_most(demand: str, ratio: float, most: float, found: str) -> Verdict:
    return Verdict(demand, f"{ratio:.2f} times: {found}", ratio <= most)


def _stage_share(lone: Figures) -> Verdict:
    stages = lone.stage_ms()
    networks = sum(stages[name] for name in STAGES)
    everything = sum(stages.values())
    return Verdict(
        "at least 85 % of its time inside the four stages",
        f"{networks / lone.mean_ms:.0%} in the four networks ({networks:.0f} of {lone.mean_ms:.0f} ms), "
        f"{everything / lone.mean_ms:.0%} with `preprocess` and `postprocess`",
        networks >= 0.85 * lone.mean_ms,
    )


def _fair(crowd: Figures, over: str = "") -> Verdict:
    worst = crowd.slowest_session
    return Verdict(
        f"16 sessions in open loop: the slowest within 1.5 times the median{over}",
        f"{worst:.2f} times" if np.isfinite(worst) else "a session got no picture",
        worst <= 1.5,
    )


def _p50(found: Figures) -> float:
    return found.percentile(50)


def _in_turns(
    loads: list[dict], figure: Callable[[Figures], float], above: dict, below: dict | None = None
) -> str:
    """The ratio in each turn; their spread shows how noisy the machine was.

    above, below: the fields of the loads; without `below` it is this server by the previous backend.
    """
    pair = [above, below] if below else [{**above, "server": name} for name in (LUCY, BASELINE)]
    ratios = []
    for turn in sorted({load["turn"] for load in loads}):
        ours, theirs = (figures(loads, turn=turn, **kind) for kind in pair)
        if ours and theirs and ours.answers and theirs.answers and figure(theirs):
            ratios.append(f"{figure(ours) / figure(theirs):.2f}")
    return f" (in turns: {', '.join(ratios)})" if len(ratios) > 1 else ""
