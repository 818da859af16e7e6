"""What a Triton tells about its state, its device and what it serves."""

import pytest
from tritonclient.grpc import model_config_pb2

from frontend_proxy.errors import ModelUnavailable
from frontend_proxy.jobs import ModelHealth
from frontend_proxy.served_model import ServedModel
from frontend_proxy.triton.client import Triton
from tests.fakes import FakeTriton
from tests.frontend_proxy.triton.test_client import collect


async def test_health_of_a_ready_model(triton: Triton, fake: FakeTriton) -> None:
    fake.instance_kind = model_config_pb2.ModelInstanceGroup.KIND_GPU
    assert await triton.health() == ModelHealth(True, False, None, "cuda")


async def test_health_names_what_is_served(triton: Triton, fake: FakeTriton) -> None:
    served = ServedModel(checkpoint="mine", profile="cpu", precision="fp32", loras=["detail:0.5"])
    fake.served = served.model_dump_json()
    assert (await triton.health()).served == served


@pytest.mark.parametrize(("profile", "device"), [("gpu", "cuda"), ("cpu", "cpu")])
async def test_the_profile_tells_the_device_of_a_checkpoint_without_a_unet(
    triton: Triton, fake: FakeTriton, profile: str, device: str
) -> None:
    fake.served = ServedModel(checkpoint="mine", profile=profile, precision="fp16").model_dump_json()
    fake.unknown = {"unet"}
    assert (await triton.health()).device == device


async def test_an_export_of_an_older_version_names_no_licence(triton: Triton, fake: FakeTriton) -> None:
    fake.served = '{"checkpoint": "mine", "profile": "cpu", "precision": "fp32", "loras": []}'
    served = (await triton.health()).served
    assert served
    assert (served.family, served.licence, served.stand_ins) == ("unknown", None, [])


async def test_health_tells_loading_from_failed(triton: Triton, fake: FakeTriton) -> None:
    fake.model_ready = False
    fake.index = [("unet", "READY", ""), ("tryon", "LOADING", "")]
    assert await triton.health() == ModelHealth(False, True, None, "unknown")
    fake.index = [("tryon", "UNAVAILABLE", "no such file: /srv/model.plan")]
    health = await triton.health()
    assert not health.loading
    assert health.error == "model tryon is not ready; the server's log has the reason"
    assert "no such file: /srv/model.plan" in triton.problem


async def test_health_remembers_a_dead_model_process(triton: Triton, fake: FakeTriton) -> None:
    """Triton calls a decoupled model ready while every job fails with "Stub process … is not healthy"."""
    fake.script = ["Stub process 'tryon_0_0' is not healthy."]
    with pytest.raises(ModelUnavailable):
        await collect(triton)
    assert not (await triton.health()).ready
    fake.script = [b"picture"]
    await collect(triton)
    assert (await triton.health()).ready
