"""Several garments of one request.

Where the checkpoint paints renders, they are drawn over each other on one canvas: one search, one crop, one
job, and one light. Where it takes a picture of the garment, it knows one at a time: they are painted one
after the other from the lowest layer to the highest, each on the picture before.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import torch

from pipeline.errors import InvalidInput, NotAnImage
from pipeline.garment.layers import COUNT_AT, HIDES
from pipeline.resize import shrink_within
from pipeline.tryon.conditioner import compressed
from pipeline.tryon.garments import Garment
from pipeline.tryon.models import Client
from pipeline.tryon.request import LIGHT, TryonRequest

NEEDS_RENDER = "needs_render"
_NONE = np.zeros(1, np.uint8)
_CODED = re.compile(r"\b(INVALID_INPUT|IMAGE_DECODE): ")


class RunOne(Protocol):
    """`Pipeline.run` of a request with one garment: the answer's tensors and its report."""

    async def __call__(
        self,
        request: TryonRequest,
        pictures: Mapping[str, Any],
        client: Client,
        recorded: torch.Tensor | None,
    ) -> tuple[dict[str, Any], dict[str, Any]]: ...


async def on_one_canvas(
    run: RunOne,
    request: TryonRequest,
    garments: Sequence[Garment],
    pictures: Mapping[str, Any],
    client: Client,
    recorded: torch.Tensor | None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """garments: from the lowest to the highest. The report has `garments` in the request's order."""
    drawn = [garment for garment in garments if garment.is_rendered]
    fabrics = ", ".join(dict.fromkeys(garment.fabric for garment in drawn if garment.fabric))
    one = replace(request, category="auto", fabric=fabrics)
    if drawn:
        given = {
            "jacket_render": np.concatenate([garment.render for garment in drawn]),
            "garment_image": _NONE,
            "render_parts": np.array([(len(it.render), it.index) for it in drawn], np.int32),
        }
    else:
        given = {"garment_image": garments[0].photo, "jacket_render": _NONE}
    answer, report = await run(one, {**pictures, **given}, client, recorded)
    seen = {it["index"]: it for it in report.pop("garments", [])}
    reason = report["mode_reason"]
    if len(drawn) == 1:
        seen[drawn[0].index] = {"visible_share": None, "hidden_by": []}
    report["garments"] = [
        _report(garment, reason, seen[garment.index])
        if garment.index in seen
        else _report(garment, NEEDS_RENDER, {})
        for garment in sorted(garments, key=lambda garment: garment.index)
    ]
    unused = sorted(f"garments.{it.index}" for it in garments if not it.is_rendered)
    if unused and drawn:
        report["detail"] = f"{', '.join(unused)}: the served checkpoint needs a jacket_render"
    return answer, report


async def one_after_the_other(
    run: RunOne,
    request: TryonRequest,
    garments: Sequence[Garment],
    pictures: Mapping[str, Any],
    client: Client,
    recorded: torch.Tensor | None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """As `on_one_canvas`. A garment that cannot be painted is left out, and its report says why."""
    if request.output_format == LIGHT:
        raise InvalidInput("garments: a light is answered for one garment only with this checkpoint")
    frame, found, masks = pictures["camera_frame"], [], []
    for number, garment in enumerate(garments):
        is_last = number == len(garments) - 1
        one = replace(
            request,
            category=garment.category,
            fabric=garment.fabric,
            session=request.session and f"{request.session}/{garment.index}",
            output_format=request.output_format if is_last else "png",
        )
        given = {"camera_frame": frame, "jacket_render": garment.render, "garment_image": garment.photo}
        part = _Part(client, number, len(garments))
        try:
            answer, report = await run(one, {**pictures, **given}, part, recorded if number == 0 else None)
        except Exception as error:
            raise _named(error, garment.index) from error
        frame = compressed(answer["image"]).copy()
        found.append(report)
        mask = answer["mask"].as_numpy()
        masks.append(np.zeros_like(mask) if report["mode_reason"] else mask)
    return answer, _whole(garments, found, masks)


def _whole(
    garments: Sequence[Garment], found: Sequence[dict[str, Any]], masks: Sequence[np.ndarray]
) -> dict[str, Any]:
    """The report of all, from each one's, which are in the order of the layers."""
    painted = [report for report in found if not report["mode_reason"]]
    whole = dict((painted or found)[-1])
    whole["mode"] = "ai_enhanced" if painted else "fallback"
    whole["mode_reason"] = None if painted else found[-1]["mode_reason"]
    details = [
        f"garments.{it.index}: {report['detail']}"
        for it, report in zip(garments, found, strict=True)
        if report.get("detail")
    ]
    whole |= {"detail": "; ".join(details)} if details else {}
    whole["latency_ms"] = {
        name: round(sum(report["latency_ms"][name] for report in found), 1) for name in whole["latency_ms"]
    }
    small = [_small(mask) for mask in masks]
    reports = {}
    for layer, (garment, report) in enumerate(zip(garments, found, strict=True)):
        over = np.zeros_like(small[layer])
        hiding = []
        for other in range(layer + 1, len(garments)):
            if (small[layer] & small[other]).sum() > HIDES * small[layer].sum():
                hiding.append(garments[other].index)
            over |= small[other]
        total = int(small[layer].sum())
        share = round(1 - float((small[layer] & over).sum()) / total, 3) if total else None
        seen = {"visible_share": share, "hidden_by": sorted(hiding), "category": report.get("category")}
        reports[garment.index] = _report(garment, report["mode_reason"], seen)
    whole["garments"] = [reports[index] for index in sorted(reports)]
    return whole


def _report(garment: Garment, reason: str | None, seen: Mapping[str, Any]) -> dict[str, Any]:
    given = None if garment.category == "auto" else garment.category
    return {
        "layer": garment.layer,
        "painted": reason is None,
        "reason": reason,
        "category": seen.get("category") or given,
        "visible_share": None if reason else seen.get("visible_share"),
        "hidden_by": seen.get("hidden_by", []),
    }


def _small(mask: np.ndarray) -> np.ndarray:
    return shrink_within(mask, COUNT_AT) > 127


def _named(error: Exception, index: int) -> Exception:
    """An error about one garment's pictures or choices, with its place in the request."""
    place = f"garments.{index}: "
    if isinstance(error, InvalidInput | NotAnImage):
        return type(error)(place + str(error))
    if _CODED.search(str(error)):  # a model of the repository raised it
        return type(error)(_CODED.sub(lambda code: code[0] + place, str(error), count=1))
    return error


class _Part:
    """The client during one of `count` jobs: the steps that it sees are those of all jobs together."""

    def __init__(self, client: Client, number: int, count: int):
        self.request_id = client.request_id
        self._client, self._number, self._count = client, number, count

    def cancelled(self) -> bool:
        return self._client.cancelled()

    def progress(self, step: int, steps: int, preview: np.ndarray | None) -> None:
        self._client.progress(self._number * steps + step, self._count * steps, preview)
