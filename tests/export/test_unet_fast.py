from pathlib import Path

from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig

from export import unet_fast

REPOSITORY = Path(__file__).resolve().parents[2] / "model_repository"


def read(path):
    return text_format.Parse(path.read_text(), ModelConfig())


def test_it_is_the_unet_under_another_name(tmp_path):
    names = ("config.pbtxt", "configs/cpu.pbtxt", "configs/onnx.pbtxt", "1/model.py")
    for name in names:
        (tmp_path / "unet" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "unet" / name).write_text((REPOSITORY / "unet" / name).read_text())
    unet_fast.write(tmp_path)
    for name in names[:3]:
        ours, theirs = read(tmp_path / "unet_fast" / name), read(tmp_path / "unet" / name)
        assert ours.name == "unet_fast"
        ours.name = "unet"
        assert ours == theirs
    assert (tmp_path / "unet_fast" / "1" / "model.py").exists()
    unet_fast.remove(tmp_path)
    assert not (tmp_path / "unet_fast").exists()
