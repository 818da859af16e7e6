import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest

from export import engines
from export.__main__ import main
from export.engines import Engines, batch_range, find_engines
from export.errors import ExportError
from export.tensorrt_engine import BatchRange
from tests.serving.test_engine_stamp import A10G, BUCKETS, write_onnx

BATCH = BatchRange(1, 4, 16)


@pytest.fixture
def calls(monkeypatch):
    """What was asked of TensorRT, which is not there: each call's name."""
    done = []

    def fake(name, answer):
        return lambda *arguments: done.append(name) or answer

    monkeypatch.setattr(engines, "build_engine", fake("build", b"built"))
    monkeypatch.setattr(engines, "refit_engine", fake("refit", b"refitted"))
    monkeypatch.setattr(engines, "describe_layers", fake("describe", "{}"))
    return done


@pytest.fixture
def maker(tmp_path):
    return Engines(SimpleNamespace(__version__="11.1.0.106"), A10G, tmp_path / "cache", refittable=True)


def make(maker, folder, served, weights=1.0):
    folder.mkdir()
    entry = maker.make(write_onnx(folder / "model.onnx", weights), served, BATCH, BUCKETS, lambda *_: None)
    return entry["how"], (folder / "model.plan").read_bytes()


def test_an_engine_is_built_once_then_kept_then_refitted(maker, calls, tmp_path):
    first, second, third = (tmp_path / name for name in ("first", "second", "third"))
    assert make(maker, first, tmp_path / "none") == ("built", b"built")
    assert make(maker, second, first) == ("kept", b"built")
    assert make(maker, third, second, weights=2.0) == ("refitted", b"refitted")
    assert calls == ["build", "describe", "refit", "describe"]


def test_if_tensorrt_refuses_to_refit_the_engine_is_built(maker, calls, tmp_path, monkeypatch, caplog):
    def refused(*arguments):
        raise ExportError("model.onnx lacks 3 of the engine's weights")

    make(maker, tmp_path / "first", tmp_path / "none")
    monkeypatch.setattr(engines, "refit_engine", refused)
    assert make(maker, tmp_path / "second", tmp_path / "first", weights=2.0) == ("built", b"built")
    assert "lacks 3 of the engine's weights; the engine is built from scratch" in caplog.text


@pytest.mark.parametrize(
    "change",
    [
        {"gpu": replace(A10G, compute_capability="8.9")},
        {"trt": SimpleNamespace(__version__="11.0.0.114")},
        {"refittable": False},
    ],
)
def test_another_gpu_or_tensorrt_means_a_build(maker, calls, tmp_path, change):
    make(maker, tmp_path / "first", tmp_path / "none")
    other = replace(maker, **change)
    assert make(other, tmp_path / "second", tmp_path / "first", weights=2.0)[0] == "built"
    assert other.key != maker.key


def test_an_engine_of_which_nothing_is_known_is_built_anew(maker, calls, tmp_path):
    make(maker, tmp_path / "first", tmp_path / "none")
    (tmp_path / "first" / "model.plan.json").write_text("{}")
    assert make(maker, tmp_path / "second", tmp_path / "first")[0] == "built"


@pytest.mark.parametrize(
    ("memory", "best", "ranges"),
    [
        (1000, 4, [[1, 1, 2], [1, 4, 16]]),
        (0, 4, [[1, 4, 16]]),  # the plan with both might be twice as large as the weights
        (1000, 1, [[1, 1, 16]]),  # TensorRT tunes it for few rows anyway
    ],
)
def test_an_engine_is_tuned_for_few_rows_too_if_the_gpu_has_room(
    maker, calls, tmp_path, memory, best, ranges
):
    small = replace(maker, gpu=replace(A10G, memory_total=memory))
    onnx = write_onnx(tmp_path / "model.onnx")
    entry = small.make(onnx, tmp_path / "none", BatchRange(1, best, 16), BUCKETS, lambda *_: None)
    assert entry["batches"] == ranges


def test_without_a_gpu_there_are_no_engines_and_it_is_said(monkeypatch, caplog):
    monkeypatch.setattr(engines, "query_gpus", list)
    assert find_engines() is None
    assert "no TensorRT engines: nvidia-smi finds no GPU" in caplog.text
    with pytest.raises(ExportError, match=r"no GPU.*ENGINES=0"):
        find_engines(required=True)


def test_a_gpu_without_tensorrt_is_reported(monkeypatch):
    monkeypatch.setattr(engines, "query_gpus", lambda: [A10G])
    for name in ("tensorrt", "tensorrt_bindings"):
        monkeypatch.setitem(sys.modules, name, None)
    assert find_engines() is None
    with pytest.raises(ExportError, match=r"NVIDIA A10G.*no tensorrt.*docker compose"):
        find_engines(required=True)


def test_the_images_package_has_another_name(monkeypatch):
    """The wheel in the image contains `tensorrt_bindings` and no `tensorrt`: the export ended there."""
    bindings = SimpleNamespace(__version__="11.1.0.106")
    monkeypatch.setattr(engines, "query_gpus", lambda: [A10G])
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    monkeypatch.setitem(sys.modules, "tensorrt_bindings", bindings)
    found = find_engines()
    assert found is not None
    assert found.trt is bindings


@pytest.mark.parametrize(("words", "status"), [(["--engines=1"], 1), (["--engines=0"], 0), ([], 0)])
def test_engines_that_are_asked_for_and_cannot_be_built_are_an_error(
    monkeypatch, words, status, tmp_path, capsys
):
    """It once ended with status 0 and ONNX alone."""
    monkeypatch.setattr(engines, "query_gpus", list)
    monkeypatch.setattr(
        "export.exporter.export", lambda *args, **options: ({"checkpoint": {"name": "x"}}, False)
    )
    assert main([*words, "--profile=gpu", f"--repository={tmp_path}"]) == status
    assert ("finds no GPU" in capsys.readouterr().err) == bool(status)


def test_a_configuration_without_a_batch_or_no_configuration_is_reported(tmp_path):
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet" / "config.pbtxt").write_text('name: "unet"\nmax_batch_size: 2\n')
    assert batch_range(tmp_path, "unet") == BatchRange(1, 2, 2)
    with pytest.raises(ExportError, match=r"vae_encoder/config\.pbtxt cannot be read"):
        batch_range(tmp_path, "vae_encoder")
    (tmp_path / "vae_encoder").mkdir()
    (tmp_path / "vae_encoder" / "config.pbtxt").write_text('name: "vae_encoder"')
    with pytest.raises(ExportError, match="no max_batch_size"):
        batch_range(tmp_path, "vae_encoder")
