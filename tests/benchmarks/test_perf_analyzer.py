import base64
import json

import numpy as np
import pytest

from benchmarks.perf_analyzer import Command, PerfAnalyzer, Unstable


@pytest.fixture
def program(tmp_path):
    """A perf_analyzer that records its arguments, and fails for the model `broken`."""
    path = tmp_path / "perf_analyzer"
    path.write_text(
        '#!/bin/sh\necho "$@" > "$(dirname "$0")/called"\necho "no such model"\n[ "$2" != broken ]\n'
    )
    path.chmod(0o755)
    return path


def test_inputs_are_written_as_raw_bytes_without_the_batch_axis(program, tmp_path):
    sample = np.arange(8, dtype=np.float32).reshape(1, 2, 4)
    analyzer = PerfAnalyzer(Command(program), "localhost:1")
    analyzer.run("unet", {"sample": sample}, tmp_path / "unet.csv", batch=4)
    (tensor,) = json.loads((tmp_path / "unet.json").read_text())["data"]
    assert tensor["sample"]["shape"] == [2, 4]
    assert base64.b64decode(tensor["sample"]["content"]["b64"]) == sample.tobytes()
    assert "-b 4" in (tmp_path / "called").read_text()


def test_a_string_is_written_as_text(program, tmp_path):
    analyzer = PerfAnalyzer(Command(program), "localhost:1")
    analyzer.run("tryon", {"mode": np.array([b"keyframe"], np.object_)}, tmp_path / "t.csv", streaming=True)
    (tensor,) = json.loads((tmp_path / "t.json").read_text())["data"]
    assert tensor["mode"] == {"content": ["keyframe"], "shape": [1]}
    assert "--streaming" in (tmp_path / "called").read_text()


def test_its_error_output_is_shown_if_it_fails(program, tmp_path):
    with pytest.raises(SystemExit, match="no such model"):
        PerfAnalyzer(Command(program), "localhost:1").run("broken", {}, tmp_path / "b.csv")


def test_unstable_figures_are_distinguished_from_a_failure(program, tmp_path):
    """One unstable batch size on a busy machine ended the whole of `make perf`."""
    program.write_text('#!/bin/sh\necho "Failed to obtain stable measurement."\nexit 2\n')
    (tmp_path / "unet.csv").write_text("of the last run")
    with pytest.raises(Unstable, match="unet"):
        PerfAnalyzer(Command(program), "localhost:1").run("unet", {}, tmp_path / "unet.csv")
    assert not (tmp_path / "unet.csv").exists()


def test_a_sweep_that_takes_too_long_is_left_out(program, tmp_path, monkeypatch):
    """It ended in a traceback, and what was measured before was lost."""
    monkeypatch.setattr("benchmarks.perf_analyzer._WITHIN_S", 0.2)
    program.write_text("#!/bin/sh\nexec sleep 20\n")
    with pytest.raises(Unstable, match=r"unet: not done within 0\.2 s"):
        PerfAnalyzer(Command(program), "localhost:1").run("unet", {}, tmp_path / "unet.csv")
