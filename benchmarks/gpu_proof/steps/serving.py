"""Step 3: keyframes and captures from socket to socket, one after the other."""

import argparse
import json
import statistics
import time
from typing import Any

import numpy as np
from websockets.sync.client import connect

from benchmarks.gpu_proof.figures import Recorded
from benchmarks.gpu_proof.server import Server, capture_bodies, keyframe_messages, picture_of, running_server
from benchmarks.gpu_proof.steps.step import left, size_of

_WARM_UP = 3  # keyframes that are not counted


def measure(recorded: Recorded, args: argparse.Namespace) -> None:
    size, figures = size_of(args), recorded.figures
    with running_server(args, args.work / "serving") as server:
        figures.ready_s = server.ready_s
        recorded.write()
        _keyframes(server, recorded, args, size.keyframes)
        _captures(server, recorded, args, size.captures)


def _keyframes(server: Server, recorded: Recorded, args: argparse.Namespace, count: int) -> None:
    figures, messages = recorded.figures, keyframe_messages()
    stages: list[dict[str, float]] = []
    with connect(server.sockets, max_size=None, compression=None, proxy=None) as socket:
        for number in range(_WARM_UP + count):
            if left(args) <= 0:
                recorded.fault("keyframes", f"no time was left after {number}")
                break
            began = time.perf_counter()
            socket.send(messages[number])
            answer = json.loads(socket.recv(timeout=max(1, left(args))))
            ms = 1000 * (time.perf_counter() - began)
            if answer.get("mode") != "ai_enhanced":
                raise RuntimeError(f"the answer has no picture of the model: {_without_picture(answer)}")
            figures.first_keyframe_ms = figures.first_keyframe_ms or round(ms, 2)
            if number >= _WARM_UP:
                figures.keyframes_ms.append(round(ms, 2))
                figures.keyframe_steps = answer.get("steps")
                stages.append(answer.get("latency_ms", {}))
    (args.results / "keyframe.jpg").write_bytes(picture_of(answer["image"]))
    if figures.keyframes_ms:
        figures.keyframe_p50_ms, figures.keyframe_p95_ms = np.percentile(
            figures.keyframes_ms, [50, 95]
        ).tolist()
        figures.stages_ms = {
            name: statistics.median(it[name] for it in stages if name in it) for name in stages[0]
        }
    recorded.write()


def _captures(server: Server, recorded: Recorded, args: argparse.Namespace, count: int) -> None:
    figures = recorded.figures
    for body in capture_bodies()[: 1 + count]:  # the first is not counted
        if left(args) <= 0:
            recorded.fault("captures", f"no time was left after {len(figures.captures_ms)}")
            break
        began = time.perf_counter()
        answer = server.capture(body, max(1, left(args)))
        figures.captures_ms.append(round(1000 * (time.perf_counter() - began), 2))
        figures.capture_steps = answer.get("steps")
        recorded.write()
    if len(figures.captures_ms) > 1:
        figures.captures_ms = figures.captures_ms[1:]
    if figures.captures_ms:
        figures.capture_p50_ms = statistics.median(figures.captures_ms)


def _without_picture(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name != "image"}
