import json
from pathlib import Path

import pytest
import torch

from export.checks import full_size as full_size_check
from export.checks.full_size import all_networks, check
from families import registry

NETWORKS = all_networks()


@pytest.fixture
def ran(monkeypatch):
    """The commands that were run. They are faked: no TensorRT, and no gigabytes written."""
    commands = []

    def run(command):
        commands.append(command)
        doing = command[3]
        if doing == "export":
            repository = Path(command[4]) / command[6]
            repository.mkdir()
            (repository / "manifest.json").write_text("{}")
        return None if doing in run.failing else f"{doing} done"

    run.failing = set()
    monkeypatch.setattr(full_size_check, "run", run)
    monkeypatch.setattr(full_size_check, "_version", lambda compiler: "1.7.1")
    monkeypatch.setattr(full_size_check, "free_memory", lambda: 20e9)
    run.commands = commands
    return run


def names(commands, doing):
    return [command[-1] for command in commands if command[3] == doing]


def test_each_network_is_exported_then_compiled_and_leaves_only_its_result(ran, tmp_path):
    assert check(tmp_path, "rtx") == 0
    assert names(ran.commands, "export") == [it.name for it in NETWORKS]
    assert len(names(ran.commands, "compile")) == len(NETWORKS)
    assert {path.name for path in tmp_path.iterdir()} == {"results.json", "batch_ranges.json"}


def test_an_interrupted_run_continues(ran, tmp_path, monkeypatch):
    """The third had been exported when the machine ran out of memory."""
    monkeypatch.setattr(full_size_check, "all_networks", lambda: NETWORKS[:2])
    check(tmp_path, "rtx")
    monkeypatch.setattr(full_size_check, "all_networks", lambda: NETWORKS[:3])
    ran.failing = {"compile"}
    assert check(tmp_path, "rtx") == 1
    ran.failing = set()
    ran.commands.clear()
    assert check(tmp_path, "rtx") == 0
    assert [command[3] for command in ran.commands] == ["compile"]


def test_another_tensorrt_compiles_every_network_again(ran, tmp_path, monkeypatch):
    check(tmp_path, "rtx")
    ran.commands.clear()
    monkeypatch.setattr(full_size_check, "_version", lambda compiler: "1.8")
    check(tmp_path, "rtx")
    assert len(ran.commands) == 2 * len(NETWORKS)


def test_a_network_that_does_not_fit_into_memory_is_skipped_and_fails(ran, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(full_size_check, "free_memory", lambda: 15e9)
    large = [network for network in NETWORKS if network.memory > 15e9]
    assert check(tmp_path, "rtx") == len(large)
    told = capsys.readouterr().out
    assert (
        "sdxl_inpainting fp16 sdxl_unet\n!!  skipped: it needs 19.6 GB of memory, and 15.0 are free" in told
    )
    assert told.endswith(f"{len(NETWORKS) - len(large)} of {len(NETWORKS)} networks compiled\n")


def test_a_network_that_fails_does_not_end_the_others(ran, tmp_path):
    ran.failing = {"export"}
    assert check(tmp_path, "rtx") == len(NETWORKS)
    assert names(ran.commands, "compile") == []
    assert not (tmp_path / "results.json").exists()


def test_leftovers_of_another_network_are_not_compiled_in_its_place(ran, tmp_path):
    (tmp_path / "another").mkdir()
    (tmp_path / "another" / "manifest.json").write_text(json.dumps({"stages": {}}))
    check(tmp_path, "rtx")
    assert not (tmp_path / "another").exists()


def test_the_end_of_a_command_is_reported(capfd):
    assert "GB" in full_size_check.run(["/bin/true"])
    assert full_size_check.run(["/bin/sh", "-c", "exit 3"]) is None
    assert full_size_check.run(["/bin/sh", "-c", "kill -9 $$"]) is None
    assert "killed, most likely for lack of memory" in capfd.readouterr().out


@pytest.mark.sampled(4)
@pytest.mark.parametrize("network", NETWORKS, ids=lambda it: it.name)
def test_the_sizes_are_those_of_the_networks(network):
    """They decide what fits into memory. On torch's meta device weights take none."""
    dtype = torch.float16 if network.precision == "fp16" else torch.float32
    with torch.device("meta"):
        stage = registry.full_size(network.family).describe_stage(network.stage, dtype)
    coder = getattr(stage.module, "vae", None)
    module = getattr(coder, network.stage.removeprefix("vae_")) if coder else stage.module
    parameters = sum(it.numel() for it in module.parameters())
    assert parameters / 1e6 == pytest.approx(network.parameters, rel=0.03)


def test_every_network_fits_into_20_gb():
    assert max(it.memory for it in NETWORKS) < 20e9
