from pathlib import Path

import pytest

from export import engine_config
from export.stamps import stamp_of
from export.tensorrt_engine import BatchRange
from serving.model_config import read_model_config
from tests.serving.test_engine_stamp import A10G, write_onnx

REPOSITORY = Path(__file__).resolve().parents[2] / "model_repository"
UNET = {"sample": (9, 64, 64), "timestep": (), "prompt_embeds": (77, 768)}
WIDE = UNET | {"sample": (9, 96, 128)}
BUCKETS = {
    "text_encoder": [{"input_ids": (77,)}],
    "vae_encoder": [{"pixels": (3, 512, 512)}, {"pixels": (3, 768, 1024)}],
    "unet": [UNET, WIDE],
    "vae_decoder": [{"latents": (4, 64, 64)}, {"latents": (4, 96, 128)}],
}


@pytest.mark.parametrize("stage", BUCKETS)
def test_nothing_but_profiles_and_warm_ups_is_added(stage):
    plain = read_model_config(REPOSITORY / stage)
    extended = engine_config.extend(read_model_config(REPOSITORY / stage), BUCKETS[stage])
    [group] = extended.instance_group
    profiles = ["0", "1"] if len(BUCKETS[stage]) == 2 else []
    assert list(group.profile) == profiles
    assert len(extended.model_warmup) == len(BUCKETS[stage])
    del group.profile[:]
    extended.ClearField("model_warmup")
    assert extended == plain


@pytest.mark.parametrize("stage", BUCKETS)
def test_a_warm_up_is_a_request_that_the_model_takes(stage):
    config = engine_config.extend(read_model_config(REPOSITORY / stage), BUCKETS[stage])
    for warmup in config.model_warmup:
        assert set(warmup.inputs) == {tensor.name for tensor in config.input}
        for tensor in config.input:
            given = warmup.inputs[tensor.name]
            assert given.data_type == tensor.data_type
            assert len(given.dims) == len(tensor.dims)
            assert all(want in (-1, got) for want, got in zip(tensor.dims, given.dims, strict=True))


def test_an_engine_that_is_tuned_twice_has_a_profile_and_a_warm_up_for_each(tmp_path):
    (tmp_path / "1").mkdir()
    (tmp_path / "config.pbtxt").write_text((REPOSITORY / "unet" / "config.pbtxt").read_text())
    (tmp_path / "1" / "model.plan").touch()
    batches = [BatchRange(1, 1, 2), BatchRange(1, 4, 16)]
    onnx = write_onnx(tmp_path / "model.onnx")
    stamp_of("11.1.0.106", A10G, onnx, batches, [UNET, WIDE], False).write(tmp_path / "1")
    engine_config.write(tmp_path, [UNET, WIDE])
    config = read_model_config(tmp_path, "gpu")
    assert list(config.instance_group[0].profile) == ["0", "1", "2", "3"]
    asked = [(it.batch_size, tuple(it.inputs["sample"].dims)) for it in config.model_warmup]
    assert asked == [(1, (9, 64, 64)), (4, (9, 64, 64)), (1, (9, 96, 128)), (4, (9, 96, 128))]


def test_an_export_for_a_gpu_writes_it_beside_the_hand_written_ones(tmp_path):
    (tmp_path / "config.pbtxt").write_text((REPOSITORY / "unet" / "config.pbtxt").read_text())
    engine_config.write(tmp_path, [UNET, WIDE])
    [group] = read_model_config(tmp_path, "gpu").instance_group
    assert list(group.profile) == ["0", "1"]
