"""The command line of the export; test_exporter.py has what it exports."""

import pytest

from export.__main__ import main, parser


def test_a_wrong_runtime_is_said_before_anything_is_exported(checkpoint, tmp_path, capsys, monkeypatch):
    """It was a traceback of pydantic's after the whole export."""
    monkeypatch.setenv("CPU_RUNTIME", "tensorflow")
    assert main([str(checkpoint), "--repository", str(tmp_path)]) == 1
    expected = "export: CPU_RUNTIME is 'tensorflow'; it must be one of auto, onnxruntime, openvino\n"
    assert capsys.readouterr().err == expected
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("wrong", ["-1", "nan", "inf", "much"])
def test_scratch_memory_is_a_number_of_gigabytes(wrong, capsys):
    """A negative one ended in TensorRT, after all networks were exported."""
    with pytest.raises(SystemExit, match="2"):
        parser().parse_args([f"--workspace-gb={wrong}"])
    assert f"'{wrong}' is no number of gigabytes" in capsys.readouterr().err
    assert parser().parse_args(["--workspace-gb=0"]).workspace_gb == 0
