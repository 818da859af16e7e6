"""The simulation in cases whose answer is known, and its parts against the real ones."""

import dataclasses
import json
import random

import pytest
import simpy
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.capacity import __main__ as capacity
from benchmarks.capacity import stack as capacity_stack
from benchmarks.capacity.load import Load, enough, percentile, simulate, users_within
from benchmarks.capacity.machine import Configuration, Machine, Recipe, Stage
from benchmarks.capacity.server import Cores, Server

NETWORKS = {
    "vae_encoder": {1: 0.013, 4: 0.050},
    "unet": {1: 0.015, 8: 0.100},
    "vae_decoder": {1: 0.030, 4: 0.120},
}
PROCESSES = {"preprocess": Stage({1: 0.010}, {1: 0.010}), "postprocess": Stage({1: 0.012}, {1: 0.012})}
BOTH_CORES = {name: Stage(t, {rows: 2 * s for rows, s in t.items()}) for name, t in NETWORKS.items()}
CPU = Machine("two cores", 2, PROCESSES | BOTH_CORES, overhead=0.02)
GPU = Machine(
    "a GPU",
    8,
    PROCESSES | {name: Stage(times, None) for name, times in NETWORKS.items()},
    overhead=0.02,
    batch_sizes=(1, 2, 3, 4, 6, 8, 12, 16),
    profile="gpu",
)
ALONE = 0.010 + 0.013 + 4 * 0.015 + 0.030 + 0.012 + 0.02


@pytest.mark.parametrize("machine", [CPU, GPU])
def test_a_user_alone_waits_for_the_sum_of_the_stages(machine):
    tally = simulate(machine, 1, Load(captures=0))
    assert tally.keyframes == pytest.approx([ALONE] * len(tally.keyframes))
    assert tally.rows_a_call == 1


def test_only_a_job_on_an_idle_machine_waits_for_it_to_wake():
    sleepy = dataclasses.replace(CPU, wakes=[0.05])
    seldom, at_once = (simulate(sleepy, 1, Load(pause, captures=0)).keyframes for pause in (1.5, 0))
    assert seldom == pytest.approx([ALONE + 0.05] * len(seldom))
    assert at_once == pytest.approx([ALONE] * len(at_once))


@pytest.mark.nightly
@settings(deadline=None, max_examples=20)
@given(
    users=st.integers(1, 60),
    servers=st.integers(1, 3),
    interval=st.sampled_from([0, 0.3, 1.5]),
    seed=st.integers(0, 9),
)
def test_every_job_ends_once(users, servers, interval, seed):
    tally = simulate(GPU, users, Load(interval, captures=1 / 5), servers=servers, seconds=5, seed=seed)
    assert tally.sent == tally.answered + tally.dropped
    assert tally.captures_sent == tally.captures_answered
    assert len(tally.keyframes) <= tally.answered
    assert all(second >= ALONE - 1e-9 for second in tally.keyframes)


def test_arrival_times_do_not_depend_on_the_servers_seed():
    """A check once compared four real users, three of whom arrived together, with a mean of many others."""

    def keyframes(**seeds):
        return simulate(CPU, 4, Load(captures=0), seconds=20, **seeds).keyframes

    assert keyframes(seed=1, crowd_seed=0) == keyframes(seed=2, crowd_seed=0)
    assert keyframes(seed=1, crowd_seed=0) != keyframes(seed=1, crowd_seed=1)


@pytest.mark.nightly
@pytest.mark.parametrize("share", [0.5, 0.99])
def test_more_servers_are_never_worse(share):
    found = [
        simulate(CPU, 40, Load(captures=0), servers=n, seconds=40).percentile(share) for n in (1, 2, 4, 8, 40)
    ]
    assert found == sorted(found, reverse=True)
    assert found[0] > 2 * found[-1]


def test_concurrent_users_share_unet_calls():
    load = Load(interval=0, captures=0)
    alone, *crowds = (
        simulate(GPU, users, load, seed=seed) for users, seed in ((1, 0), (8, 0), (8, 1), (8, 2))
    )
    for together in crowds:  # 1.47 to 1.55 times as many, depending on their arrival
        assert together.rows_a_call > 2
        assert len(together.keyframes) > 1.45 * len(alone.keyframes)


def test_later_keyframes_end_before_a_capture():
    """The real scheduler decides: if all jobs advanced equally, captures would delay keyframes."""
    env = simpy.Environment()
    server = Server(env, CPU, Configuration.read("cpu"), random.Random(0))
    ended = {}

    def job(name, recipe, after):
        yield env.timeout(after)
        yield from server.run_job(recipe)
        ended[name] = env.now

    env.process(job("capture", Recipe(live=False, steps=25), 0))
    for number in range(3):
        env.process(job(f"keyframe {number}", Recipe(live=True, steps=4), 0.2))
    env.run()
    assert ended["capture"] > max(ended[f"keyframe {number}"] for number in range(3))
    assert server.rows == 25 + 3 * 4


def test_the_first_of_many_does_not_wait_for_the_last():
    """When all shared the cores at once, all ended late together."""
    env, ended = simpy.Environment(), []
    server = Server(env, CPU, Configuration.read("cpu"), random.Random(0))

    def job():
        yield from server.run_job(Recipe(live=True, steps=4))
        ended.append(env.now)

    for _ in range(16):
        env.process(job())
    env.run()
    assert ended[0] < ended[-1] / 4


def test_a_capture_leaves_a_lone_keyframe_most_of_the_cores():
    """It once took half of them while a keyframe was encoded and decoded: 1.6 times as long as alone."""
    env, seconds = simpy.Environment(), []
    server = Server(env, CPU, Configuration.read("cpu"), random.Random(0))

    def captures():
        while len(seconds) < 20:
            yield from server.run_job(Recipe(live=False, steps=25))

    def keyframes():
        for _ in range(20):
            yield env.timeout(0.1)
            began = env.now
            yield from server.run_job(Recipe(live=True, steps=4))
            seconds.append(env.now - began)

    env.process(captures())
    env.process(keyframes())
    env.run()
    assert ALONE < sum(seconds) / 20 < 1.35 * ALONE


def test_rows_are_padded_to_the_captured_batches():
    """Five rows cost as much as six, if six is the next captured batch."""
    env = simpy.Environment()
    server = Server(env, GPU, Configuration.read("gpu"), random.Random(0))
    env.process(server.predict(5))
    env.run()
    assert env.now == pytest.approx(GPU.stages["unet"].seconds(6))


def test_cores_are_shared():
    """Two tasks that each keep both cores busy take twice as long; two of one core each do not."""
    env, ended = simpy.Environment(), {}
    cores = Cores(env, 2)

    def task(name, seconds, wanted, after):
        yield env.timeout(after)
        yield cores.run(seconds, wanted)
        ended[name] = env.now

    env.process(task("long", 2.0, 2, 0))
    env.process(task("short", 0.5, 2, 1))
    env.process(task("later", 1.0, 1, 10))
    env.process(task("beside", 1.0, 1, 10))
    env.run()
    assert ended == pytest.approx({"short": 2.0, "long": 2.5, "later": 11.0, "beside": 11.0})


@pytest.mark.parametrize(("rows", "seconds"), [(1, 1.0), (2, 1.5), (3, 2.0), (5, 4.0), (7, 6.0)])
def test_a_stage_is_read_between_and_beyond_what_was_measured(rows, seconds):
    stage = Stage({1: 1.0, 3: 2.0, 5: 4.0}, {1: 2.0, 5: 4.0})
    assert stage.seconds(rows) == pytest.approx(seconds)
    assert stage.cores(5) == 1


@pytest.mark.nightly
def test_the_limit_is_found():
    load = Load(captures=0)
    users = users_within(0.5, CPU, load, keyframes=400)
    seconds = [enough(crowd, load, 400) for crowd in (users, users + 1)]
    assert simulate(CPU, users, load, seconds=seconds[0]).percentile(0.99) <= 0.5
    assert simulate(CPU, users + 1, load, seconds=seconds[1]).percentile(0.99) > 0.5
    assert users_within(ALONE / 2, CPU, load, keyframes=400) == 0


def test_percentiles():
    assert [percentile([3, 1, 2, 4], share) for share in (0.25, 0.5, 0.99)] == [1, 2, 4]


def test_a_measured_machine_is_read_as_it_was_written():
    written = capacity_stack.as_json(CPU)
    assert capacity_stack.as_json(capacity_stack.from_json(json.loads(json.dumps(written)))) == written


def test_the_gpus_are_marked_as_assumed_and_become_machines():
    document = json.loads(capacity.GPUS.read_text())
    assert document["assumed"]
    for one in document["gpus"]:
        machine = capacity.gpu(document, one, CPU)
        assert machine.stages["unet"].cores(1) == 0
        assert machine.stages["unet"].seconds(2) > machine.stages["unet"].seconds(1) > 0
        assert machine.stages["postprocess"] == CPU.stages["postprocess"]
        assert one["usd_per_hour"] > 0


def test_the_configuration_is_that_of_the_repository():
    gpu, cpu = (Configuration.read(profile) for profile in ("gpu", "cpu"))
    assert (gpu.max_rows, gpu.capture_interval, gpu.max_encoding) == (16, 3, 4)
    assert (gpu.max_live, cpu.max_live) == (32, 3)
    assert gpu.instances == cpu.instances == {"preprocess": 2, "postprocess": 2}
    assert gpu.max_batch == {"vae_encoder": 8, "vae_decoder": 8}
    assert cpu.max_batch == {}, "a batch of pictures costs more a row on a CPU"
