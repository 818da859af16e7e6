"""The CPU profile of this stage: its model.onnx on ONNX Runtime or OpenVINO."""

from export.triton_stage import TritonPythonModel

__all__ = ["TritonPythonModel"]
