"""The verdicts on lights beside pictures."""

from benchmarks.sessions.live_light import LIGHT, PICTURE, in_time, light_messages, verdicts


def load(sessions, latency_ms, answers=10, loop="open"):
    return {
        "sessions": sessions,
        "loop": loop,
        "seconds": 9.0,
        "latencies_ms": [[latency_ms] * answers for _ in range(sessions)],
        "answered_at_s": [[0.5 * n for n in range(answers)] for _ in range(sessions)],
        "sent": [6] * sessions,
    }


def section(light_ms=100, picture_ms=300, lights=12, most=4000):
    return {
        "answer_bytes": [3000, most],
        "costs": [{"kind": LIGHT, "cpu_ms": light_ms}, {"kind": PICTURE, "cpu_ms": picture_ms}],
        "closed": [{"kind": LIGHT, **load(1, 50, 200, "closed")}],
        "open": [
            {"kind": PICTURE, **load(6, 900)},
            {"kind": PICTURE, **load(8, 1700)},
            {"kind": LIGHT, **load(lights, 400)},
        ],
    }


def test_a_load_is_in_time_if_everybody_is_answered_soon():
    assert in_time(load(8, 1400))
    assert not in_time(load(8, 1600))
    assert not in_time(load(8, 1400, answers=2))


def test_each_demand_is_judged():
    assert [it.met for it in verdicts(section())][:1] == [True]
    assert not verdicts(section(light_ms=160))[0].met
    assert verdicts(section())[2].met
    assert not verdicts(section(lights=10))[2].met
    assert verdicts(section())[3].met
    assert not verdicts(section(most=4097))[3].met


def test_the_messages_are_small_and_ask_for_a_light():
    message = light_messages()[0]
    assert '"answer": "light"' in message
    assert len(message) < 100_000
