import asyncio
import json
import signal

import pytest

from serving import __main__ as command


@pytest.fixture
def starts(tmp_path, monkeypatch):
    """Starts without a Triton; returns the repositories that were measured before."""
    measured = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "choose_in_a_process", measured.append)
    monkeypatch.setattr(command, "_check", lambda triton, exported: None)

    def ended_by_ctrl_c(serving):
        serving.close()
        return signal.SIGINT

    monkeypatch.setattr(asyncio, "run", ended_by_ctrl_c)

    def start(profile):
        manifest = {"profile": profile, "checkpoint": {"name": "tiny"}, "stages": {}}
        (tmp_path / "manifest.json").write_text(json.dumps(manifest))
        assert command.main([f"--repository={tmp_path}", f"--build={tmp_path}"]) == command.INTERRUPTED
        return measured

    return start


def test_the_first_start_on_a_processor_measures_its_runtimes(starts, tmp_path, monkeypatch):
    monkeypatch.delenv("CPU_RUNTIME")
    assert starts("cpu") == [tmp_path]


@pytest.mark.parametrize("profile", ["cpu", "gpu"])
def test_nothing_is_measured_where_nothing_is_to_be_chosen(starts, monkeypatch, profile):
    monkeypatch.setenv("CPU_RUNTIME", "onnxruntime" if profile == "cpu" else "auto")
    assert starts(profile) == []


@pytest.mark.parametrize("free", [True, False])
def test_a_machine_is_examined_first_where_that_is_asked(starts, tmp_path, monkeypatch, free):
    """The doctor's report comes first, and nothing is started where it has found a fault."""
    asked = []
    monkeypatch.setattr(command.doctor, "main", lambda given: asked.append(given) or int(not free))
    monkeypatch.setenv("CPU_RUNTIME", "onnxruntime")
    starts("cpu")
    assert asked == [], "only where it is asked"
    monkeypatch.setattr(command, "_serve", None if not free else command._serve)
    status = command.main(["--examine", f"--repository={tmp_path}", f"--build={tmp_path}"])
    assert (status, asked) == (command.INTERRUPTED if free else 1, [[f"--repository={tmp_path}"]])
