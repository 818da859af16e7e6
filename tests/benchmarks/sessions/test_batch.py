"""The verdicts on a batch beside live sessions."""

from benchmarks.sessions.batch import CAPTURES, batch_of, verdicts


def load(latency_ms):
    return {"latencies_ms": [[latency_ms] * 13] * 2}


def section(beside_ms=118, succeeded=CAPTURES):
    counts = {"total": CAPTURES, "succeeded": succeeded}
    return {"alone": [load(100)] * 4, "beside": [load(beside_ms)], "counts": counts, "batch_s": 90.0}


def test_each_demand_is_judged():
    assert [it.met for it in verdicts(section())] == [True, True]
    assert [it.met for it in verdicts(section(succeeded=CAPTURES - 1))] == [False, True]
    assert [it.met for it in verdicts(section(beside_ms=121))] == [True, False]


def test_a_batch_names_each_picture_once():
    batch = batch_of([("frame 0", "render 0"), ("frame 1", "render 1")])
    assert len(batch["captures"]) == CAPTURES
    assert set(batch["images"].values()) == {"frame 0", "render 0", "frame 1", "render 1"}
    assert {batch["images"][it["user_image"]] for it in batch["captures"]} == {"frame 0", "frame 1"}
