import pytest
from diffusers import AutoencoderKL
from safetensors.torch import load_file

from training.lucy_tiny import training
from training.lucy_tiny.__main__ import CHECKPOINT
from training.lucy_tiny.evaluation import TorchPipeline, spared_render
from training.lucy_tiny.scenes import make_scene
from training.lucy_tiny.shards import SCENES

UNET = "diffusion_pytorch_model.safetensors"


@pytest.mark.nightly
@pytest.mark.timeout(900)  # 4 minutes on two cores that others use, too
def test_training_from_random_weights_writes_a_working_checkpoint(tmp_path, monkeypatch):
    """The whole chain in seconds: painting, basis, decoder, UNet, sheet, checkpoint; then once more."""
    minutes = 0.01
    monkeypatch.setattr(training, "_PICTURES", SCENES)
    monkeypatch.setattr(training, "_LATENTS_A_MINUTE", {"cpu": SCENES / minutes, "cuda": SCENES / minutes})
    training.train(minutes, tmp_path, tmp_path / "checkpoint")
    scene = make_scene(training.HELD_OUT)
    order = scene.frame, spared_render(scene), scene.landmarks, scene.caption, 1
    picture = TorchPipeline(tmp_path / "checkpoint")(*order)
    assert picture.shape == scene.frame.shape
    assert (picture != scene.composite)[scene.mask == 255].any()
    assert list(tmp_path.glob("samples-*.png"))

    # A run that was stopped goes on from what is there, and paints nothing twice.
    painted = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.npz")}
    training.train(minutes, tmp_path, tmp_path / "again")
    assert painted == {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.npz")}
    assert (TorchPipeline(tmp_path / "again")(*order) == picture).all()


@pytest.mark.nightly
def test_training_can_start_from_a_checkpoint(tmp_path, monkeypatch):
    """The encoder is the old one, bit for bit: the UNet's latents would mean something else."""
    minutes = 0.01
    monkeypatch.setattr(training, "_LATENTS_A_MINUTE", {"cpu": SCENES / minutes, "cuda": SCENES / minutes})
    training.train(minutes, tmp_path / "work", tmp_path / "checkpoint", start=CHECKPOINT)
    old, new = (
        AutoencoderKL.from_pretrained(f / "vae").state_dict() for f in (CHECKPOINT, tmp_path / "checkpoint")
    )
    assert all(new[name].equal(old[name]) for name in old)
    old, new = (load_file(f / "unet" / UNET) for f in (CHECKPOINT, tmp_path / "checkpoint"))
    assert any(not new[name].equal(old[name]) for name in old)
