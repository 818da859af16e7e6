"""The first cause in logs of real Tritons that did not start."""

from pathlib import Path

import pytest

from serving.triton_log import first_cause, loaded_models

LOGS = Path(__file__).resolve().parents[1] / "data" / "triton_logs"


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        (
            "python_exception",
            "failed to load 'tryon' version 1: Internal: ImportError: broken on purpose "
            "(at /srv/models/tryon/1/model.py(1))",
        ),
        (
            "broken_config",
            "Poll failed for model directory 'tryon': failed to read text proto from "
            "/srv/models/tryon/config.pbtxt (Error parsing text-format inference.ModelConfig: 1:44: "
            'Message type "inference.ModelConfig" has no field named "wrong_field")',
        ),
    ],
)
def test_the_first_cause_stands_between_harmless_errors_and_the_end(name, cause):
    assert first_cause((LOGS / f"{name}.log").read_text()) == cause


@pytest.mark.parametrize(
    ("log", "cause"),
    [
        ("tritonserver: error while loading shared libraries: libb64.so.0: cannot open", "libb64.so.0"),
        (
            'Traceback (most recent call last):\n  File "a.py", line 1\nValueError: wrong\n',
            "ValueError: wrong",
        ),
        ("E1127 08:22:22.579781 1218 x.cc:1] no quotes\n", "no quotes"),
        ("E1127 08:22:22.5 1 m.cc:1] \"Socket '127.0.0.1:8001' already in use \"\n", "already in use"),
        ("Error: Failed to initialize NVML\nerror: creating server: Internal - x\n", "creating server"),
    ],
)
def test_other_ends_are_understood(log, cause):
    assert cause in first_cause(log)


def test_a_log_without_errors_has_no_cause():
    assert first_cause("") is None
    assert (
        first_cause('E1127 08:22:20.3 1 server.cc:241] "CudaDriverHelper has not been initialized."\n')
        is None
    )


def test_a_log_says_which_models_are_loaded():
    """With the version or without it."""
    log = """I1128 16:17:06.866773 8498 model_lifecycle.cc:839] "successfully loaded 'vae_encoder'"
I1128 16:17:01.485899 8498 model_lifecycle.cc:472] "loading: tryon:1"
I1128 16:17:11.057568 8498 model_lifecycle.cc:839] "successfully loaded 'unet' version 1"
I1128 16:17:11.057570 8498 model_lifecycle.cc:839] "successfully loaded 'unet'"
"""
    assert loaded_models(log) == ["vae_encoder", "unet"]
    assert loaded_models("") == []
