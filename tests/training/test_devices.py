import pytest
import torch

from training import devices


@pytest.mark.parametrize(("gpu", "expected"), [(True, "cuda"), (False, "cpu")])
def test_a_gpu_is_taken_where_there_is_one(monkeypatch, gpu, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    assert devices.chosen_device().type == expected
    assert devices.chosen_device("cpu").type == "cpu"


@pytest.mark.parametrize("name", ["cuda", "cuda:1", "gpu"])
def test_a_device_that_is_not_there_is_refused(monkeypatch, name):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match=name):
        devices.chosen_device(name)


@pytest.mark.parametrize(
    ("device", "capabilities", "expected"),
    [("cuda", {}, True), ("cpu", {"avx512_bf16": True}, True), ("cpu", {}, False)],
)
def test_a_processor_without_it_emulates_bfloat16(monkeypatch, device, capabilities, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert devices.computes_in_bfloat16(torch.device(device)) is expected
