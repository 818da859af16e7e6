"""The command line of the export; test_exporter.py has what it exports."""

from export.__main__ import main


def test_a_wrong_runtime_is_said_before_anything_is_exported(checkpoint, tmp_path, capsys, monkeypatch):
    """It was a traceback of pydantic's after the whole export."""
    monkeypatch.setenv("CPU_RUNTIME", "tensorflow")
    assert main([str(checkpoint), "--repository", str(tmp_path)]) == 1
    expected = "export: CPU_RUNTIME is 'tensorflow'; it must be one of auto, onnxruntime, openvino\n"
    assert capsys.readouterr().err == expected
    assert not list(tmp_path.iterdir())
