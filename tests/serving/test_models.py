import json
import shutil
from pathlib import Path

import pytest

from serving.errors import CannotServe
from serving.model_config import read_model_config
from serving.models import ENSEMBLES, main, options, python_processes, served_models

OURS = Path(__file__).resolve().parents[2] / "model_repository"
SD = ["text_encoder", "vae_encoder", "unet", "vae_decoder"]


@pytest.fixture
def repository(tmp_path):
    """The hand-written configurations; returns a function that says what is exported."""
    for path in OURS.glob("*/**/*.pbtxt"):
        place = tmp_path / path.relative_to(OURS)
        if path.parts[-2] != "configs" or path.name == "cpu.pbtxt":
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, place)

    def exported(*stages):
        (tmp_path / "manifest.json").write_text(json.dumps({"stages": {stage: {} for stage in stages}}))
        return tmp_path

    return exported


def test_a_checkpoint_of_stable_diffusion_loads_all_hand_written_models(repository):
    everything = {path.parent.name for path in OURS.glob("*/config.pbtxt")}
    found = served_models(repository(*SD))
    assert set(found) >= {*SD, "preprocess", "postprocess", "encode", "decode", "tryon"}
    assert set(found) <= everything
    assert found[-1] == "tryon"


@pytest.mark.parametrize(
    ("stages", "ensembles"),
    [
        (["fashn_mmdit"], set()),
        (["vae_encoder", "catvton_unet", "vae_decoder"], {"encode", "decode"}),
        (["vae_decoder", "its_unet"], {"decode"}),
    ],
)
def test_only_the_exported_stages_are_loaded(repository, stages, ensembles):
    """A stage of another family has no network, and Triton would not start."""
    found = set(served_models(repository(*stages)))
    assert found == {*stages, *ensembles, "preprocess", "postprocess", "tryon"}


@pytest.mark.parametrize("ensemble", ENSEMBLES)
def test_the_steps_of_an_ensemble_are_those_that_triton_reads(ensemble, repository):
    """They are looked for without a parser: each must be needed, and nothing else."""
    config = OURS / ensemble / "config.pbtxt"
    steps = [step.model_name for step in read_model_config(config.parent).ensemble_scheduling.step]
    assert len(steps) == 2
    assert ensemble in served_models(repository(*steps))
    for missing in set(steps) - {"preprocess", "postprocess"}:
        assert ensemble not in served_models(repository(*set(steps) - {missing}))


def test_a_step_in_a_comment_is_none(repository):
    folder = repository("unet")
    (folder / "encode" / "config.pbtxt").write_text('step [ { model_name: "unet" } ] # model_name: "x"\n')
    assert "encode" in served_models(folder)


def test_a_configuration_that_cannot_be_read_is_named(repository):
    folder = repository(*SD)
    (folder / "encode" / "config.pbtxt").write_bytes(b"\xff\xfe")
    with pytest.raises(CannotServe, match=r"encode/config\.pbtxt cannot be read"):
        served_models(folder)


def test_triton_is_told_to_load_them_and_no_others():
    assert options(["unet", "tryon"]) == [
        "--model-control-mode=explicit",
        "--load-model=unet",
        "--load-model=tryon",
    ]


def test_a_probe_counts_the_processes_of_python_models(repository):
    folder = repository(*SD)
    assert python_processes(folder, served_models(folder), "cpu") == 4 + 2 + 2 + 1
    assert python_processes(folder, served_models(folder), "gpu") == 2 + 2 + 1


def test_the_command_prints_options_and_writes_the_count(repository, tmp_path, capsys):
    folder = repository("fashn_mmdit")
    (folder / "fashn_mmdit").mkdir()
    shutil.copy(folder / "unet" / "config.pbtxt", folder / "fashn_mmdit")
    assert main([str(folder), "--count-file", str(tmp_path / "count")]) == 0
    assert capsys.readouterr().out.splitlines() == options(served_models(folder))
    assert (tmp_path / "count").read_text() == "5"


@pytest.mark.parametrize("content", [None, "{", "[]", "{}"])
def test_without_an_export_it_says_what_to_do(repository, capsys, content):
    folder = repository("unet")
    (folder / "manifest.json").unlink()
    if content:
        (folder / "manifest.json").write_text(content)
    with pytest.raises(CannotServe, match="make export"):
        served_models(folder)
    assert main([str(folder)]) == 1
    assert "make export" in capsys.readouterr().err
