"""Steps in processes of their own: what one of them does to the others, and what is left of it."""

import json
import sys
import time

import pytest

from benchmarks.gpu_proof.figures import FIGURES, Report
from benchmarks.gpu_proof.plan import SECONDS, STEPS, Step, chosen
from benchmarks.gpu_proof.runner import Runner

# Stands for `python -m benchmarks.gpu_proof step NAME --work=… --limit=…`.
STEP = """
import json, os, pathlib, subprocess, sys, time
name, work = sys.argv[1], pathlib.Path(sys.argv[2].partition("=")[2])
figures = {"steps": 7, "samples_per_s": 12.5}
(work / f"{name}.json").write_text(json.dumps({"figures": figures, "faults": ["one figure: no memory"]}))
if name == "hangs":
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    (work / "child").write_text(str(child.pid))
    time.sleep(60)
if name == "crashes":
    print("the last words")
    os._exit(7)
if name == "silent":
    os.kill(os.getpid(), 9)
"""


@pytest.fixture
def report():
    return Report(
        device={"name": "a card"},
        versions={"torch": "2"},
        commit="abc",
        began="now",
        size="tiny",
        networks="none",
    )


@pytest.fixture(autouse=True)
def steps_that_nobody_knows(monkeypatch):
    for name in ("works", "hangs", "crashes", "silent", "after"):
        monkeypatch.setitem(FIGURES, name, FIGURES["training"])


def run(tmp_path, report, steps, seconds=60.0):
    runner = Runner(tmp_path / "work", tmp_path / "results", [], (sys.executable, "-c", STEP))
    done = runner.run(steps, report, seconds)
    for folder in ("work", "results"):
        assert Report.model_validate_json((tmp_path / folder / "report.json").read_text()) == done
    return {step.name: step for step in done.steps}


@pytest.mark.nightly
def test_a_step_that_fails_or_hangs_leaves_its_figures_and_the_others(tmp_path, report):
    began = time.monotonic()
    steps = [Step("crashes", 1, 20), Step("hangs", 1, 2), Step("silent", 1, 20), Step("works", 1, 20)]
    found = run(tmp_path, report, steps)
    assert {name: step.state for name, step in found.items()} == {
        "crashes": "failed", "hangs": "timed out", "silent": "failed", "works": "done",
    }  # fmt: skip
    assert all(step.figures["steps"] == 7 for step in found.values())
    assert found["works"].faults == ["one figure: no memory"]
    assert found["crashes"].error == "the last words"
    assert "2 s" in found["hangs"].error
    assert time.monotonic() - began < 30
    assert "the last words" in (tmp_path / "results" / "logs.txt").read_text()


@pytest.mark.nightly
def test_what_a_step_started_ends_with_it(tmp_path, report):
    """A Triton that goes on would keep its GPU's memory from the next step."""
    run(tmp_path, report, [Step("hangs", 1, 2)])
    child = int((tmp_path / "work" / "child").read_text())
    deadline = time.monotonic() + 10
    while _lives(child):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_step_whose_need_has_failed_is_left_out_and_so_is_one_without_time(tmp_path, report):
    steps = [Step("crashes", 1, 20), Step("after", 1, 20, needs="crashes")]
    assert run(tmp_path, report, steps)["after"].state == "left out"
    found = run(tmp_path, report, [Step("works", 1, 20)], seconds=0)
    assert found["works"].state == "left out"
    assert "no time" in found["works"].error
    assert found["crashes"].state == "failed", "the second call's report has the first one's steps"


@pytest.mark.nightly
def test_no_step_goes_on_after_the_end(tmp_path, report):
    began = time.monotonic()
    found = run(tmp_path, report, [Step("hangs", 1, 100)], seconds=4)
    assert found["hangs"].state == "timed out"
    assert time.monotonic() - began < 20


def test_the_plan_takes_nine_minutes_at_most():
    assert sum(SECONDS.values()) <= 540 - 25, "both parts are unpacked, too"
    for part, seconds in SECONDS.items():
        steps = [step for step in STEPS if step.part == part]
        assert sum(step.limit_s for step in steps if step.name != "training") <= seconds + 30
    assert STEPS[-1].name == "training", "it takes what is left"
    assert {step.name for step in STEPS} <= set(FIGURES)
    assert [step.name for step in chosen(None, ["hops"])] == ["hops"]
    with pytest.raises(ValueError, match="no step is called nets"):
        chosen(None, ["nets"])


def test_a_report_is_read_back_and_knows_no_other_fields(report):
    text = report.model_dump_json()
    assert Report.model_validate_json(text) == report
    with pytest.raises(ValueError, match="other"):
        Report.model_validate(json.loads(text) | {"other": 1})


def _lives(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
