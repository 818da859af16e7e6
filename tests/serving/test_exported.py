"""What the manifest says about the export: names for everybody, and old manifests."""

import json

import pytest

from serving.errors import CannotServe
from serving.exported import describe, public_name, read_exported


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("/home/jo/secret/my ckpt", "my ckpt"),
        ("./export/checkpoints/lucy-tiny", "lucy-tiny"),
        ("export/checkpoints/lucy-tiny", "lucy-tiny"),
        ("/home/jo/ckpt/", "ckpt"),
        ("someone/inpainting", "someone/inpainting"),
        (
            "/home/lucy/.cache/huggingface/hub/models--someone--inpainting/snapshots/0a1b2c",
            "someone/inpainting",
        ),
        ("/data/single.safetensors", "single.safetensors"),
    ],
)
def test_the_public_name_has_no_path_of_this_machine(source, name):
    assert public_name(source) == name


def test_the_line_names_profile_precision_and_loras():
    manifest = {
        "profile": "gpu",
        "precision": "fp16",
        "request": {"checkpoint": "/home/jo/mine"},
        "loras": [{"path": "/home/jo/add detail.safetensors", "weight": 0.8}],
    }
    assert str(describe(manifest)) == "mine (profile gpu, fp16, LoRAs add detail:0.8)"


@pytest.mark.parametrize(
    ("text", "said"),
    [(None, "nothing is exported yet"), ("{", "cannot be read"), ("[]", "cannot be read"), ("{}", "cannot")],
)
def test_a_manifest_that_is_none_is_one_sentence(tmp_path, text, said):
    if text is not None:
        (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(CannotServe, match=said):
        read_exported(tmp_path)


def test_an_older_manifest_is_understood(tmp_path):
    (tmp_path / "manifest.json").write_text(json.dumps({"profile": "cpu"}))
    exported = read_exported(tmp_path)
    assert exported.profile == "cpu"
    assert (exported.family, exported.licence, exported.stand_ins) == ("unknown", None, ())
