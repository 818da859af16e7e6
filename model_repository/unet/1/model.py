"""The CPU profile of this stage: its model.onnx on ONNX Runtime or OpenVINO."""

from serving.stages.triton_model import TritonPythonModel

__all__ = ["TritonPythonModel"]
