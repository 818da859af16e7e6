"""Runs on checkpoints as small as diffusers allows: what is written, fused, resumed and refused."""

import dataclasses
import shutil
import weakref
from pathlib import Path

import pytest
import torch

from export.checkpoint import locate
from export.errors import ExportError
from export.lora import Lora, fuse_tuned, is_tuned
from tests import tiny_checkpoint, tiny_sdxl
from tests.families.catvton.vectors import CHECKPOINT as CATVTON
from tests.training.finetune.datasets import write_dataset, write_row
from training.finetune.checker import Refused
from training.finetune.examples import Preparation
from training.finetune.loop import Loop
from training.finetune.lora_file import read_about
from training.finetune.run import Wanted, run
from training.finetune.tunable import Choices, NotTunable, Tunable


def wanted(folder: Path, dataset: Path, checkpoint: Path, **changes) -> Wanted:
    own = Wanted(
        dataset=dataset,
        checkpoint=checkpoint,
        out=folder / "lora.safetensors",
        work=folder / "work",
        steps=4,
        light_steps=0,
        learning_rate=0.02,
        batch=2,
        variants=1,
        held_out=0.3,
        every=2,
        patience=3,
        seed=0,
        device="cpu",
        choices=Choices(rank=2),
    )
    return dataclasses.replace(own, **changes)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return write_dataset(tmp_path_factory.mktemp("data") / "rows", garment=True)


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints")
    return {
        "sd": tiny_checkpoint.write(folder / "sd"),
        "sdxl": tiny_sdxl.write(folder / "sdxl"),
        "catvton": Path(shutil.copytree(CATVTON, folder / "catvton")),
    }


def tiny_catvton_config(checkpoint: Path) -> None:
    mode = {"scheduler": "DDIMScheduler", "strength": 1, "guidance_scale": 2.5, "unet": "catvton_unet"}
    import json

    from tests.families.catvton.vectors import RESOLUTION

    config = {"resolution": RESOLUTION, "conditioning": "person", "framing": "cover", "prompt": ""}
    config |= {"keyframe": {**mode, "steps": 4}, "capture": {**mode, "steps": 4}}
    (checkpoint / "pipeline.json").write_text(json.dumps(config))


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("kind", "networks"),
    [
        ("sd", {"unet", "text_encoder"}),
        ("sdxl", {"unet", "text_encoder", "text_encoder_2"}),
        ("catvton", {"unet"}),
    ],
)
def test_what_was_trained_is_what_the_export_fuses(tmp_path, dataset, checkpoints, kind, networks):
    """In every family: its file changes every network that was trained, of which the stages are exported."""
    checkpoint = checkpoints[kind]
    if kind == "catvton":
        tiny_catvton_config(checkpoint)
    choices = Choices(rank=2, text_encoder=True, checkpointing=True)
    asked = wanted(tmp_path, dataset, checkpoint, choices=choices)
    about = run(asked)
    assert set(about["networks"]) == networks
    [part] = about["parts"]
    assert part["steps"] == 4
    assert is_tuned(asked.out)
    assert read_about(asked.out) == about
    card = asked.out.with_suffix(".md").read_text()
    assert about["data"]["sha256"] in card
    assert about["checkpoint"]["sha256"] in card

    base, fused = (locate(str(checkpoint)).load() for _ in range(2))
    [told] = fuse_tuned(fused.lora.networks, [Lora(asked.out)])
    assert told.modes == "all"
    assert told.modules == len([1 for _ in lora_modules(asked.out)])
    changed = [
        name
        for name, network in fused.lora.networks.items()
        if any(
            not torch.equal(one, other)
            for one, other in zip(network.parameters(), base.lora.networks[name].parameters(), strict=True)
        )
    ]
    if part["best_step"]:
        assert set(changed) == networks
    # The stages that are exported are of these very networks.
    stage = next(it for it in fused.stages if it.name == fused.config.capture.unet)
    assert stage.module.unet is fused.lora.network


def lora_modules(path):
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        return {key.rpartition(".lora_")[0] for key in file.keys()}  # noqa: SIM118


@pytest.mark.nightly
def test_a_stopped_run_goes_on_and_ends_where_it_would_have(tmp_path, dataset, checkpoints, monkeypatch):
    whole = wanted(tmp_path / "whole", dataset, checkpoints["sd"], patience=9)
    expected = run(whole)
    stopped = wanted(tmp_path / "stopped", dataset, checkpoints["sd"], patience=9)
    learn = Loop._learn

    def until_the_third(self):
        if self.step == 3:
            raise KeyboardInterrupt
        return learn(self)

    with monkeypatch.context() as patch:
        patch.setattr(Loop, "_learn", until_the_third)
        with pytest.raises(KeyboardInterrupt):
            run(stopped)
    about = run(stopped)
    for mine, theirs in zip(about["parts"], expected["parts"], strict=True):
        assert mine["best"] == pytest.approx(theirs["best"], rel=1e-4)
        assert mine["best_step"] == theirs["best_step"]


@pytest.mark.nightly
def test_training_makes_the_error_smaller_and_stops_when_it_does_not(tmp_path, dataset, checkpoints):
    longer = wanted(tmp_path, dataset, checkpoints["sd"], steps=60, every=10, learning_rate=0.01)
    [part] = run(longer)["parts"]
    assert part["best"] < 0.97 * part["before"]
    worse = wanted(tmp_path, dataset, checkpoints["sd"], steps=60, every=2, patience=2, learning_rate=3.0)
    [part] = run(worse)["parts"]
    assert part["steps"] < 60
    assert part["best"] <= part["before"]


def test_pictures_are_not_kept(tmp_path, dataset, checkpoints, monkeypatch):
    """Those of a few hundred variants of a camera's size are tens of gigabytes."""
    prepare, made, alive = Preparation.of_shot, [], []

    def counted(self, shot):
        prepared = prepare(self, shot)
        made.append(weakref.ref(prepared))
        alive.append(sum(it() is not None for it in made))
        return prepared

    monkeypatch.setattr(Preparation, "of_shot", counted)
    run(wanted(tmp_path, dataset, checkpoints["sd"], steps=1, variants=3))
    assert len(made) > 15
    assert max(alive) <= 2, "the last one and the next"


def test_wrong_rows_are_told_before_anything_is_trained(tmp_path, checkpoints):
    data = write_dataset(tmp_path / "data")
    write_row(data / "bad", 9, render=None)
    asked = wanted(tmp_path, data, checkpoints["sd"])
    with pytest.raises(Refused, match=r"1 of 6 rows are wrong[\s\S]*bad: it has no render.png"):
        run(asked)
    assert not asked.out.exists()
    assert not asked.work.exists()


def test_a_run_that_trains_nothing_is_told_before_the_rows_are_looked_at(tmp_path, checkpoints):
    """Stable Diffusion has no light reader."""
    data = write_dataset(tmp_path / "data")
    write_row(data / "bad", 9, render=None)
    with pytest.raises(ValueError, match="nothing is trained: give --steps"):
        run(wanted(tmp_path, data, checkpoints["sd"], steps=0, light_steps=9))


def test_a_family_without_tuning_is_refused(tmp_path, checkpoints, monkeypatch):
    monkeypatch.setattr("training.finetune.tunable.find_tuning", lambda name: None)
    with pytest.raises(NotTunable, match="not trained here"):
        Tunable(checkpoints["sd"], torch.device("cpu"), Choices())


@pytest.mark.nightly
def test_a_lora_of_another_checkpoint_does_not_fit(tmp_path, dataset, checkpoints):
    asked = wanted(
        tmp_path, dataset, checkpoints["sdxl"], steps=1, every=1, choices=Choices(2, text_encoder=True)
    )
    run(asked)
    other = locate(str(checkpoints["sd"])).load()
    with pytest.raises(ExportError, match="does not fit"):
        fuse_tuned(other.lora.networks, [Lora(asked.out)])
