"""What the pictures must reach on scenes that nobody has trained on."""

from collections.abc import Mapping, Sequence

from benchmarks.photographs.figures import Figures, mean
from benchmarks.verdict import Verdict

_LEAST_GAIN, _WORST_LOSS = 3.0, 0.3
_MOST = {"delta_e": 7.0, "mean_delta_e": 3.5, "hand": 0.02, "bare": 0.02}
_LEAST = {"shading": 0.5, "iou": 0.95}
_DETAIL = (0.8, 1.25)
_WORDS = {
    "delta_e": "ΔE2000",
    "mean_delta_e": "ΔE2000 of the mean colour",
    "hand": "share of the hands that is painted over",
    "bare": "share of the jacket that is left bare",
    "shading": "correlation of the shading",
    "iou": "IoU of the mask",
}


def verdicts(composite: Sequence[Figures], answers: Mapping[str, Sequence[Figures]]) -> list[Verdict]:
    """composite: of each scene. answers: the same for each kind of answer; the first is the keyframe's."""
    kind, figures = next(iter(answers.items()))
    found = mean(list(figures))
    gains = [answer.psnr - start.psnr for answer, start in zip(figures, composite, strict=True)]
    gain, worst = sum(gains) / len(gains), min(gains)
    result = [
        Verdict(
            f"{kind}: PSNR ≥ the composite's + {_LEAST_GAIN:g} dB", f"{gain:+.2f} dB", gain >= _LEAST_GAIN
        ),
        Verdict(
            f"{kind}: no scene more than {_WORST_LOSS} dB below the composite",
            f"{worst:+.2f} dB, {sum(it < -_WORST_LOSS for it in gains)} of {len(gains)} scenes",
            worst >= -_WORST_LOSS,
        ),
    ]
    for name, most in _MOST.items():
        if name in found:
            result.append(
                Verdict(f"{kind}: {_WORDS[name]} ≤ {most:g}", f"{found[name]:.3f}", found[name] <= most)
            )
    for name, least in _LEAST.items():
        if name in found:
            result.append(
                Verdict(f"{kind}: {_WORDS[name]} ≥ {least:g}", f"{found[name]:.3f}", found[name] >= least)
            )
    low, high = _DETAIL
    detail = found["detail"]
    result.append(
        Verdict(f"{kind}: energy of the detail {low:g} to {high:g}", f"{detail:.2f}", low <= detail <= high)
    )
    result.append(
        Verdict(
            f"{kind}: outside the camera's own pixels",
            f"{found['outside']:.3f} grey levels",
            found["outside"] < 0.5,
        )
    )
    for other, rows in list(answers.items())[1:]:
        less = found["psnr"] - mean(list(rows))["psnr"]
        result.append(Verdict(f"{other} no worse than {kind} (0.1 dB)", f"{-less:+.2f} dB", less <= 0.1))
    return result
