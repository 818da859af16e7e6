"""The load's client against a server of known behaviour, and the verdicts on its figures."""

import asyncio
import json
import os
from contextlib import asynccontextmanager
from itertools import pairwise

import numpy as np
import psutil
import pytest
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.server import serve

from benchmarks.sessions import report, verdicts
from benchmarks.sessions.figures import Figures, figures
from benchmarks.sessions.load import Load, run
from benchmarks.sessions.pictures import SWAY, Messages, swaying
from benchmarks.sessions.record import Record
from benchmarks.sessions.servers import BASELINE, LUCY, PIXEL_WORK, STAGES, Server
from benchmarks.verdict import Verdict


@asynccontextmanager
async def server_that(answer):
    """A WebSocket server that answers each message with `answer(message)`."""

    async def handle(socket):
        async for text in socket:
            await socket.send(json.dumps(await answer(json.loads(text))))

    async with serve(handle, "127.0.0.1", 0, max_size=None) as server:
        port = server.sockets[0].getsockname()[1]
        yield Server("fake", f"http://127.0.0.1:{port}", psutil.Process(os.getpid()), 1.0)


async def dressed(message):
    await asyncio.sleep(0.02)
    return {"mode": "ai_enhanced", "timestamp": message["timestamp"], "steps": 4}


@pytest.fixture(scope="module")
def messages():
    return Messages(swaying(90))


async def test_closed_loop_sends_the_next_keyframe_when_answered(messages):
    async with server_that(dressed) as server:
        result = await run(server, Load(3, "closed"), 0.5, messages, b"")
    found = Figures([result])
    assert [len(one) for one in result["latencies_ms"]] == result["sent"]
    assert found.percentile(50) >= 20
    assert 0 < found.per_second <= 3 / 0.02
    assert found.steps == 4


async def test_open_loop_keeps_its_rate_and_counts_unanswered_keyframes(messages, monkeypatch):
    monkeypatch.setattr("benchmarks.sessions.load.INTERVAL_S", 0.1)

    async def slow(message):
        await asyncio.sleep(0.25)
        return await dressed(message)

    async with server_that(slow) as server:
        result = await run(server, Load(2, "open"), 1.2, messages, b"")
    assert all(10 <= sent <= 13 for sent in result["sent"])
    assert Figures([result]).unanswered > 0.4


async def test_a_keyframe_that_is_sent_late_waits_whole(messages, monkeypatch):
    """Its time counted from the moment of sending, however long the keyframe before it held that up."""
    monkeypatch.setattr("benchmarks.sessions.load.INTERVAL_S", 0.1)
    send = ClientConnection.send

    async def slowly(socket, message):
        await asyncio.sleep(0.2)
        await send(socket, message)

    monkeypatch.setattr(ClientConnection, "send", slowly)
    async with server_that(dressed) as server:
        result = await run(server, Load(1, "open"), 1.5, messages, b"")
    assert max(result["latencies_ms"][0]) > 400


async def test_an_answer_without_a_picture_by_the_model_is_not_counted(messages):
    async def fallen_back(message):
        return {"mode": "fallback", "mode_reason": "deadline", "timestamp": message["timestamp"]}

    async with server_that(fallen_back) as server:
        result = await run(server, Load(1, "closed"), 0.2, messages, b"")
    assert Figures([result]).answers == 0
    assert result["other_answers"]["deadline"] == result["sent"][0]


def test_consecutive_keyframes_differ(messages):
    """Lucy Serve answers an unchanged scene with its last picture, which would measure nothing."""
    sent = [json.loads(messages[number]) for number in range(len(SWAY))]
    for before, after in pairwise(sent):
        assert before["camera_frame"] != after["camera_frame"]
        assert before["jacket_render"] != after["jacket_render"]
    assert [message["timestamp"] for message in sent] == list(range(len(SWAY)))


def load(server=LUCY, sessions=1, loop="closed", captures=0, ms=100.0, count=40, turn=0, **fields):
    latencies = [[ms] * count for _ in range(sessions)]
    return {
        "turn": turn, "server": server, "sessions": sessions, "loop": loop, "captures": captures,
        "seconds": 5, "latencies_ms": latencies, "answered_at_s": [[1.0] * count] * sessions,
        "sent": [count] * sessions, "steps": {"4": count * sessions}, "other_answers": {}, "capture_s": [],
        "cpu_s": 2.0, "client_cpu_s": 0.1, "stage_s": dict.fromkeys(STAGES + PIXEL_WORK, 0.5),
        "memory_mb": [[0.0, 900.0], [2.0, 1000.0]], **fields,
    }  # fmt: skip


def section(loads):
    growth = [
        {"server": server, variable: value, "latencies_ms": [100.0, 110.0], "cpu_s": 0.2}
        for server in (LUCY, BASELINE)
        for variable, value in (("height", 360), ("height", 1080), ("steps", 1), ("steps", 8))
    ]
    origin = {"command": "c", "began": "b", "commit": "0", "machine": "m", "load_average": 0.1}
    return origin | {
        "ready_s": {LUCY: [9.0], BASELINE: [5.0]},
        "old_way_threads": {"1": 300.0},
        "loads": loads,
        "growth": growth,
        "failures": [],
    }


def judged(found, demand):
    (verdict,) = [one for one in found if demand in one.demand]
    return verdict.met


def test_a_verdict_depends_on_its_figures():
    pair = [load(ms=120.0), load(BASELINE, ms=300.0)]
    eight = [load(sessions=8, ms=700.0, count=30), load(BASELINE, sessions=8, ms=2000.0, count=10)]
    found = verdicts.side_by_side(section([*pair, *eight, load(captures=1, ms=150.0)]))
    assert judged(found, "0.45 times the previous backend")
    assert judged(found, "3 times the previous backend's results")
    assert judged(found, "0.4 times the previous backend's p99")
    assert judged(found, "capture under way")
    slower = [load(ms=310.0), load(BASELINE, ms=300.0), *eight[::-1], load(captures=1, ms=510.0)]
    slower[2] |= {"server": LUCY}
    slower[3] |= {"server": BASELINE}
    found = verdicts.side_by_side(section(slower))
    assert not judged(found, "0.45 times the previous backend")
    assert not judged(found, "300 ms")
    assert not judged(found, "3 times the previous backend's results")
    assert not judged(found, "0.4 times the previous backend's p99")
    assert not judged(found, "capture under way")


def test_equal_steps_have_a_verdict_of_their_own():
    growth = [
        {"server": server, "steps": 4, "latencies_ms": [ms]} for server, ms in ((LUCY, 80), (BASELINE, 100))
    ]
    measured = section([load(), load(BASELINE)]) | {"growth": growth}
    (equal,) = [one for one in verdicts.side_by_side(measured) if "4 steps" in one.demand]
    assert equal == Verdict(equal.demand, "0.80 times: 80 and 100 ms", True)


def test_the_stages_share_is_of_the_whole_latency():
    lone = load(ms=100.0, stage_s={"unet": 40 * 0.06, "vae_decoder": 40 * 0.03, "preprocess": 40 * 0.005})
    (share,) = [v for v in verdicts.side_by_side(section([lone, load(BASELINE)])) if "stages" in v.demand]
    assert share.met
    assert "90%" in share.found
    assert "95%" in share.found


def test_a_starved_session_is_detected_despite_good_latencies():
    latencies = [[100.0] * 20, [100.0] * 20, [100.0] * 5]
    assert Figures([load(latencies_ms=latencies, sessions=3)]).slowest_session == 4
    assert Figures([load(latencies_ms=[[100.0], []], sessions=2)]).slowest_session == float("inf")


@pytest.mark.parametrize(("growth", "level"), [(0, True), (20, False)])
def test_memory_that_grows_during_the_soak_is_detected(growth, level):
    at = np.arange(0, 600, 2.0)
    memory = [[t, 2000 + growth * t / 60] for t in at]
    found = verdicts.soak({"load": load(sessions=16, loop="open", seconds=600, memory_mb=memory)})
    assert judged(found, "memory level") is level


def test_the_turns_of_a_load_are_combined():
    loads = [load(ms=100.0, turn=0), load(ms=300.0, turn=1), load(BASELINE, ms=900.0)]
    found = figures(loads, server=LUCY, sessions=1)
    assert (found.answers, found.percentile(50)) == (80, 200.0)
    assert figures(loads, server=LUCY, sessions=2) is None


def test_page_and_plots_are_made_from_the_record(tmp_path):
    record = Record.of_today(tmp_path)
    crowd = load(sessions=16, loop="open", seconds=600, memory_mb=[[float(t), 2000.0] for t in range(600)])
    nothing = load(BASELINE, sessions=16, loop="open", count=0)
    record.sections["sessions"] = section([load(), load(BASELINE, ms=250.0), crowd, nothing])
    record.begin("soak", minutes=10)["load"] = crowd
    record.write()
    again = Record.newest(tmp_path)
    assert again.sections == json.loads(json.dumps(record.sections))
    report.write(again, tmp_path / "README.md")
    page = (tmp_path / "README.md").read_text()
    assert "0.40 times: 100 and 250 ms" in page
    assert "16 sessions for 10 minutes" in page
    assert len(list(tmp_path.glob("*.png"))) == 4


def test_a_record_without_a_comparison_is_shown_below_the_last_one(tmp_path):
    """`make bench-soak` and `make perf` of another day once left the page without its comparison."""
    compared = Record(tmp_path / "2026-01-02-a.json")
    compared.sections["sessions"] = section([load(), load(BASELINE, ms=250.0)])
    compared.write()
    later = Record(tmp_path / "2026-01-03-a.json")
    later.begin("soak", minutes=10)["load"] = load(sessions=16, loop="open", seconds=600)
    later.write()
    report.write(later, tmp_path / "README.md")
    page = (tmp_path / "README.md").read_text()
    assert page.index("0.40 times: 100 and 250 ms") < page.index("16 sessions for 10 minutes")
    assert "2026-01-02-a.json" in page
    assert "2026-01-03-a-soak.png" in page


def test_the_newest_record_is_the_one_that_was_measured_last(tmp_path):
    """Of two machines on one day it was the one whose name came last in the alphabet."""
    for name, began in (("a", "2026-01-02 20:00 UTC"), ("b", "2026-01-02 10:00 UTC")):
        record = Record(tmp_path / f"2026-01-02-{name}.json")
        record.begin("soak")["began"] = began
        record.write()
    assert Record.newest(tmp_path).path.name == "2026-01-02-a.json"


def test_a_ratio_is_told_for_each_turn_with_the_number_of_its_keyframes():
    turns = [
        load(server, sessions=8, ms=ms, count=count, turn=turn)
        for turn, factor in enumerate((1, 2))
        for server, ms, count in ((LUCY, 100.0 * factor, 30), (BASELINE, 400.0, 10))
    ]
    (p99,) = [it for it in verdicts.side_by_side(section(turns)) if "p99" in it.demand]
    assert p99.found.endswith("of 480 and 160 keyframes (in turns: 0.25, 0.50)")


def test_measuring_one_section_again_keeps_the_others(tmp_path):
    record = Record.of_today(tmp_path)
    record.begin("soak", minutes=10)
    record.write()
    record = Record.of_today(tmp_path)
    record.begin("sessions", loads=[[1.5, 2.5]])
    record.write()
    assert set(Record.newest(tmp_path).sections) == {"soak", "sessions"}
    with pytest.raises(FileNotFoundError, match="make bench-quick"):
        Record.newest(tmp_path / "empty")
