import errno
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import CLIPTokenizer

from export.__main__ import main
from export.errors import ExportError
from export.exporter import export
from export.lora import Lora
from export.onnx_export import Parity
from families.sd_inpainting import family as sd_inpainting
from families.sd_inpainting.stages import STAGES
from serving.engine_stamp import Stamp
from serving.stages.onnx_runtime import OnnxStage


@pytest.fixture(scope="module")
def tiny_export(checkpoint, tmp_path_factory):
    """A repository with an export of the tiny checkpoint; do not change it."""
    repository = tmp_path_factory.mktemp("repository")
    export(str(checkpoint), repository)
    return repository


@pytest.fixture
def copy(tiny_export, tmp_path):
    return shutil.copytree(tiny_export, tmp_path / "repository")


def snapshot(repository):
    return {path: path.read_bytes() for path in repository.rglob("*") if path.is_file()}


def test_the_manifest_says_what_was_exported_and_how_well(tiny_export):
    manifest = json.loads((tiny_export / "manifest.json").read_text())
    assert set(manifest["stages"]) == set(STAGES)
    for stage in manifest["stages"].values():
        assert stage["opset"] == 20
        assert 0 <= stage["parity"]["error"] <= stage["parity"]["tolerance"]
    assert manifest["stages"]["unet"]["buckets"] == [
        {"sample": [9, 8, 8], "timestep": [], "prompt_embeds": [77, 32]}
    ]
    assert manifest["profile"] == "cpu"
    for name, entry in manifest["files"].items():
        assert (tiny_export / name).stat().st_size == entry["bytes"]


def test_an_unchanged_checkpoint_is_not_exported_again(tiny_export, checkpoint):
    before = snapshot(tiny_export)
    _, done = export(str(checkpoint), tiny_export)
    assert not done
    assert snapshot(tiny_export) == before


@pytest.mark.nightly
def test_an_edited_config_pbtxt_is_not_nothing_to_do(checkpoint, configured, quick_stages, capsys):
    """Engines and unet_fast are made from these files, and a comment in one of them decides nothing."""
    command = [str(checkpoint), "--repository", str(configured)]
    assert main(command) == 0
    config = configured / "unet" / "config.pbtxt"
    config.write_text("# a comment\n" + config.read_text())
    capsys.readouterr()
    assert main(command) == 0
    assert "nothing to do" in capsys.readouterr().out
    config.write_text(config.read_text().replace("max_batch_size: 16", "max_batch_size: 8"))
    assert main(command) == 0
    assert "nothing to do" not in capsys.readouterr().out


def test_a_changed_checkpoint_or_a_lost_artefact_is_exported_again(copy, checkpoint, tmp_path, monkeypatch):
    class Begun(Exception):
        pass

    def begin(folder):
        raise Begun

    monkeypatch.setattr(sd_inpainting, "load", begin)
    changed = shutil.copytree(checkpoint, tmp_path / "changed")
    (changed / "pipeline.json").unlink()
    with pytest.raises(Begun):
        export(str(changed), copy)
    (copy / "unet" / "1" / "model.onnx").unlink()
    with pytest.raises(Begun):
        export(str(checkpoint), copy)


@pytest.mark.parametrize(
    ("failure", "raised"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device"),
            pytest.raises(ExportError, match=r"disk .* is full"),
        ),
        (ExportError("unet: ONNX differs from torch"), pytest.raises(ExportError, match="differs")),
        (KeyboardInterrupt(), pytest.raises(KeyboardInterrupt)),
    ],
)
def test_a_failing_export_keeps_the_old_artefacts_whole(
    copy, checkpoint, tmp_path, monkeypatch, failure, raised
):
    before = snapshot(copy)

    def fail_at_the_unet(stage, precision, folder, on_progress):
        (folder / "model.onnx").write_text("half written")
        if stage.name == "unet":
            raise failure
        return Parity(0, 1)

    monkeypatch.setattr("export.onnx_export.export_stage", fail_at_the_unet)
    changed = shutil.copytree(checkpoint, tmp_path / "changed")
    (changed / "README.md").write_text("another checkpoint")
    with raised:
        export(str(changed), copy)
    assert snapshot(copy) == before


def test_every_row_of_the_unet_has_its_own_timestep(tiny_export):
    """Jobs at different steps share a batch: a UNet exported with one timestep for all mixes them up."""
    unet = OnnxStage(tiny_export / "unet" / "1" / "model.onnx")
    random = np.random.default_rng(0)
    rows = {
        "sample": random.normal(size=(3, 9, 8, 8)).astype(np.float32),
        "timestep": np.array([999, 500, 1], np.float32),
        "prompt_embeds": random.normal(size=(3, 77, 32)).astype(np.float32),
    }
    together = unet.run(rows)["model_output"]
    for row in range(3):
        alone = unet.run({name: array[row : row + 1] for name, array in rows.items()})["model_output"]
        assert np.allclose(together[row], alone[0], atol=1e-5)
    swapped = unet.run({**rows, "timestep": rows["timestep"][::-1].copy()})["model_output"]
    assert not np.allclose(together[0], swapped[0], atol=1e-5)


@pytest.mark.parametrize("prompt", ["", "a denim jacket", "Ünïcode & 数字 123", "long " * 200])
def test_the_written_tokenizer_gives_the_checkpoints_own_ids(tiny_export, checkpoint, prompt):
    ours = Tokenizer.from_file(str(tiny_export / "tryon" / "1" / "tokenizer.json"))
    theirs = CLIPTokenizer.from_pretrained(checkpoint / "tokenizer")
    assert ours.encode(prompt).ids == theirs(prompt, padding="max_length", truncation=True).input_ids


@pytest.fixture
def quick_stages(monkeypatch):
    """The stages of an export by name, none of them traced: that takes a minute."""
    taken = {}

    def take(stage, precision, folder, on_progress):
        taken[stage.name] = stage
        (folder / "model.onnx").write_text(f"{stage.name} in {precision}")
        return Parity(0, 1)

    monkeypatch.setattr("export.onnx_export.export_stage", take)
    monkeypatch.setattr("export.torch_program.export_program", lambda *given: 0.0)
    return taken


def test_loras_become_a_second_unet_for_keyframes(checkpoint, tmp_path, quick_stages):
    repository = tmp_path / "repository"
    (repository / "unet").mkdir(parents=True)
    (repository / "unet" / "config.pbtxt").write_text('name: "unet"')
    name = "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k"
    random = torch.Generator().manual_seed(0)
    lora = {
        f"{name}.lora_A.weight": torch.randn(2, 32, generator=random),
        f"{name}.lora_B.weight": torch.randn(32, 2, generator=random),
    }
    save_file(lora, tmp_path / "lora.safetensors")
    manifest, _ = export(str(checkpoint), repository, loras=[Lora(tmp_path / "lora.safetensors", 0.5)])
    assert manifest["loras"][0]["modules"] == 1
    assert 'name: "unet_fast"' in (repository / "unet_fast" / "config.pbtxt").read_text()
    pipeline = json.loads((repository / "tryon" / "1" / "pipeline.json").read_text())
    assert (pipeline["keyframe"]["unet"], pipeline["capture"]["unet"]) == ("unet_fast", "unet")
    slow, fast = (quick_stages[unet].module.unet.get_submodule(name.removeprefix("unet.")).weight
                  for unet in ("unet", "unet_fast"))  # fmt: skip
    assert not slow.allclose(fast)
    assert list(quick_stages["unet_fast"].example) == ["sample", "timestep", "prompt_embeds"]
    # Without LoRAs the second UNet goes: Triton would load it, and it would be of another checkpoint.
    export(str(checkpoint), repository)
    assert not (repository / "unet_fast").exists()


def test_a_resolution_for_each_mode_reaches_the_stages_and_the_server(checkpoint, tmp_path, quick_stages):
    copy = shutil.copytree(checkpoint, tmp_path / "copy")
    pipeline = json.loads((copy / "pipeline.json").read_text())
    pipeline["capture"]["resolution"] = [128, 64]
    (copy / "pipeline.json").write_text(json.dumps(pipeline))
    manifest, _ = export(str(copy), tmp_path / "repository")
    buckets = manifest["stages"]["unet"]["buckets"]
    assert [bucket["sample"] for bucket in buckets] == [[9, 8, 8], [9, 16, 8]]
    assert len(manifest["stages"]["text_encoder"]["buckets"]) == 1
    exported = json.loads((tmp_path / "repository" / "tryon" / "1" / "pipeline.json").read_text())
    assert [exported[mode]["resolution"] for mode in ("keyframe", "capture")] == [[64, 64], [128, 64]]


def test_a_decoder_that_would_overflow_in_half_precision_is_exported_in_single(
    checkpoint, tmp_path, quick_stages
):
    copy = shutil.copytree(checkpoint, tmp_path / "copy")
    weights = load_file(copy / "vae" / "diffusion_pytorch_model.safetensors")
    weights["decoder.conv_in.weight"] *= 1e6
    save_file(weights, copy / "vae" / "diffusion_pytorch_model.safetensors", {"format": "pt"})
    manifest, _ = export(str(copy), tmp_path / "repository", profile="gpu")
    precisions = {name: stage["precision"] for name, stage in manifest["stages"].items()}
    assert precisions == dict.fromkeys(STAGES, "fp16") | {"vae_decoder": "fp32"}
    largest = manifest["stages"]["vae_decoder"]["largest_activation"]
    assert largest["value"] > largest["limit"]
    assert largest["layer"] == "vae.decoder.conv_in"


class FakeEngines:
    """As export.engines.Engines; makes nothing of use, or fails at one stage."""

    key = ("11.1.0.106", "8.6", "False")

    def __init__(self, fails_at=None):
        self.fails_at = fails_at
        self.batches = {}

    def make(self, onnx, served, batch, buckets, on_progress):
        assert onnx.stat().st_size
        stage = served.parent.name
        if stage == self.fails_at:
            raise ExportError(f"{stage}: the GPU has too little memory")
        self.batches[stage] = (batch.least, batch.best, batch.most)
        onnx.with_name("model.plan").write_text(f"plan of {stage}")
        batches = [[batch.least, batch.best, batch.most]]
        Stamp("11.1.0.106", "a GPU", "8.6", "580", "", "", batches, [], False).write(onnx.parent)
        on_progress("building", 1, 2)
        return {"how": "built", "seconds": 1.0}


@pytest.fixture
def configured(tmp_path):
    """A repository with the hand-written configurations."""
    ours = Path(__file__).resolve().parents[2] / "model_repository"
    for stage in STAGES:
        (tmp_path / "repository" / stage).mkdir(parents=True)
        shutil.copy(ours / stage / "config.pbtxt", tmp_path / "repository" / stage)
    return tmp_path / "repository"


def test_engines_are_made_for_the_batches_that_triton_is_told(checkpoint, configured, quick_stages):
    engines = FakeEngines()
    manifest, _ = export(str(checkpoint), configured, "gpu", engines=engines)
    assert engines.batches["unet"] == (1, 4, 16)
    assert engines.batches["vae_decoder"] == (1, 1, 8)
    assert manifest["stages"]["unet"]["engine"]["how"] == "built"
    assert (configured / "unet" / "1" / "model.plan").read_text() == "plan of unet"
    pipeline = json.loads((configured / "tryon" / "1" / "pipeline.json").read_text())
    assert pipeline["batch_sizes"][-1] == 16
    assert "model_warmup" in (configured / "unet" / "configs" / "gpu.pbtxt").read_text()


@pytest.mark.nightly
def test_an_engine_that_cannot_be_built_keeps_the_old_ones(checkpoint, configured, quick_stages):
    export(str(checkpoint), configured, "gpu", engines=FakeEngines())
    before = snapshot(configured)
    changed = FakeEngines(fails_at="vae_decoder")
    changed.key = ("11.1.0.106", "8.9", "False")  # another GPU: all is built anew
    with pytest.raises(ExportError, match="too little memory"):
        export(str(checkpoint), configured, "gpu", engines=changed)
    assert snapshot(configured) == before


def test_the_command_says_one_sentence_and_fails(tmp_path, capsys):
    assert main([str(tmp_path), "--repository", str(tmp_path)]) == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("export: ")
    assert "of no family that can be exported" in error


def test_the_command_does_nothing_twice(tiny_export, checkpoint, capsys):
    assert main([str(checkpoint), "--repository", str(tiny_export)]) == 0
    assert "nothing to do" in capsys.readouterr().out


def test_the_same_export_is_measured_on_another_processor(tiny_export, checkpoint, monkeypatch, capsys):
    measured = []
    monkeypatch.delenv("CPU_RUNTIME")
    monkeypatch.setattr("export.__main__.choose_in_a_process", measured.append)
    assert main([str(checkpoint), "--repository", str(tiny_export)]) == 0
    assert measured == [tiny_export]
